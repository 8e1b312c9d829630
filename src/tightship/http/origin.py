"""Who calls, and by what name: decisions against rebinding and forged requests.

A page of another site may make a browser send requests here. It cannot hide its `Origin`, and when it points a name of
its own at this address (DNS rebinding), the `Host` is that name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from tightship.errors import TightshipError
from tightship.http.config import HttpConfig
from tightship.http.fault import ForeignRequest

#: Methods that change nothing; what they return is kept from other sites by the browser.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refusal(config: HttpConfig, method: str, headers: Mapping[str, str]) -> TightshipError | None:
    """Return why a request is not served, or None when it is."""
    host = headers.get("host", "")
    if not _is_ours(host, config):
        return ForeignRequest("the server is not called by that name; if it is, set TIGHTSHIP_HTTP_ALLOWED_HOSTS to it")
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return ForeignRequest("the request comes from a page of another site")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return ForeignRequest("the request comes from a page of another site")
    return None


def is_https(scheme: str, headers: Mapping[str, str]) -> bool:
    """Whether the browser sees the page over TLS, which a proxy may end: its `Origin` tells, whatever proxy there is.

    Args:
        scheme: By which the request came in, or by which a trusted proxy says that it did.
        headers: Of a request that was not refused.
    """
    return "https" in (scheme, urlsplit(headers.get("origin", "")).scheme)


def _is_ours(host: str, config: HttpConfig) -> bool:
    """Whether a `Host` is ours: an address is, as only a name can be rebound; a name must be known."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in {"localhost", config.host.lower(), *(known.lower() for known in config.allowed_hosts)}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
