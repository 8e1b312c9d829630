"""What can be done, described so that a page can build its form from it."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from pydantic import TypeAdapter

from tightship.operations.registry import OPERATIONS


def catalogue_routes() -> APIRouter:
    """Return the route that lists the operations."""
    router = APIRouter()

    @router.get("/v1/operations")
    async def operations() -> dict[str, Any]:
        """List what can be done, with the JSON schema of the options."""
        return {"operations": _described()}

    return router


@cache
def _described() -> list[dict[str, Any]]:
    return [
        {
            "name": operation.name,
            "summary": operation.summary,
            "options": TypeAdapter(operation.options).json_schema(),
        }
        for operation in OPERATIONS.values()
    ]
