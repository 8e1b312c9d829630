"""Media work for months, in a fixed amount of memory, with nothing leaked, hung or left behind."""

from __future__ import annotations

#: Known to type checkers; importing it from `typing` would cost the warden 13 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tightship.api import Result, convert_video_to_gif, extract_video_segment, get_video_info, open_runner
    from tightship.client import Client
    from tightship.config import Config
    from tightship.core.governor import Budget
    from tightship.core.ledger import Ledger
    from tightship.core.receipt import Receipt
    from tightship.core.scope import Scope
    from tightship.core.verdict import Verdict, verdict
    from tightship.errors import TightshipError
    from tightship.pool.config import PoolConfig
    from tightship.pool.pool import Pool
    from tightship.runner import Job, Runner

__version__ = "0.1.0"
__all__ = [
    "Budget",
    "Client",
    "Config",
    "Job",
    "Ledger",
    "Pool",
    "PoolConfig",
    "Receipt",
    "Result",
    "Runner",
    "Scope",
    "TightshipError",
    "Verdict",
    "convert_video_to_gif",
    "extract_video_segment",
    "get_video_info",
    "open_runner",
    "verdict",
]

#: Where each public name lives. Looked up on first use, so that the warden and the workers, which import this package
#: too, stay small.
_HOMES = {
    "tightship.api": ("Result", "convert_video_to_gif", "extract_video_segment", "get_video_info", "open_runner"),
    "tightship.client": ("Client",),
    "tightship.config": ("Config",),
    "tightship.core.governor": ("Budget",),
    "tightship.core.ledger": ("Ledger",),
    "tightship.core.receipt": ("Receipt",),
    "tightship.core.scope": ("Scope",),
    "tightship.core.verdict": ("Verdict", "verdict"),
    "tightship.errors": ("TightshipError",),
    "tightship.pool.config": ("PoolConfig",),
    "tightship.pool.pool": ("Pool",),
    "tightship.runner": ("Job", "Runner"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            try:
                return getattr(import_module(home), name)
            except ModuleNotFoundError as missing:
                from tightship.errors import EXTRAS, ExtraMissing

                if missing.name in EXTRAS:
                    raise ExtraMissing.of(missing.name) from None
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
