"""Signing in: collects proofs, and is the only room that starts a session.

The story reads top to bottom in ``service.py``; each call is one room below.
"""
