"""fastapi-users with SQLAlchemy as its documentation shows it, by JWT and by database strategy."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, IntegerIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.authentication.strategy.db import AccessTokenDatabase, DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTable, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTable,
)
from sqlalchemy import ForeignKey, Integer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.apps import SECRET

LIFE_SECONDS = 1800

engine = create_async_engine(os.environ["BENCH_DATABASE"])
session_maker = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTable[int], Base):
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


class AccessToken(SQLAlchemyBaseAccessTokenTable[int], Base):
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="cascade"))


class UserRead(schemas.BaseUser[int]):
    pass


class UserCreate(schemas.BaseUserCreate):
    pass


class UserManager(IntegerIDMixin, BaseUserManager[User, int]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_maker() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_user_db(session: Session) -> AsyncIterator[Any]:
    yield SQLAlchemyUserDatabase(session, User)


async def get_access_token_db(session: Session) -> AsyncIterator[Any]:
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


async def get_user_manager(user_db: Annotated[Any, Depends(get_user_db)]) -> AsyncIterator[Any]:
    yield UserManager(user_db)


def get_jwt_strategy() -> Any:
    return JWTStrategy(secret=SECRET, lifetime_seconds=LIFE_SECONDS)


def get_database_strategy(
    access_token_db: Annotated[AccessTokenDatabase[Any], Depends(get_access_token_db)],
) -> Any:
    return DatabaseStrategy(access_token_db, lifetime_seconds=LIFE_SECONDS)


by_jwt = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/jwt/login"),
    get_strategy=get_jwt_strategy,
)
by_database = AuthenticationBackend(
    name="database",
    transport=BearerTransport(tokenUrl="auth/database/login"),
    get_strategy=get_database_strategy,
)
jwt_users = FastAPIUsers[User, int](get_user_manager, [by_jwt])
database_users = FastAPIUsers[User, int](get_user_manager, [by_database])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(jwt_users.get_auth_router(by_jwt), prefix="/auth/jwt")
app.include_router(database_users.get_auth_router(by_database), prefix="/auth/database")
app.include_router(jwt_users.get_register_router(UserRead, UserCreate), prefix="/auth")


@app.get("/jwt")
async def behind_jwt(
    _caller: Annotated[Any, Depends(jwt_users.current_user(active=True))],
) -> dict[str, str]:
    return {"hello": "world"}


@app.get("/database")
async def behind_database(
    _caller: Annotated[Any, Depends(database_users.current_user(active=True))],
) -> dict[str, str]:
    return {"hello": "world"}
