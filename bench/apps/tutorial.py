"""Authentication as the tutorials teach it: python-jose, passlib, a read for each request.

The password is hashed where the login route runs, which is the event loop; refreshing reads the
user and signs two new tokens, and writes nothing down.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from jose import JWTError, jwt
from passlib.context import CryptContext
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.apps import SECRET

ALGORITHM = "HS256"

engine = create_async_engine(os.environ["BENCH_DATABASE"])
session_maker = async_sessionmaker(engine, expire_on_commit=False)
pwd_context = CryptContext(schemes=["argon2"], deprecated="auto")
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/auth/login")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True, index=True)
    email: Mapped[str] = mapped_column(unique=True, index=True)
    hashed_password: Mapped[str]
    full_name: Mapped[str | None]
    role: Mapped[str] = mapped_column(default="user")
    is_active: Mapped[bool] = mapped_column(default=True)
    is_verified: Mapped[bool] = mapped_column(default=False)


class Credentials(BaseModel):
    username: str
    password: str
    email: str = ""


class Refresh(BaseModel):
    refresh_token: str


class TokenPair(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "bearer"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_maker() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


def create_token(username: str, kind: str, life: timedelta) -> str:
    claims: dict[str, Any] = {"sub": username, "type": kind, "exp": datetime.now(UTC) + life}
    return str(jwt.encode(claims, SECRET, algorithm=ALGORITHM))


def pair(username: str) -> TokenPair:
    return TokenPair(
        access_token=create_token(username, "access", timedelta(minutes=30)),
        refresh_token=create_token(username, "refresh", timedelta(days=7)),
    )


async def user_of(token: str, kind: str, session: AsyncSession) -> User:
    refused = HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(token, SECRET, algorithms=[ALGORITHM])
    except JWTError as error:
        raise refused from error
    if claims.get("type") != kind:
        raise refused
    user = await session.scalar(select(User).where(User.username == claims.get("sub")))
    if user is None:
        raise refused
    return user


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], session: Session) -> User:
    return await user_of(token, "access", session)


async def get_current_active_user(user: Annotated[User, Depends(get_current_user)]) -> User:
    if not user.is_active:
        raise HTTPException(403, "Inactive user")
    return user


@app.post("/auth/register", status_code=201)
async def register(body: Credentials, session: Session) -> dict[str, int]:
    hashed = pwd_context.hash(body.password)
    user = User(username=body.username, email=body.email, hashed_password=hashed)
    session.add(user)
    await session.commit()
    return {"id": user.id}


@app.post("/auth/login")
async def login(body: Credentials, session: Session) -> TokenPair:
    user = await session.scalar(select(User).where(User.username == body.username))
    if user is None or not pwd_context.verify(body.password, user.hashed_password):
        raise HTTPException(401, "Incorrect username or password")
    return pair(user.username)


@app.post("/auth/refresh")
async def refresh(body: Refresh, session: Session) -> TokenPair:
    user = await user_of(body.refresh_token, "refresh", session)
    if not user.is_active:
        raise HTTPException(403, "Inactive user")
    return pair(user.username)


@app.get("/user")
async def behind_user(
    _caller: Annotated[User, Depends(get_current_active_user)],
) -> dict[str, str]:
    return {"hello": "world"}
