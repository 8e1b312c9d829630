"""What the API says of itself."""

from __future__ import annotations

from typing import Any

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
    jobs = {name: each for name, each in operations(described).items() if " /v1/jobs" in name}

    for name, operation in jobs.items():
        for status, response in operation["responses"].items():
            if status not in ("204", "default") and "content" in response:
                assert all(each["schema"] for each in response["content"].values()), (name, status)
    submitted = jobs["post /v1/jobs"]["responses"]["202"]["content"]["application/json"]["schema"]
    assert submitted == {"$ref": "#/components/schemas/Job"}
    assert {"id", "status", "progress", "receipt", "error"} <= set(
        described["components"]["schemas"]["Job"]["properties"]
    )


def test_every_fault_is_a_problem(described: dict[str, Any]) -> None:
    """It is told as one, with its code; OpenAI's API has its own form."""
    for name, operation in operations(described).items():
        faults = [each for status, each in operation["responses"].items() if status == "default" or status >= "400"]
        assert faults, name
        if "/audio/" in name or "/models" in name:
            continue
        for fault in faults:
            assert list(fault["content"]) == ["application/problem+json"], name
    refusals = operations(described)["post /v1/jobs"]["responses"]
    assert {"409", "413", "415", "422", "503", "507"} <= refusals.keys()
    assert "Retry-After" in refusals["503"]["headers"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_what_needs_a_key_says_so(described: dict[str, Any]) -> None:
    """All but the signs of life and the way to sign in."""
    without = {name for name, operation in operations(described).items() if not operation.get("security")}

    assert without == {"get /health/live", "get /health/ready", "post /v1/session", "delete /v1/session"}
    assert described["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
