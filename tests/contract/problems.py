"""What every refusal of ours looks like, whichever route gives it (contract, part 1)."""

from __future__ import annotations

from typing import Any

from httpx2 import Response


def assert_problem(response: Response, status: int, detail: str | None = None) -> dict[str, Any]:
    """The answer is an RFC 9457 problem document with all the headers it needs; gives it."""
    said = f"{response.request.method} {response.request.url}: {response.text}"
    assert response.status_code == status, said
    assert response.headers["content-type"] == "application/problem+json", said
    problem: dict[str, Any] = response.json()
    assert set(problem) >= {"type", "title", "status", "detail", "code", "request_id"}, said
    assert problem["type"] == f"urn:watchword:{problem['code']}"
    assert problem["status"] == status
    assert isinstance(problem["title"], str)
    assert problem["title"]
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert 0 <= float(response.headers["x-process-time"]) < 60
    assert response.headers["cache-control"] == "no-store"
    assert ("errors" in problem) == (status == 422), said
    for wrong in problem.get("errors", ()):
        assert set(wrong) == {"where", "what"}
        assert all(isinstance(text, str) and text for text in wrong.values()), said
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")
    if status in (429, 503):
        assert int(response.headers["retry-after"]) >= 1
    if detail is not None:
        assert problem["detail"] == detail
    return problem
