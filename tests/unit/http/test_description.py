"""What the API says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest

from tightship.http.app import create_app
from tightship.http.config import HttpConfig


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description; no service is needed for it."""
    return create_app(None, HttpConfig()).openapi()  # type: ignore[arg-type]


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what can be asked, by method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_every_answer_has_a_shape(described: dict[str, Any]) -> None:
    """A program that is made from the description knows what it gets."""
    for name, operation in operations(described).items():
        for status, response in operation["responses"].items():
            if status in ("204", "default") or name == "delete /v1/jobs/{job_id}":
                continue
            assert response["content"], (name, status)
            assert all(each["schema"] for each in response["content"].values()), (name, status)
    submitted = operations(described)["post /v1/jobs"]["responses"]["202"]["content"]["application/json"]["schema"]
    assert submitted == {"$ref": "#/components/schemas/Job"}
    assert {"id", "status", "progress", "receipt", "error"} <= set(
        described["components"]["schemas"]["Job"]["properties"]
    )


def test_every_fault_is_a_problem(described: dict[str, Any]) -> None:
    """It is told as one, with its code; OpenAI's API has its own form."""
    for name, operation in operations(described).items():
        faults = [each for status, each in operation["responses"].items() if status == "default" or status >= "400"]
        assert faults, name
        form = "application/json" if "/audio/" in name or "/models" in name else "application/problem+json"
        for fault in faults:
            assert list(fault["content"]) == [form], name
    refusals = operations(described)["post /v1/jobs"]["responses"]
    assert {"409", "413", "415", "422", "503", "507"} <= refusals.keys()
    assert "Retry-After" in refusals["503"]["headers"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_what_needs_a_key_says_so(described: dict[str, Any]) -> None:
    """All but the signs of life and the way to sign in."""
    without = {name for name, operation in operations(described).items() if not operation.get("security")}

    assert without == {"get /health/live", "get /health/ready", "post /v1/session", "delete /v1/session"}
    assert described["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}


def test_who_is_sent_elsewhere_is_told_why() -> None:
    """A server that stops is not ready, in the words of any other refusal, with the time after which to come again."""
    app = create_app(SimpleNamespace(config=SimpleNamespace(drain_s=7.0)), HttpConfig())  # type: ignore[arg-type]
    app.state.shared.draining.set()

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/health/ready")

    response = anyio.run(ask)
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert (response.json()["code"], response.headers["retry-after"]) == ("queue_full", "7")
