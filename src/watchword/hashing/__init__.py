"""Password hashing: argon2id (RFC 9106) off the event loop, and the hashes that others made.

It keeps nothing. It answers ASVS 11.4.2 (an approved key derivation function with parameters of
today) and 6.2.8 (the password exactly as typed, but for NFKC: RFC 8265, section 4.2), and refuses
to queue without end, or to spend on a stored hash more than this machine can bear.
"""
