"""The database: one engine, one way to open a transaction, on SQLite and PostgreSQL alike.

A ``Unit`` is one transaction with one ``now``; nothing slow (hash, mail, HTTP) happens while one
is open.
"""
