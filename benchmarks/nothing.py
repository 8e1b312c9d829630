"""An operation that does nothing, so that what is measured around it is the engine alone; it runs in slots."""

from __future__ import annotations


def run(_attempt: object, _options: object) -> dict[str, object]:
    """Return an empty result."""
    return {}
