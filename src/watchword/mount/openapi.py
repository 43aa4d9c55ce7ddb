"""Our part of an OpenAPI document: what each route refuses, and how to merge it into a host's."""

from __future__ import annotations

import copy
import json
from typing import Any

from watchword.accounts.guards import SCHEME
from watchword.edge.wire import PROBLEM_JSON

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_EVERYWHERE = {"503": "The service or its database can't answer now"}
_WITH_BODY = {
    "400": "The request can't be read",
    "413": "The body is too large",
    "415": "The body is of another type",
    "422": "A value won't do: `errors` says where and what",
}
_METHODS = ("get", "put", "post", "delete", "patch")


def describe_problems(schema: dict[str, Any], token_url: str) -> dict[str, Any]:
    """Our schema with every refusal as a problem document, and the Authorize button put right."""
    for path in schema.get("paths", {}).values():
        for method in _METHODS:
            if method in path:
                _describe(path[method])
    components = schema.setdefault("components", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    scheme = components.setdefault("securitySchemes", {}).setdefault(SCHEME, {"type": "oauth2"})
    scheme["flows"] = {"password": {"scopes": {}, "tokenUrl": token_url}}
    return schema


def _describe(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    documented = dict(_EVERYWHERE)
    if "requestBody" in operation:
        documented |= _WITH_BODY
    if "422" in responses:
        documented["422"] = _WITH_BODY["422"]
    for status, description in documented.items():
        known = responses.get(status, {}).get("description", "")
        if status == "422" and known in {"", "Validation Error"}:
            responses[status] = {"description": description}
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status.isdigit() and int(status) >= 400:
            response["content"] = {PROBLEM_JSON: {"schema": _PROBLEM}}
    operation["responses"] = dict(sorted(responses.items()))


def merge(host: dict[str, Any], ours: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Put our paths and schemas into a host's document, in place, beside its own.

    A schema of ours whose name the host uses for another one is renamed ``Watchword…``. Merging
    twice is merging once.
    """
    ours = copy.deepcopy(ours)
    theirs = host.setdefault("components", {}).setdefault("schemas", {})
    mine = ours.get("components", {}).get("schemas", {})
    renamed = {
        name: f"Watchword{name}" for name in mine if name in theirs and theirs[name] != mine[name]
    }
    text = json.dumps(ours)
    for name, new in renamed.items():
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{new}"')
    ours = json.loads(text)
    for name, schema in ours.get("components", {}).get("schemas", {}).items():
        theirs[renamed.get(name, name)] = schema
    schemes = host["components"].setdefault("securitySchemes", {})
    schemes.update(ours.get("components", {}).get("securitySchemes", {}))
    paths = host.setdefault("paths", {})
    for path, item in ours.get("paths", {}).items():
        paths.setdefault(prefix + path, item)
    return host
