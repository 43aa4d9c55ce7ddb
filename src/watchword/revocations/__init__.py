"""Revocations: what ends before it expires, written with what ended it, known to every worker.

Each entry lasts as long as the last access token that it could concern; then it is deleted.
"""
