"""Mail: written to an outbox in the transaction of what it tells, sent by a worker, never lost.

``messages.py`` is what is said, ``outbox.py`` puts it in writing, ``sender.py`` brings it out.
"""
