"""Whatever is sent: a 4xx that says what is wrong, never a 5xx, and nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from httpx2 import Response

from tests.described import FORM, JSON, Operation, operations
from tests.refusals import everything, refused
from watchword.testing import Running, SignedIn

pytestmark = pytest.mark.watchword(
    limit_login="off",
    limit_register="off",
    limit_password_reset="off",
    limit_verification="off",
    limit_refresh="off",
    limit_token="off",
)

MEGABYTES = b"[" + b" " * 10_000_000 + b"]"


@pytest.fixture
def admin(watchword: Running) -> SignedIn:
    """Everything is tried as an administrator, whom no missing right hides a route from, and on
    an account that is there: what is refused is the input.
    """
    target = watchword.login_as()
    assert target.id == 1, "described.py's good integer names no account"
    return watchword.login_as("admin")


@pytest.fixture
def all_operations(watchword: Running) -> list[Operation]:
    return operations(watchword.auth, watchword.path)


@pytest.fixture
def with_body(all_operations: list[Operation]) -> list[Operation]:
    return [operation for operation in all_operations if operation.content_type]


@pytest.fixture
def unchanged(watchword: Running, admin: SignedIn) -> Iterator[Callable[[str], None]]:
    """Call it to make sure that nothing has changed; it is called at the end in any case."""
    before = everything(watchword)

    def compare(what: str) -> None:
        now = everything(watchword)
        changed = {name for name in before if before[name] != now[name]}
        assert not changed, f"{what} changed {changed}"

    yield compare
    compare("the test")


def send(
    admin: SignedIn, operation: Operation, body: bytes, content_type: str | None = None
) -> Response:
    kind = content_type or operation.content_type or JSON
    headers = {"Content-Type": kind.encode("latin-1")}
    return admin.request(operation.method, operation.url(), content=body, headers=headers)


def test_a_field_that_is_missing_or_of_another_kind_changes_nothing(
    admin: SignedIn, with_body: list[Operation], unchanged: Callable[[str], None]
) -> None:
    tried = 0
    for operation in with_body:
        for wrong in operation.wrong_bodies():
            problem = refused(send(admin, operation, wrong.body))
            told = f"{operation.name}, {wrong.field} is {wrong.what}: {problem}"
            if wrong.breaks_the_schema:
                assert problem["status"] == 422, told
                assert wrong.field in {error["where"] for error in problem["errors"]}, told
            tried += 1
        unchanged(operation.name)
    assert tried > 300


BODIES: dict[str, tuple[bytes, set[int]]] = {
    "empty": (b"", {415, 422}),
    "null": (b"null", {422}),
    "array": (b"[]", {422}),
    "string": (b'"text"', {422}),
    "infinite": (b"1e400", {422}),
    "NaN": (b"NaN", {400, 422}),
    "5000 digits": (b"9" * 5000, {400}),
    "cut off": (b'{"username": ', {422}),
    "single quotes": (b"{'username': 'x'}", {422}),
    "100,000 deep": (b"[" * 100_000, {400}),
    "100,000 deep and back": (b"[" * 100_000 + b"]" * 100_000, {400}),
    "40,000 objects deep": (b'{"x":' * 40_000 + b"1" + b"}" * 40_000, {400}),
    "invalid UTF-8": (b'{"username": "\xff\xfe"}', {400}),
    "a surrogate in UTF-8": (b'{"username": "\xed\xa0\x80"}', {400}),
    "NULs": (b"\x00" * 100, {400, 422}),
}


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_body_that_is_no_json_object_is_refused_by_every_route(
    admin: SignedIn, with_body: list[Operation], unchanged: Callable[[str], None]
) -> None:
    for what, (body, statuses) in BODIES.items():
        for operation in with_body:
            if operation.content_type == JSON:
                refused(send(admin, operation, body), *statuses)
        unchanged(what)


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_body_that_two_readers_read_in_two_ways_is_refused(
    admin: SignedIn, with_body: list[Operation], unchanged: Callable[[str], None]
) -> None:
    """Sent twice, or in another encoding, a field is one thing to a filter in front of us and
    another to us (RFC 8259, sections 4 and 8.1).
    """
    for operation in with_body:
        good = operation.good_body()
        if operation.content_type == JSON:
            text = operation.encoded(good).decode()
            name, value = next(iter(good.items()))
            twice = f'{text[:-1]}, "{name}": {value}}}'.encode()
            refused(send(admin, operation, twice), 400)
            refused(send(admin, operation, text.encode("utf-16")), 400)
            refused(send(admin, operation, text.encode("utf-32-be")), 400, 422)
        else:
            name = next(iter(good))
            twice = operation.encoded(good) + f"&{name}=another".encode()
            refused(send(admin, operation, twice), 400, 401, 422)


@pytest.mark.shapes("alone-sqlite")
def test_a_byte_order_mark_is_no_reason_to_refuse(watchword: Running) -> None:
    name = watchword.create()
    body = json.dumps({"username": name, "password": "violet-otter-rows-home"})
    answer = watchword.client.post(
        f"{watchword.prefix}/auth/login",
        content=b"\xef\xbb\xbf" + body.encode(),
        headers={"Content-Type": JSON},
    )
    assert answer.status_code == 200


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_ten_megabytes_are_refused_announced_or_not(
    admin: SignedIn, all_operations: list[Operation], unchanged: Callable[[str], None]
) -> None:
    def in_pieces() -> Iterator[bytes]:
        for start in range(0, len(MEGABYTES), 1 << 16):
            yield MEGABYTES[start : start + (1 << 16)]

    for operation in all_operations:
        path = operation.url()
        headers = {"Content-Type": operation.content_type or JSON}
        answer = admin.request(operation.method, path, content=MEGABYTES, headers=headers)
        refused(answer, 413)
        if operation.content_type:
            # A route without a body never reads one, however much is sent.
            answer = admin.request(operation.method, path, content=in_pieces(), headers=headers)
            assert "content-length" not in answer.request.headers
            refused(answer, 413)


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_another_content_type_is_refused_and_told_which_would_do(
    admin: SignedIn, with_body: list[Operation], unchanged: Callable[[str], None]
) -> None:
    others = ("text/plain", "application/xml", "image/png", "nonsense", "application/jsonp", "é")
    for operation in with_body:
        body = operation.encoded(operation.good_body())
        wrong = (JSON if operation.content_type == FORM else FORM, *others)
        for content_type in wrong:
            problem = refused(send(admin, operation, body, content_type), 415)
            assert operation.content_type in problem["detail"]
        path = operation.url()
        problem = refused(admin.request(operation.method, path, content=body), 415)
        assert operation.content_type in problem["detail"]


def test_numbers_in_a_query_that_are_none_are_refused(
    watchword: Running, admin: SignedIn, all_operations: list[Operation], unchanged: object
) -> None:
    wrong = ("", "-1", "abc", "1.5", "1e3", "NaN", "0x10", "null", "\x00", "\ud800")
    huge = (str(2**63), str(-(2**63)), str(2**64), "1" + "0" * 400, "9" * 5000)
    tried = 0
    for operation in all_operations:
        for parameter in operation.parameters:
            if parameter["in"] != "query" or parameter["schema"].get("type") != "integer":
                continue
            for value in (*wrong, *huge):
                query = value.encode("utf-8", "surrogatepass")
                answer = admin.get(operation.url(), params={parameter["name"]: query})
                problem = refused(answer, 422)
                assert problem["errors"][0]["where"] == f"query.{parameter['name']}"
                tried += 1
            # Repeated, the last counts; what matters is that nothing breaks.
            answer = admin.get(f"{operation.url()}?{parameter['name']}=1&{parameter['name']}=x")
            refused(answer, 422)
    assert tried > 20
    refused(admin.get(f"{watchword.prefix}/users", params={"role": "emperor"}), 422)
    refused(admin.get(f"{watchword.prefix}/users", params={"role": "x" * 60_000}), 422)


@pytest.mark.shapes("alone-sqlite", "alone-postgres")
def test_an_id_in_a_path_that_can_be_nobodys_is_refused(
    admin: SignedIn, all_operations: list[Operation], unchanged: Callable[[str], None]
) -> None:
    wrong = ("0", "-1", str(2**63), str(2**64), "1" * 5000, "abc", "1.5", "%00", "%ff", "%ed%a0%80")
    nowhere = ("..%2f", "..%2fme", "1%2f..", "1/", "1/2", "%20")
    tried = 0
    for operation in all_operations:
        for parameter in operation.parameters:
            if parameter["in"] != "path":
                continue
            body = operation.encoded(operation.good_body()) if operation.content_type else b""
            for value in (*wrong, *nowhere):
                path = operation.url(**{parameter["name"]: value})
                headers = {"Content-Type": operation.content_type or JSON}
                answer = admin.request(operation.method, path, content=body, headers=headers)
                refused(answer, 422, 404, 405)
                tried += 1
    assert tried > 50


def test_a_method_that_a_path_has_not_is_told_which_it_has(
    watchword: Running,
    admin: SignedIn,
    all_operations: list[Operation],
    unchanged: Callable[[str], None],
) -> None:
    by_path: dict[str, set[str]] = {}
    for operation in all_operations:
        by_path.setdefault(operation.url(), set()).add(operation.method)
    for path, methods in by_path.items():
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "POST", "GET", "ODD"):
            if method in methods:
                continue
            if path.endswith("/users/me") and method in {"PATCH", "DELETE"}:
                continue  # which is /users/{id}, and no id
            answer = watchword.client.request(method, path, headers=admin.headers)
            if method == "HEAD":
                assert answer.status_code == 405
                assert answer.content == b""
            else:
                refused(answer, 405)
            assert set(answer.headers["allow"].split(", ")) == methods, f"{method} {path}"


@pytest.mark.shapes("alone-sqlite")
def test_a_trailing_slash_is_another_path_and_no_redirect(
    admin: SignedIn, all_operations: list[Operation], unchanged: Callable[[str], None]
) -> None:
    """A redirect would be built from whatever Host was sent."""
    for operation in all_operations:
        path = operation.url() + "/"
        answer = admin.request(operation.method, path, headers={"Host": "evil.example"})
        refused(answer, 404, 405)
        assert "location" not in answer.headers
        assert "evil.example" not in answer.text


AUTHORIZATIONS: dict[str, list[bytes]] = {
    "none": [],
    "empty": [b""],
    "a scheme alone": [b"Bearer"],
    "a scheme and a space": [b"Bearer "],
    "Basic": [b"Basic YWRtaW46aHVudGVyMg=="],
    "no scheme": [b"eyJhbGciOiJub25lIn0.e30."],
    "alg none": [b"Bearer eyJhbGciOiJub25lIn0.e30."],
    "not ASCII": ["Bearer é☃".encode()],
    "not UTF-8": [b"Bearer \xff\xfe"],
    "dots": [b"Bearer ..."],
    "JSON": [b'Bearer {"sub": "1"}'],
    "deep JSON": [b"Bearer " + b"W1tb" * 500 + b".e30.e30"],
    "100 kB": [b"Bearer " + b"a" * 100_000],
    "two, none of them good": [b"Bearer a.b.c", b"Basic eA=="],
}


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_an_authorization_that_is_no_token_is_401_everywhere(
    watchword: Running,
    admin: SignedIn,
    all_operations: list[Operation],
    unchanged: Callable[[str], None],
) -> None:
    for operation in all_operations:
        if not operation.needs_token:
            continue
        body = operation.encoded(operation.good_body()) if operation.content_type else None
        content_type = (b"Content-Type", (operation.content_type or JSON).encode())
        for values in AUTHORIZATIONS.values():
            headers = [content_type, *((b"Authorization", value) for value in values)]
            answer = watchword.client.request(
                operation.method, operation.url(), headers=headers, content=body
            )
            refused(answer, 401)


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_odd_headers_break_nothing(watchword: Running, unchanged: Callable[[str], None]) -> None:
    odd: list[tuple[bytes, bytes]] = [
        (b"Content-Length", b"9" * 5000),
        (b"Content-Length", b"-1"),
        (b"Content-Length", b"\xb2"),
        (b"X-Request-ID", b"\xff\x00 \xe9"),
        (b"X-Request-ID", b"x" * 100_000),
        (b"X-Forwarded-For", b"\xff, , ,,::1%eth0"),
        (b"User-Agent", b"\x1b[31m\xff" * 1000),
        (b"Accept", b"\xff"),
        (b"Cookie", b"a=\xff; ;;=;=="),
        (b"Origin", b"\xff"),
        (b"Host", b"\xff\xfe"),
    ]
    path = f"{watchword.prefix}/auth/me"
    for header in odd:
        answer = watchword.client.request("GET", path, headers=[header])
        refused(answer, 401, 413)
