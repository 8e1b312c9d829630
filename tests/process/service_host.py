"""A server without HTTP, for tests that kill it: `python service_host.py HOME LEASE_S`; it works until it is killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tightship.service import ServiceConfig, open_service
from tightship.store.config import StoreConfig


def main() -> None:
    """Work through the line."""
    home, lease_s = Path(sys.argv[1]), float(sys.argv[2])
    with open_service(ServiceConfig(home, store=StoreConfig(lease_s=lease_s, backoff_base_s=0))):
        print("at work", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
