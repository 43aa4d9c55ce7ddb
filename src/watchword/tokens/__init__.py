"""Tokens: access (JWT, RFC 9068), refresh (opaque, authenticated), one-time (random, hashed).

A token of one kind or purpose is never accepted as another: access tokens by ``typ``, refresh
tokens by their prefix and MAC, one-time tokens by the purpose that is part of their digest.
"""
