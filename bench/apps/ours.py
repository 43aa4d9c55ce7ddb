"""Watchword in an app, its settings read from the environment as always."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI

from watchword import CurrentPrincipal, CurrentUser, Watchword

app = FastAPI()
auth = Watchword()
auth.mount(app)


async def constant() -> int:
    return 1


@app.get("/bare")
async def bare() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/constant")
async def behind_constant(_caller: Annotated[int, Depends(constant)]) -> dict[str, str]:
    return {"hello": "world"}


@app.get("/principal")
async def behind_principal(_caller: CurrentPrincipal) -> dict[str, str]:
    return {"hello": "world"}


@app.get("/user")
async def behind_user(_caller: CurrentUser) -> dict[str, str]:
    return {"hello": "world"}
