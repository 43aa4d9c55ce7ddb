"""The routes as our own OpenAPI document describes them, and values that their fields can't take.

A route that is added is tried without a line here; a field of a new format needs a good value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from watchword import Watchword

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
# In every value that is refused: none of it may come back in an answer, it may be a password.
MARK = "hunter2-do-not-repeat"

_METHODS = ("get", "put", "post", "delete", "patch")
_GOOD = {
    "username": "somebody",
    "email": "somebody@example.com",
    "password": "violet-otter-rows-home",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "full-name": "Some Body",
    None: "text",
}
# Raw JSON: Python would write some of these otherwise, or not at all.
_JSON_VALUES = {
    "null": "null",
    "boolean": "true",
    "integer": "1",
    "float": "1.5",
    "2^63": str(2**63),
    "-2^63-1": str(-(2**63) - 1),
    "10^400": "1" + "0" * 400,
    "1e400": "1e400",
    "5000 digits": "9" * 5000,
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "array": f'["{MARK}"]',
    "object": f'{{"x": "{MARK}"}}',
    "NUL": f'"\\u0000{MARK}"',
    "lone surrogate": f'"{MARK}\\ud800"',
    "too long": f'"{MARK * 1000}"',
}


# Refused by the reader of the body before any schema is asked, or by a rule of the field.
_NOT_IN_A_SCHEMA = {"NaN", "Infinity", "5000 digits", "NUL", "lone surrogate"}


@dataclass(frozen=True, slots=True)
class WrongBody:
    """A body, and what is wrong with it."""

    field: str
    what: str
    body: bytes
    breaks_the_schema: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    needs_token: bool
    content_type: str | None
    fields: dict[str, dict[str, Any]]
    required: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, **values: object) -> str:
        """The path, with a good value for what is not given."""
        filled = {p["name"]: _good(p["schema"]) for p in self.parameters if p["in"] == "path"}
        return self.path.format(**{**filled, **values})

    def good_body(self) -> dict[str, str]:
        """A body that is well formed, each value as raw JSON."""
        return {name: json.dumps(_good(schema)) for name, schema in self.fields.items()}

    def encoded(self, body: dict[str, str]) -> bytes:
        """A body of raw JSON values, as the route takes it."""
        if self.content_type == FORM:
            return urlencode({name: json.loads(value) for name, value in body.items()}).encode()
        return f"{{{', '.join(f'{json.dumps(n)}: {v}' for n, v in body.items())}}}".encode()

    def wrong_bodies(self) -> Iterator[WrongBody]:
        """Bodies with one field that is missing or can't be."""
        good = self.good_body()
        for name in sorted(self.required):
            rest = {other: value for other, value in good.items() if other != name}
            yield WrongBody(name, "missing", self.encoded(rest), breaks_the_schema=True)
        for name, schema in self.fields.items():
            for what, value in _JSON_VALUES.items():
                as_form = value.startswith('"') and what != "lone surrogate"
                if _may_be(schema, what) or (self.content_type == FORM and not as_form):
                    continue
                breaks = what not in _NOT_IN_A_SCHEMA
                body = self.encoded({**good, name: value})
                yield WrongBody(name, what, body, breaks_the_schema=breaks)


def operations(auth: Watchword, path: str) -> list[Operation]:
    """Every operation; ``path`` is where the Watchword is mounted."""
    document = auth.openapi()
    schemas = document["components"]["schemas"]
    found = []
    for template, item in document["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            operation = item[method]
            content = operation.get("requestBody", {}).get("content", {})
            body = _resolved(next(iter(content.values()))["schema"], schemas) if content else {}
            properties = body.get("properties", {})
            found.append(
                Operation(
                    method=method.upper(),
                    path=path + template,
                    parameters=tuple(operation.get("parameters", ())),
                    needs_token="security" in operation,
                    content_type=next(iter(content), None),
                    fields={
                        name: _resolved(schema, schemas) for name, schema in properties.items()
                    },
                    required=frozenset(body.get("required", ())),
                )
            )
    return found


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {**schemas[schema["$ref"].rpartition("/")[2]], **schema}
    if "anyOf" in schema:
        parts = [_resolved(part, schemas) for part in schema["anyOf"]]
        return {
            "nullable": any(part.get("type") == "null" for part in parts),
            **next(part for part in parts if part.get("type") != "null"),
        }
    return schema


def _good(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][-1]
    match schema["type"]:
        case "boolean":
            return True
        case "integer":
            return schema.get("minimum", 1)
        case _:
            return "" if "pattern" in schema else _GOOD[schema.get("format")]


def _may_be(schema: dict[str, Any], what: str) -> bool:
    """Whether the value is none that this field refuses."""
    match what:
        case "null":
            return bool(schema.get("nullable"))
        case "boolean":
            return bool(schema["type"] == "boolean")
        case "NUL":
            # A password is made of any characters, and hashed whole.
            return bool(schema.get("format") == "password")
        case _:
            return False
