"""Settings: one frozen, typed value, made once and passed in.

Read from arguments, the environment and ``.env`` by ``load.py``; nobody else reads the environment.
An unknown ``WATCHWORD_`` name refuses to start (a typo in a security setting must not pass unseen).
"""
