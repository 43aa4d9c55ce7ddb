"""The commands of whoever runs the service: the same services as the API's, from a terminal.

They read the service's settings and work beside it while it runs. A password is prompted for or
read from standard input, never an argument: those are anybody's to see.
"""
