"""The shapes of what is answered, for the API's description; `document` makes the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tightship.core.receipt import Receipt
from tightship.http.gate import OPEN_PATHS
from tightship.http.openai.envelope import speaks_openai
from tightship.http.problem import MEDIA_TYPE
from tightship.store.states import Status

_Time = Annotated[datetime, PlainSerializer(lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))]
_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
#: The form that the clients of OpenAI's API know.
_ENVELOPED = {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Envelope")}}}
_RETRY_AFTER = {"description": "Seconds after which to come again.", "schema": {"type": "integer"}}


class Progress(BaseModel):
    """How far a job has come; what is not known is null."""

    fraction: float | None = Field(ge=0, le=1)
    done: float | None
    total: float | None
    unit: str = Field(description="What `done` and `total` count.")
    eta_s: float | None = Field(description="Seconds that the rest may take.")


class Fault(BaseModel):
    """Why a job did not succeed."""

    code: str = Field(description="Stable: see the list of errors in the documentation.")
    message: str
    details: dict[str, Any]


class Shortfall(BaseModel):
    """Where a result is less than what was asked for."""

    code: str
    message: str


class Job(BaseModel):
    """A job as it stands."""

    id: str
    operation: str
    options: dict[str, Any]
    status: Status
    attempts: int
    max_attempts: int
    cancel_requested: bool
    progress: Progress | None
    result: dict[str, Any] | None = Field(description="What came of it, beside its file.")
    result_url: str | None = Field(description="Where its file is, as long as it is kept.")
    receipt: Receipt | None = Field(description="What it has cost, and what was left behind.")
    receipt_text: str | None = Field(description="The same in words.")
    warnings: list[Shortfall]
    error: Fault | None
    source_name: str | None
    source_bytes: int | None
    created_at: _Time
    started_at: _Time | None
    finished_at: _Time | None


class JobPage(BaseModel):
    """Jobs, the newest first."""

    jobs: list[Job]
    next: str | None = Field(description="What `after` names for the next page; null on the last.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457); some have further members, such as the limit that was passed."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable: see the list of errors in the documentation.")


class EnvelopedFault(BaseModel):
    """Why a request was refused, to OpenAI's clients."""

    message: str
    type: str
    param: str | None = Field(description="The field of the request that is wrong, where it is one.")
    code: str = Field(description="Stable: see the list of errors in the documentation.")


class Envelope(BaseModel):
    """What OpenAI's clients find an error in."""

    error: EnvelopedFault


def answers(model: type[BaseModel], status: int = 200, refusals: Mapping[int, str] | None = None) -> dict[str, Any]:
    """Return what a route says of its answers: the shape, and by status when it refuses."""
    told = {status: {"description": why} for status, why in (refusals or {}).items()}
    return {"response_model": None, "responses": {status: {"model": model}, **told}}


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what makes an application's description: every fault a problem document, and where a key is needed."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, routes=app.routes)
            for path, methods in found["paths"].items():
                for operation in methods.values():
                    if path not in OPEN_PATHS:
                        operation["security"] = [{"key": []}]
                    _tell_faults(path, operation["responses"])
            parts = found["components"]
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            faults: list[tuple[type[BaseModel], JsonSchemaMode]] = [
                (Problem, "serialization"),
                (Envelope, "serialization"),
            ]
            parts["schemas"] |= models_json_schema(faults, ref_template=_REFERENCE)[1]["$defs"]
            for unused in ("HTTPValidationError", "ValidationError"):  # the framework's own, which nobody gets here
                del parts["schemas"][unused]
            app.openapi_schema = found
        return app.openapi_schema

    return describe


def _tell_faults(path: str, responses: dict[str, Any]) -> None:
    responses["default"] = {"description": "Refused; `code` says why."}
    form = _ENVELOPED if speaks_openai(path) else _PROBLEM
    for status, response in responses.items():
        if status == "default" or status >= "400":
            response["content"] = form
        if response["description"] == "Validation Error":  # the framework's words
            response["description"] = "A parameter is not right."
        if status == "503":
            response["headers"] = {"Retry-After": _RETRY_AFTER}
