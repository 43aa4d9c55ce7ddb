"""Accounts: the person. Names and addresses that can't be mistaken for another's, and the guards.

Both unique keys are folded (NFKC, then case folding): ``Ann``, ``ann`` and ``ａｎｎ`` are one name.
"""
