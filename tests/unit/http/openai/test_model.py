"""The routes about models, without models."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tightship.http.openai import model
from tightship.http.openai.model import model_routes
from tightship.http.problem import tell_every_error
from tightship.http.state import AppState


class Answers:
    """The routes on a machine without models; what they were asked to unload is kept."""

    def __init__(self) -> None:
        self.unloaded: list[str] = []
        self._app = FastAPI()
        tell_every_error(self._app)
        self._app.include_router(model_routes(cast("AppState", self)))
        self.service = SimpleNamespace(unload_model=self.unloaded.append)

    async def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call in place."""
        return function(*args, **kwargs)

    def to(self, method: str, path: str) -> httpx.Response:
        """Ask."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path)

        return anyio.run(ask)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/"])
def test_models_are_listed(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Also for those who put a slash at the end: it names no model, above all not the default one."""
    monkeypatch.setattr(model, "_listed", lambda: ())
    assert Answers().to("GET", path).json() == {"object": "list", "data": []}


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models/%20"), ("POST", "/v1/models//unload")])
def test_no_name_is_no_model(method: str, path: str) -> None:
    """Nor is it the default one."""
    asked = Answers()
    response = asked.to(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_options")
    assert asked.unloaded == []


@pytest.mark.parametrize("name", ["..%2F..%2Fetc", "%2Fetc%2Fpasswd", "a%00b%2Fc", "..", "x" * 5000])
def test_a_name_reaches_no_folder(name: str) -> None:
    """Whatever is in it."""
    response = Answers().to("GET", f"/v1/models/{name}")
    assert response.status_code in {200, 404}
    assert response.json().get("error", {}).get("code") in {"model_not_found", None}
