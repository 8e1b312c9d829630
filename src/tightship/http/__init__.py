"""The HTTP API: the store and the slots, for programs and for the page.

What needs the server's packages is imported on first use: a client knows the faults and settings without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tightship.http.config import HttpConfig

if TYPE_CHECKING:
    from tightship.http.app import create_app
    from tightship.http.server import serve

__all__ = ["HttpConfig", "create_app", "serve"]

_WHERE = {"create_app": "tightship.http.app", "serve": "tightship.http.server"}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
