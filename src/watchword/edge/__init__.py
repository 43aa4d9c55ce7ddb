"""The edge: from HTTP to typed values and from typed refusals to HTTP, once, for every route."""
