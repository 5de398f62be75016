"""Who may ask: hosts and origins; and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Running, error_of, puppets, running

from recurra.serve.guard import SECURITY_HEADERS, Guard, is_loopback, name_of
from recurra.serve.limits import Address


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server under two names."""
    with running(puppets("puppet"), Address(port=0, allowed_hosts=("models.example",))) as started:
        yield started


async def nothing(*_: object) -> None:
    """An application that is not asked."""


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "192.168.1.5", "127.0.0.1:1.evil"]
)
def test_a_page_that_makes_its_name_mean_this_machine_is_refused(server: Running, host: str) -> None:
    for path in ("/", "/v1/models", "/docs"):
        answer = server.client.get(path, headers={"Host": host})
        assert "not asked under the name" in error_of(answer, 403, "forbidden_host")
    assert server.client.post("/echo", headers={"Host": host}, json={"text": "a"}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9999", "127.0.0.1", "[::1]:80", "models.example"])
def test_its_own_names_are_known(server: Running, host: str) -> None:
    assert server.client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_no_host_and_two_hosts_are_refused(server: Running) -> None:
    for head in (b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"):
        with server.connect() as connection:
            connection.sendall(head)
            answer = connection.recv(65536)
            assert answer.split()[1] in (b"400", b"403")
            assert b"<html" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_may_not_post(server: Running, headers: dict[str, str]) -> None:
    for path, method in (("/echo", "POST"), ("/form", "POST"), ("/echo", "OPTIONS"), ("/", "DELETE")):
        answer = server.client.request(method, path, headers=headers, json={"text": "a"})
        error_of(answer, 403, "forbidden_origin")
        assert "access-control-allow-origin" not in answer.headers


def test_its_own_page_may(server: Running) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.client.post("/echo", headers=own, json={"text": "a"}).status_code == 200
    assert server.client.post("/echo", json={"text": "a"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nothing", "/assets/docs.css", "/echo"])
def test_every_answer_has_the_headers(server: Running, path: str) -> None:
    headers = server.client.get(path).headers
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == value
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not {name for name in headers if name.startswith("access-control")}
    assert "server" not in headers


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:80", "localhost"),
        ("[::1]:8000", "::1"),
        ("127.0.0.1:", "127.0.0.1"),
        ("a b", None),
        ("a/b", None),
        ("a@b", None),
        ("[::1", None),
        ("", None),
    ],
)
def test_the_name_of_a_host(host: str, name: str | None) -> None:
    assert name_of(host) == name


def test_where_all_can_ask_any_address_will_do_but_no_unknown_name() -> None:
    guard = Guard(nothing, "0.0.0.0", ["Models.Example"])
    assert all(map(guard.is_allowed, ["192.168.1.5:8000", "[fe80::1]", "localhost", "models.example"]))
    assert not any(map(guard.is_allowed, ["evil.example", "192.168.1.5.evil.example"]))
    assert Guard(nothing, "models.lan", []).is_allowed("models.lan:80")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.5.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_what_only_this_machine_hears(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
