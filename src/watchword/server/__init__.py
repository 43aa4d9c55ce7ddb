"""The service: what a process has to do around the Watchword that any app can mount.

Process matters only: the app around it, logging, uvicorn, signals. May use nothing that a host
can't.
"""
