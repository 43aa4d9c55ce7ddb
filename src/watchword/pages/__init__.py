"""Pages for people: server-rendered HTML over the same services as the JSON routes.

They work without a script, load nothing from another host, and can't be framed. What may be done
is decided below: a page asks a service and shows what it said.
"""
