"""A real server in a process of its own: settings on the command line, its address on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tightship.core.allocator import keep_one_heap
from tightship.http import HttpConfig, serve
from tightship.service import ServiceConfig
from tightship.store.config import StoreConfig


def _ready(address: str) -> None:
    print(address, flush=True)


def main() -> int:
    """Serve until told to stop."""
    home, http, store = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    http["api_keys"] = tuple(http.get("api_keys", ()))
    keep_one_heap()
    config = ServiceConfig(home=home, store=StoreConfig(**store), drain_s=2.0)
    return serve(config, HttpConfig(port=0, **http), on_ready=_ready)


if __name__ == "__main__":
    sys.exit(main())
