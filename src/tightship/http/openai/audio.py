"""`POST /v1/audio/transcriptions` and `POST /v1/audio/translations`: a file in, its text out, on the same line."""

from __future__ import annotations

from typing import Any, Literal, get_args

from fastapi import APIRouter, Request, Response

from tightship.http.openai.answer import MEDIA_TYPES, WholeAnswer
from tightship.http.openai.field import AudioWording
from tightship.http.openai.stream import StreamedAnswer
from tightship.http.state import AppState
from tightship.http.submission import receive
from tightship.operations.transcript import Format

_TEXT: dict[str, Any] = {"type": "string"}
_FIELDS: dict[str, Any] = {
    "file": {"type": "string", "format": "binary", "description": "Sound or video."},
    "model": {"type": "string", "description": "One of /v1/models; whisper-1 is the default one."},
    "language": {"type": "string", "description": "Code or English name of the language spoken."},
    "languages[]": {"type": "array", "items": _TEXT},
    "prompt": _TEXT,
    "keywords[]": {"type": "array", "items": _TEXT},
    "response_format": {"type": "string", "enum": list(get_args(Format)), "default": "json"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["word", "segment"]}},
    "stream": {"type": "boolean", "default": False},
    "hotwords": _TEXT,
    "vad_filter": {"type": "boolean", "default": True},
}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": _FIELDS}}},
    }
}
#: What is asked for by `response_format`, and by `stream`.
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What is said.",
        "content": {
            kind: {"schema": _TEXT if kind.startswith("text/") else {"type": "object"}}
            for kind in (*dict.fromkeys(MEDIA_TYPES.values()), StreamedAnswer.media_type)
        },
    },
    404: {"description": "There is no such model here."},
    408: {"description": "It came too slowly."},
    413: {"description": "It is too large."},
    415: {"description": "It is no media, by its first bytes."},
    422: {"description": "A field is not right, or the file is damaged."},
    503: {"description": "As many wait as may wait, or the server is stopping."},
    504: {"description": "It took longer than a client is kept waiting."},
    507: {"description": "The disk is full."},
}


def audio_routes(state: AppState) -> APIRouter:
    """Return the routes that transcribe and translate."""
    router = APIRouter(prefix="/v1/audio")

    async def answer(request: Request, task: Literal["transcribe", "translate"]) -> Response:
        wording = AudioWording(task)
        job = await receive(state, request, wording)
        if wording.manner.stream:
            return StreamedAnswer(state, job)
        return WholeAnswer(state, job, wording.manner.form)

    @router.post("/transcriptions", openapi_extra=_FORM, response_class=Response, responses=_ANSWERS)
    async def transcribe(request: Request) -> Response:
        """Write down what is said in a file, and answer with it; OpenAI's clients work with it unchanged."""
        return await answer(request, "transcribe")

    @router.post("/translations", openapi_extra=_FORM, response_class=Response, responses=_ANSWERS)
    async def translate(request: Request) -> Response:
        """Write down in English what is said in a file, and answer with it."""
        return await answer(request, "translate")

    return router
