"""Administering users: JSON over the same services that everybody else's requests use."""
