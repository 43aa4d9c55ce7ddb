"""Reading settings: arguments, the environment, ``.env``; and the secret made at first start."""

from __future__ import annotations

import difflib
import io
import os
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin

from dotenv.parser import parse_stream
from pydantic import ValidationError

from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.check import MAKE_A_KEY, kind_of, options_of, what_to_type
from watchword.settings.schema import Settings
from watchword.world import World

PREFIX = "WATCHWORD_"

# What the test command reads for itself; never a setting.
_OF_THE_TESTS = "WATCHWORD_TEST_"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each field where its value came from."""

    settings: Settings
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    value: object
    variable: str
    place: str

    @property
    def source(self) -> str:
        return self.place if self.place == "argument" else f"{self.place} {self.variable}"

    def refused(self, name: str, why: str) -> str:
        """A sentence that says which one is wrong. Never the value: it may be a secret."""
        if self.place == "argument":
            return f"The argument {self.variable} {why}."
        place = "the environment" if self.place == "environment" else self.place
        sentence = f"{self.variable} in {place} {why}."
        if not self.variable.startswith(PREFIX):
            ours = PREFIX + name.upper()
            sentence += f" If it is meant for another program, set {ours}, which goes before it."
        return sentence


def load_settings(
    *,
    env: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
    **overrides: object,
) -> Loaded:
    """Read the settings: argument, WATCHWORD_NAME, then bare NAME; environment before file.

    ``env`` stands in for the process's environment; an absent ``env_file`` is no file. The first
    name found decides, and an empty value of an optional setting means that it is not set.

    Raises ConfigurationError, which names everything that is wrong at once and no value.
    """
    environment = os.environ if env is None else env
    file = {} if env_file is None else _read(env_file)
    problems = [*_unknown(overrides, environment, file), *_service_links(environment)]
    places = (("environment", environment), (env_file.name if env_file else "", file))

    found: dict[str, _Found] = {}
    values: dict[str, object] = {}
    for name in Settings.model_fields:
        one = _find(name, overrides, places)
        if one is None:
            continue
        found[name] = one
        try:
            values[name] = _value(name, one.value)
        except ValueError as error:
            problems.append(one.refused(name, str(error)))

    settings = _validated(values)
    if not isinstance(settings, Settings):
        wrong = settings
        problems += [found[name].refused(name, f"must be {what_to_type(name)}") for name in wrong]
    if problems or not isinstance(settings, Settings):
        raise ConfigurationError("\n".join(problems))
    sources = {
        name: found[name].source if name in found else "default" for name in Settings.model_fields
    }
    return Loaded(settings, MappingProxyType(sources))


def with_secret(loaded: Loaded, world: World) -> Loaded:
    """The same with a SECRET_KEY: in development it is kept in DATA_DIR and made where missing.

    Raises ConfigurationError in production, where it must be set, and where the file can't be
    made or is not to be trusted.
    """
    settings = loaded.settings
    if settings.secret_key is not None:
        return loaded
    if not settings.is_development:
        raise ConfigurationError(
            f"SECRET_KEY is not set. Make one with\n  {MAKE_A_KEY}\nand set it as SECRET_KEY."
        )
    file = settings.data_dir / "secret_key"
    secret = _kept_secret(file, world)
    sources = {**loaded.sources, "secret_key": f"made at first start in {file}"}
    return Loaded(
        settings.model_copy(update={"secret_key": secret}),
        MappingProxyType(sources),
    )


def _find(
    name: str,
    overrides: Mapping[str, object],
    places: Iterable[tuple[str, Mapping[str, str]]],
) -> _Found | None:
    if name in overrides:
        return _Found(overrides[name], name, "argument")
    for variable in (PREFIX + name.upper(), name.upper()):
        for place, variables in places:
            text = variables.get(variable)
            # POSIX keeps MAIL for a login shell's mailbox (/var/mail/root): that is no setting.
            if text is None or (variable == "MAIL" and "/" in text):
                continue
            return _Found(text, variable, place)
    return None


def _read(env_file: Path) -> dict[str, str]:
    try:
        text = env_file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"{env_file} can't be read: {why}. Correct it, or take it away."
        ) from None
    variables: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            # Skipped with a warning, a quote left open would silently unset what stands there.
            skipped = binding.original.string
            blank = skipped[: len(skipped) - len(skipped.lstrip())].count("\n")
            raise ConfigurationError(
                f"Line {binding.original.line + blank} of {env_file} can't be read. Write "
                "NAME=value, and close the quotes."
            )
        if binding.key is not None:
            variables[binding.key] = binding.value or ""
    return variables


def _unknown(
    overrides: Mapping[str, object], environment: Mapping[str, str], file: Mapping[str, str]
) -> list[str]:
    fields = list(Settings.model_fields)
    problems = []
    for argument in overrides:
        if argument not in fields:
            near = difflib.get_close_matches(argument.lower(), fields, n=1)
            problems.append(f"{argument} is not a setting. {_meant(near)}")
    for variable in dict.fromkeys([*environment, *file]):
        if not variable.upper().startswith(PREFIX) or variable.startswith(_OF_THE_TESTS):
            continue
        if variable in {PREFIX + field.upper() for field in fields}:
            continue
        near = difflib.get_close_matches(variable[len(PREFIX) :].lower(), fields, n=1)
        problems.append(
            f"{variable} is not a setting. {_meant([PREFIX + name.upper() for name in near])}"
        )
    return problems


def _meant(near: list[str]) -> str:
    return f"Did you mean {near[0]}?" if near else "docs/settings.md lists them all."


def _service_links(environment: Mapping[str, str]) -> list[str]:
    # Kubernetes gives a pod <SERVICE>_PORT=tcp://… and the like for each Service beside it.
    if PREFIX + "SERVICE_HOST" not in environment:
        return []
    hint = "Kubernetes made names of a Service called watchword: set enableServiceLinks: false"
    return [f"{hint} in the pod's spec."]


def _value(name: str, value: object) -> object:
    """``value`` as the schema takes it. Raises ValueError that says what is wrong."""
    kind, optional = kind_of(name)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if isinstance(value, str):
            value = [part for part in (part.strip() for part in value.split(",")) if part]
        if not isinstance(value, (list, tuple)):
            return value  # the schema refuses it
        return tuple(_text(inner, part) for part in value)
    if optional and (value == "" or (isinstance(value, Secret) and not value)):
        return None
    taken = _text(kind, value)
    if optional and taken == "":
        return None
    if taken == "" and kind is not str:
        raise ValueError(f"is empty: it must be {what_to_type(name)}")
    return taken


def _text(kind: Any, value: object) -> object:
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return value
    categories = {unicodedata.category(character) for character in text}
    if "Cs" in categories:
        raise ValueError("is not UTF-8 text")
    if kind is Secret:
        if "Cc" in categories:
            raise ValueError("holds a line break or another control character: take it out")
        return Secret(text)
    text = text.strip()
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("holds a line break or another control character: take it out")
    # LOG_LEVEL=INFO and SMTP_TLS=TLS are what people write.
    return next((one for one in options_of(kind) if one.casefold() == text.casefold()), text)


def _validated(values: Mapping[str, object]) -> Settings | list[str]:
    """The settings, or the names of those that are wrong."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # Only the names leave: the library's own error carries the values.
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return list(dict.fromkeys(str(detail["loc"][0]) for detail in details))


def _kept_secret(file: Path, world: World) -> Secret:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _make_secret(file, world)
        mode = file.stat().st_mode
        text = file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"The secret can't be kept in {file}: {error.strerror}. Set SECRET_KEY, or DATA_DIR to "
            "a folder that this user may write."
        ) from error
    except UnicodeDecodeError:
        text = ""
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(f"Others may read {file}. Type: chmod 600 {file}")
    if len(text) < 32 or not text.isprintable():
        raise ConfigurationError(
            f"{file} holds no secret of 32 characters or more. Put the right one back, or delete "
            "the file for a new one: everybody then signs in again."
        )
    return Secret(text)


def _make_secret(file: Path, world: World) -> None:
    draft = file.with_name(f".secret_key.{world.random_bytes(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(world.random_bytes(32).hex() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link appears whole and only where no other process was first: nobody reads half a
        # secret, and all read the same one.
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()
