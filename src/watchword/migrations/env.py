"""Alembic's way in. Run only through ``apply.py``, which hands it a connection."""

from __future__ import annotations

from alembic import context

from watchword.accounts import _tables as _accounts
from watchword.audit import _tables as _audit
from watchword.db.metadata import metadata
from watchword.email import _tables as _email
from watchword.keys import _tables as _keys
from watchword.passwords import _tables as _passwords
from watchword.revocations import _tables as _revocations
from watchword.sessions import _tables as _sessions
from watchword.tokens import _tables as _tokens

_ALL = (_accounts, _audit, _email, _keys, _passwords, _revocations, _sessions, _tokens)

VERSION_TABLE = "watchword_version"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
