"""Watchword: authentication for FastAPI, in your app or by itself.

The names below load what they need when they are first asked for, so that ``import watchword``
costs nothing and ``watchword.verify`` needs nothing but joserfc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from watchword.accounts.account import Account, UserRole
    from watchword.accounts.guards import (
        CurrentPrincipal,
        CurrentUser,
        RoleChecker,
        VerifiedUser,
        get_current_active_user,
        get_current_principal,
        get_current_user,
        get_current_verified_user,
        require_admin,
        require_user,
    )
    from watchword.mount.watchword import Watchword
    from watchword.settings.schema import Settings

__all__ = [
    "Account",
    "CurrentPrincipal",
    "CurrentUser",
    "RoleChecker",
    "Settings",
    "UserRole",
    "VerifiedUser",
    "Watchword",
    "get_current_active_user",
    "get_current_principal",
    "get_current_user",
    "get_current_verified_user",
    "require_admin",
    "require_user",
]

_WHERE = {
    "Account": "watchword.accounts.account",
    "UserRole": "watchword.accounts.account",
    "Watchword": "watchword.mount.watchword",
    "Settings": "watchword.settings.schema",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'watchword' has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(_WHERE.get(name, "watchword.accounts.guards"))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("watchword"):
            raise
        raise ModuleNotFoundError(
            f"{name} needs the app's packages ({error.name} is missing). "
            'Type: pip install "watchword[app]"',
            name=error.name,
        ) from error
    return getattr(module, name)
