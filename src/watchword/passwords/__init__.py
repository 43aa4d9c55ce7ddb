"""Passwords: which are allowed, registration with one, changing and resetting it.

It keeps one hash for each account that has a password. It answers ASVS 6.2 (password security) and
6.4.3 (reset), and refuses passwords that are short, common, or made of what everybody can know
about their owner.
"""
