"""Whether the server lives, whether it takes work, and what it holds."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from tightship.errors import TightshipError
from tightship.http.problem import problem
from tightship.http.state import AppState


def health_routes(state: AppState) -> APIRouter:
    """Return the routes for whoever keeps an eye on the server."""
    router = APIRouter(prefix="/health")

    @router.head("/live", include_in_schema=False)
    @router.get("/live")
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "live"}

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready", response_model=dict[str, str], responses={503: {"description": "Send work elsewhere."}})
    async def ready() -> Response:
        """Whether work is taken: the server is not stopping, and its database answers."""
        try:
            state.refuse_when_draining()
            await state.call(state.service.store.load)
        except TightshipError as error:
            return problem(error, status=503)
        return JSONResponse({"status": "ready"})

    @router.get("/memory")
    async def memory() -> dict[str, Any]:
        """What is held, by whom, and how much may be."""
        return await state.call(state.service.memory)

    return router
