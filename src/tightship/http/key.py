"""API keys, and the sessions of a page that has shown one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

#: Name of the page's cookie.
COOKIE = "tightship_session"


class KeyRing:
    """The keys of which one must be shown."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def admits(self, key: str) -> bool:
        """Whether the key is one of ours; takes as long for a nearly right one as for any other."""
        shown = key.encode()
        # Each is compared, so that the time does not tell which one it was either.
        return sum(hmac.compare_digest(own, shown) for own in self._keys) > 0

    def open_session(self, key: str, expires_s: float) -> str:
        """Return the token of a session that lasts until then, for whoever showed the key.

        It is signed with the key itself: it outlives a restart of the server, and ends when the key is withdrawn.
        """
        return f"{int(expires_s)}.{_signature(key.encode(), str(int(expires_s)))}"

    def knows_session(self, token: str, now_s: float) -> bool:
        """Whether a token was signed with one of our keys and has not expired."""
        expires, _, signature = token.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 15 and signature.isascii()):
            return False
        signed = sum(hmac.compare_digest(_signature(key, expires), signature) for key in self._keys)
        return signed > 0 and now_s < int(expires)

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"


def _signature(key: bytes, expires: str) -> str:
    return hmac.new(key, f"tightship session {expires}".encode(), hashlib.sha256).hexdigest()
