"""PyJWT in a dependency written by hand: no database, no revocation, nothing that can be ended."""

from __future__ import annotations

from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bench.apps import SECRET

app = FastAPI()
Bearer = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def claims_of(token: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(token, SECRET, algorithms=["HS256"]))
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials") from error


async def claims_async(bearer: Bearer) -> dict[str, Any]:
    return claims_of(bearer.credentials)


def claims_plain(bearer: Bearer) -> dict[str, Any]:
    return claims_of(bearer.credentials)


@app.get("/async")
async def behind_async(
    _caller: Annotated[dict[str, Any], Depends(claims_async)],
) -> dict[str, str]:
    return {"hello": "world"}


@app.get("/plain")
async def behind_plain(
    _caller: Annotated[dict[str, Any], Depends(claims_plain)],
) -> dict[str, str]:
    return {"hello": "world"}
