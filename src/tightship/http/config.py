"""Settings of the HTTP server, each with its unit, default and effect."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from tightship.errors import InvalidOptions

#: Fewest characters of an API key. 16 random ones of base64 are 96 bits, which nobody guesses over a network.
MIN_KEY_CHARS = 16
#: Most bytes of an upload that are kept in memory until it takes its place, whatever rate is asked of it.
MAX_HELD_BYTES = 256 * 2**10

_POSITIVE = (
    "max_upload_bytes",
    "max_connections",
    "header_s",
    "min_upload_bytes_per_s",
    "upload_window_s",
    "upload_s",
    "session_s",
    "watch_every_s",
    "sync_timeout_s",
)


@dataclass(frozen=True)
class HttpConfig:
    """Where the server listens, and what it takes from whom.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        api_keys: Keys of which one must be shown; none are needed where there are none.
        insecure: Listen on an address that others can reach although there are no keys.
        allowed_hosts: Names, beside addresses and the host's own, under which the server is called: behind a proxy.
        max_upload_bytes: Longest upload in bytes; the store's and the operations' own limits hold as well.
        max_connections: Most connections at a time; one more is answered 503.
        header_s: Seconds that a connection gets to send a request's line and headers, and a key to sign in with.
        min_upload_bytes_per_s: Bytes a second that an upload must bring on average over `upload_window_s`, or it is
            given up.
        upload_window_s: Seconds that an upload's rate is averaged over. It takes its place in the line when it has
            brought what the least rate brings in that time, or all of it.
        upload_s: Seconds after which an upload is given up however it goes.
        session_s: Seconds for which the page stays signed in.
        heartbeat_s: Seconds between signs of life to whoever watches a job.
        watch_every_s: Seconds between two looks at a job that is watched.
        sync_timeout_s: Seconds that a client of `/v1/audio/` waits for its transcription, or with `stream=true` for the
            next piece of it, before the work is given up (`sync_timeout`). OpenAI's own client waits for 600.
        drain_s: Seconds that requests under way get to end when the server stops.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    api_keys: tuple[str, ...] = ()
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    max_upload_bytes: int = 2**31
    max_connections: int = 256
    header_s: float = 10.0
    min_upload_bytes_per_s: int = 4 * 2**10
    upload_window_s: float = 10.0
    upload_s: float = 3600.0
    session_s: float = 12 * 3600.0
    heartbeat_s: float = 15.0
    watch_every_s: float = 0.2
    sync_timeout_s: float = 570.0
    drain_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidOptions(f"port must be from 0 to 65535, not {self.port}", option="port")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise InvalidOptions(f"{name} must be more than 0", option=name)
        # The message names no key: it may end in a log.
        if any(len(key) < MIN_KEY_CHARS or not key.isascii() for key in self.api_keys):
            raise InvalidOptions(f"an API key has at least {MIN_KEY_CHARS} ASCII characters", option="api_keys")
        if not (is_loopback(self.host) or self.api_keys or self.insecure):
            raise InvalidOptions(
                f"{self.host} can be reached by others: set API keys (TIGHTSHIP_API_KEYS), or say --insecure",
                option="host",
            )

    @property
    def seat_after_bytes(self) -> int:
        """Bytes of a file after which its upload takes its place in the line: who is too slow never gets there."""
        return min(int(self.min_upload_bytes_per_s * self.upload_window_s), MAX_HELD_BYTES)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name is believed to be reachable, unless it is `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
