"""The page, and the files it is made of: the only pages here, and the only files of ours that are served."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tightship.http.header import PAGE_POLICY

FOLDER = Path(__file__).parent / "static"
#: A newer version's files must not meet an older one's page.
_HEADERS = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}


def serve_page(app: FastAPI) -> None:
    """Serve the page at `/` and its files below `/static`."""

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        if not (FOLDER / "index.html").is_file():
            raise HTTPException(404)
        return FileResponse(FOLDER / "index.html", headers=_HEADERS)

    app.mount("/static", _Files(directory=FOLDER, check_dir=False))


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response
