"""The application, put together."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from tightship.http.catalogue import catalogue_routes
from tightship.http.config import HttpConfig
from tightship.http.gate import Gate
from tightship.http.header import SafeHeaders
from tightship.http.health import health_routes
from tightship.http.job import job_routes
from tightship.http.key import KeyRing
from tightship.http.linger import Linger
from tightship.http.measure import Counted, Meters
from tightship.http.metrics import metrics_routes
from tightship.http.openai.audio import audio_routes
from tightship.http.openai.model import model_routes
from tightship.http.page import serve_page
from tightship.http.problem import tell_every_error
from tightship.http.result import result_routes
from tightship.http.schema import described
from tightship.http.session import session_routes
from tightship.http.state import AppState
from tightship.http.submission import submission_routes
from tightship.http.watch import watch_routes
from tightship.service import Service


def create_app(service: Service, config: HttpConfig) -> FastAPI:
    """Return the application on an open service; `app.state.shared` is what its routes share."""
    state = AppState(service, config, KeyRing(config.api_keys), Meters())
    # The pages that FastAPI offers for its schema load scripts from elsewhere; the schema itself is served.
    app = FastAPI(
        title="tightship",
        version=version("tightship"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a form would be sent twice, and behind a proxy the second time without TLS
    )
    app.state.shared = state
    for router in (
        submission_routes(state),
        job_routes(state),
        watch_routes(state),
        result_routes(state),
        catalogue_routes(),
        session_routes(state),
        health_routes(state),
        metrics_routes(state),
        audio_routes(state),
        model_routes(state),
    ):
        app.include_router(router)
    serve_page(app)
    tell_every_error(app)
    app.openapi = described(app)  # type: ignore[method-assign]  # as FastAPI wants its description changed
    # The last one added is the first that a request meets.
    app.add_middleware(Gate, config=config, keys=state.keys)
    app.add_middleware(Linger)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Counted, meters=state.meters)
    return app
