"""Sessions: who is signed in where. One row each, however long it lives and however often it turns.

A refresh is one UPDATE of that row (RFC 9700, section 4.14.2: rotation, and reuse ends the
session). Ending one is written with the revocation of its access tokens, in one transaction.
"""
