"""Who may ask what: keys, sessions, other sites, names that are paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import Server, running
from tightship.errors import InvalidOptions
from tightship.http import HttpConfig

KEY = "0123456789abcdef-right"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key."""
    with running(tmp_path_factory.mktemp("home"), {"api_keys": [KEY]}) as started:
        yield started


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/v1/jobs/x", "/v1/operations", "/health/memory", "/metrics", "/openapi.json", "/nothing"]
)
def test_everything_needs_the_key(server: Server, path: str) -> None:
    """Without a key, or with a wrong one, nothing is told; with it, it is."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}):
        response = server.http.get(path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"
    assert server.http.get(path, headers=BEARER).status_code in (200, 404)


def test_signs_of_life_need_no_key(server: Server) -> None:
    """Whoever watches the process needs no secret."""
    assert server.http.get("/health/live").status_code == 200
    assert server.http.get("/health/ready").status_code == 200


def test_an_upload_without_a_key_is_not_read(server: Server, video: Path) -> None:
    """The refusal comes first, and nothing is left."""
    assert server.submit("info", video).status_code == 401
    assert server.files() == []


def test_the_page_signs_in_with_a_cookie(server: Server) -> None:
    """The cookie stands for the key; scripts cannot read it, and other sites cannot make the browser send it."""
    assert server.http.post("/v1/session", json={"key": "0123456789abcdef-wrong"}).status_code == 401
    signed_in = server.http.post("/v1/session", json={"key": KEY})
    cookie = signed_in.headers["set-cookie"]
    server.http.cookies.clear()
    assert signed_in.status_code == 204
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert KEY not in cookie
    token = cookie.partition(";")[0]
    assert server.http.get("/v1/jobs", headers={"Cookie": token}).status_code == 200
    assert server.http.get("/v1/jobs", headers={"Cookie": f"{token}0"}).status_code == 401


@pytest.mark.parametrize(
    ("told", "secure"),
    [
        ({"X-Forwarded-Proto": "https"}, True),
        ({"Host": "localhost:8443", "Origin": "https://localhost:8443"}, True),
        ({"X-Forwarded-Proto": "http"}, False),
        ({}, False),
    ],
)
def test_behind_a_proxy_with_tls_the_cookie_never_goes_without(
    server: Server, told: dict[str, str], secure: bool
) -> None:
    """The proxy on this machine says that it was asked over TLS, or the browser's own origin does."""
    signed_in = server.http.post("/v1/session", json={"key": KEY}, headers=told)
    signed_out = server.http.delete("/v1/session", headers=told)
    server.http.cookies.clear()

    assert [response.status_code for response in (signed_in, signed_out)] == [204, 204]
    for response in (signed_in, signed_out):
        assert ("; Secure" in response.headers["set-cookie"]) == secure


def test_the_page_signs_out(server: Server) -> None:
    """The browser is told to forget the cookie; another site cannot have it done."""
    signed_out = server.http.delete("/v1/session")
    assert signed_out.status_code == 204
    assert signed_out.headers["set-cookie"].startswith('tightship_session=""; ')
    assert "Max-Age=0" in signed_out.headers["set-cookie"]
    elsewhere = server.http.delete("/v1/session", headers={"Origin": "https://evil.example"})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "foreign_request")


def test_whoever_signs_in_is_not_read_for_long(server: Server) -> None:
    """What is read before anybody is known is bounded, whatever it is."""
    for body in (b'{"key": "' + b"x" * 10**6 + b'"}', b"[" * 1000, b"{}", b'"key"'):
        response = server.http.post("/v1/session", content=body)
        assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_another_name_is_refused(open_server: Server, host: str) -> None:
    """A name that somebody else has pointed here is not ours."""
    response = open_server.http.get("/v1/jobs", headers={"Host": host})
    assert (response.status_code, response.json()["code"]) == (403, "foreign_request")


def test_a_form_of_another_site_is_refused(open_server: Server, video: Path) -> None:
    """A page elsewhere cannot submit, by its origin or by what the browser says of it."""
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        response = open_server.submit("info", video, **headers)
        assert (response.status_code, response.json()["code"]) == (403, "foreign_request")
    assert open_server.http.get("/v1/jobs").json()["jobs"] == []
    own = open_server.submit("info", video, Origin=open_server.address)
    assert own.status_code == 202
    open_server.ended(own.json()["id"])


def test_a_name_is_never_a_path(open_server: Server, tmp_path: Path, video: Path) -> None:
    """What the sender calls the file is shown, and used nowhere."""
    with video.open("rb") as content:
        name = '../../../etc/pass"wd\r\nX-Bad: 1.mp4'
        sent = open_server.http.post(
            "/v1/jobs", data={"operation": "gif", "options": '{"width":16}'}, files={"file": (name, content)}
        )
    job = open_server.ended(sent.json()["id"])
    assert job["status"] == "succeeded"
    result = open_server.http.get(job["result_url"])
    assert "x-bad" not in result.headers
    assert "/" not in result.headers["content-disposition"]
    assert ".." not in result.headers["content-disposition"]
    assert all(path.parent.parent == open_server.home / "blobs" for path in open_server.files())


def test_no_page_of_others_embeds_ours(open_server: Server) -> None:
    """Every answer forbids guessing types, embedding, and scripts from elsewhere."""
    for path in ("/v1/jobs", "/nothing"):
        headers = open_server.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'self'" in open_server.http.get("/").headers["content-security-policy"]


def test_files_outside_the_page_are_not_served(open_server: Server) -> None:
    """The page's folder is all there is."""
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2ferrors.py", "/static//etc/passwd"):
        assert open_server.http.get(path).status_code in (404, 405)


def test_others_may_only_be_reached_with_keys() -> None:
    """Without keys, an address that others can reach is refused unless that is said to be wanted."""
    with pytest.raises(InvalidOptions, match=r"0\.0\.0\.0"):
        HttpConfig(host="0.0.0.0")
    assert HttpConfig(host="0.0.0.0", insecure=True).insecure
    assert HttpConfig(host="0.0.0.0", api_keys=(KEY,)).api_keys == (KEY,)
