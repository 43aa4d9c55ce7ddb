"""The audit log: each security event, written in the transaction of what it tells (ASVS 16.3).

Append-only. Carries who asked (address, agent, request id), never a secret.
"""
