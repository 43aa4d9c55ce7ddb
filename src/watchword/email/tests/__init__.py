"""Tests of the mail room, against a real mail server on loopback."""
