"""Limits on abuse: how often an action may be tried, by account and by network.

Counted in this process. Each try is charged before its outcome is known, so that a hundred at
once are a hundred; a success gives its charge back, so that an owner is not punished for coming.
"""
