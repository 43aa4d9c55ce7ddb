"""Tests of the service, as the process that it is."""
