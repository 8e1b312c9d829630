"""`/v1/models`: what is on this machine, and giving back the memory of what is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path

from tightship.errors import ModelNotFound, ModelUnusable
from tightship.http.state import AppState
from tightship.inference.inventory import inventory
from tightship.inference.resolver import Model, resolve

#: What OpenAI's clients call the default model.
ALIAS = "whisper-1"

#: A name may have a slash; none at all is not the default model's.
_Id = Annotated[str, Path(pattern=r"\S")]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "It is not on this machine."}}
_AT_WORK: dict[int | str, dict[str, Any]] = {409: {"description": "A job works with it."}}


def model_routes(state: AppState) -> APIRouter:
    """Return the routes about models."""
    router = APIRouter(prefix="/v1/models")

    @router.get("")
    @router.get("/", include_in_schema=False)
    async def list_models() -> dict[str, Any]:
        """List the models that are on this machine; `whisper-1` is the default one."""
        return {"object": "list", "data": [_document(model) for model in await state.call(_listed)]}

    @router.get("/{model_id:path}", responses=_UNKNOWN)
    async def show(model_id: _Id) -> dict[str, Any]:
        """Show a model that is on this machine."""
        found = await state.call(resolve, model_id, folders=False)
        return _document(replace(found, name=model_id))

    @router.post("/{model_id:path}/unload", responses=_UNKNOWN | _AT_WORK)
    async def unload(model_id: _Id) -> dict[str, Any]:
        """Close the idle workers that hold a model, which gives all of its memory back; `unloaded` tells how many."""
        closed = await state.call(state.service.unload_model, model_id)
        return {"id": model_id, "object": "model", "unloaded": closed}

    return router


def _listed() -> tuple[Model, ...]:
    try:
        default = resolve(ALIAS)
    except (ModelNotFound, ModelUnusable):  # the setting names one that is not here
        return inventory()
    return (replace(default, name=ALIAS), *inventory())


def _document(model: Model) -> dict[str, Any]:
    owner, slash, _ = model.name.partition("/")
    created_s = (model.folder / "model.bin").stat().st_mtime
    return {
        "id": model.name,
        "object": "model",
        "created": int(created_s),
        "owned_by": owner if slash else model.source,
    }
