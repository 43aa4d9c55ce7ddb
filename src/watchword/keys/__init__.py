"""Signing keys: made at first start, sealed at rest, published as a JWK set (RFC 7517), rotated.

A key is ``next`` (published, not yet used), ``active`` (signs), ``retiring`` (verifies what it
signed) and ``retired`` (refused). Its private part never leaves this room unsealed.
"""
