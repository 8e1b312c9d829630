"""What can be done, described so that a page can build its form from it."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from pydantic import TypeAdapter

from tightship.errors import ExtraMissing
from tightship.operations.operation import Operation
from tightship.operations.registry import OPERATIONS
from tightship.operations.validation import require


def catalogue_routes() -> APIRouter:
    """Return the route that lists the operations."""
    router = APIRouter()

    @router.get("/v1/operations")
    async def operations() -> dict[str, Any]:
        """List what can be done, with the JSON schema of the options; `missing` tells what to install for it first."""
        return {"operations": _described()}

    return router


@cache
def _described() -> list[dict[str, Any]]:
    return [
        {
            "name": operation.name,
            "summary": operation.summary,
            "options": TypeAdapter(operation.options).json_schema(),
            "missing": _missing(operation),
        }
        for operation in OPERATIONS.values()
    ]


def _missing(operation: Operation) -> str | None:
    try:
        require(operation)
    except ExtraMissing as missing:
        return missing.public_message
    return None
