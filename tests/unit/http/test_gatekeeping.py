"""Keys, sessions and origins, decided without a network."""

from __future__ import annotations

import pytest

from tightship.errors import InvalidOptions
from tightship.http import origin
from tightship.http.config import HttpConfig, is_loopback
from tightship.http.key import KeyRing

KEY, OTHER = "first-key-of-this-server", "second-key-of-this-server"


def test_any_key_of_the_ring_is_admitted() -> None:
    """Each key is as good as another, and nothing else is."""
    ring = KeyRing((KEY, OTHER))
    assert ring.admits(KEY)
    assert ring.admits(OTHER)
    assert not ring.admits("")
    assert not ring.admits(KEY[:-1])
    assert not ring.admits("schlüssel-mit-umlaut")


def test_a_session_ends_with_its_time_and_with_its_key() -> None:
    """It outlives the ring's object, but neither its expiry nor the key's withdrawal."""
    token = KeyRing((KEY,)).open_session(KEY, expires_s=1000.0)
    assert KeyRing((OTHER, KEY)).knows_session(token, now_s=999.0)
    assert not KeyRing((KEY,)).knows_session(token, now_s=1000.0)
    assert not KeyRing((OTHER,)).knows_session(token, now_s=999.0)


@pytest.mark.parametrize("token", ["", ".", "9999", "9999.", "9999.ab", "²." + "a" * 64, "-1.x", "9" * 400 + ".a"])
def test_a_made_up_session_is_unknown(token: str) -> None:
    """Whatever stands in the cookie, it is refused quietly."""
    assert not KeyRing((KEY,)).knows_session(token, now_s=0.0)


def test_a_ring_does_not_show_its_keys() -> None:
    """It may end in a log."""
    assert repr(KeyRing((KEY,))) == "KeyRing(1 keys)"
    with pytest.raises(InvalidOptions) as refused:
        HttpConfig(api_keys=("short",))
    assert "short" not in refused.value.public_message


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8080", True),
        ("10.0.0.7", True),
        ("media.example", True),
        ("evil.example", False),
        ("media.example.evil.example", False),
        ("", False),
        ("[::1", False),
        ("evil.example@127.0.0.1x", False),
    ],
)
def test_only_our_own_names_are_served(host: str, allowed: bool) -> None:
    """Addresses cannot be rebound; names must be known."""
    config = HttpConfig(allowed_hosts=("media.example",))
    assert (origin.refusal(config, "GET", {"host": host}) is None) == allowed


@pytest.mark.parametrize(
    ("method", "headers", "served"),
    [
        ("POST", {}, True),
        ("POST", {"origin": "http://localhost:8080"}, True),
        ("POST", {"origin": "https://LOCALHOST:8080"}, True),
        ("POST", {"origin": "http://localhost:9"}, False),
        ("DELETE", {"origin": "null"}, False),
        ("POST", {"sec-fetch-site": "same-site"}, False),
        ("POST", {"sec-fetch-site": "same-origin"}, True),
        ("GET", {"origin": "http://evil.example"}, True),
    ],
)
def test_other_sites_change_nothing(method: str, headers: dict[str, str], served: bool) -> None:
    """What changes something must come from our own page, or from no page."""
    refusal = origin.refusal(HttpConfig(), method, {"host": "localhost:8080", **headers})
    assert (refusal is None) == served


@pytest.mark.parametrize(
    ("scheme", "origin_header", "over_tls"),
    [
        ("http", None, False),
        ("https", None, True),
        ("http", "https://media.example", True),
        ("http", "http://media.example", False),
        ("http", "null", False),
    ],
)
def test_whether_the_page_is_seen_over_tls(scheme: str, origin_header: str | None, over_tls: bool) -> None:
    """The browser's own word counts too: a proxy in another container is not believed."""
    headers = {} if origin_header is None else {"origin": origin_header}
    assert origin.is_https(scheme, headers) == over_tls


@pytest.mark.parametrize(("host", "inside"), [("127.0.0.9", True), ("::1", True), ("0.0.0.0", False), ("x", False)])
def test_what_only_this_machine_reaches(host: str, inside: bool) -> None:
    """Loopback addresses and `localhost`, nothing else."""
    assert is_loopback(host) == inside
