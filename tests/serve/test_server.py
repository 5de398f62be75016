"""The server itself: its port, slow clients, broken requests, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from serving import Puppet, Running, head, puppets, received, running, until
from unimported import command_without_torch, without_torch

from recurra.errors import OptionError, RecurraError
from recurra.serve.limits import Address, Limits
from recurra.serve.server import base_of, listen

HASTY = Limits(max_body_seconds=0.4)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server that does not wait long."""
    with running(puppets("puppet", limits=HASTY)) as started:
        yield started


class TestListen:
    def test_a_port_that_is_in_use(self) -> None:
        with listen(Address(port=0)) as listening:
            port = listening.getsockname()[1]
            with pytest.raises(RecurraError, match=f"port {port} of 127.0.0.1 is in use; give another `port`, or 0"):
                listen(Address(port=port))

    def test_a_port_is_free_again_at_once(self) -> None:
        with listen(Address(port=0)) as listening:
            port = listening.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0]:
                pass
            client.close()
        listen(Address(port=port)).close()

    @pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
    def test_an_address_of_another_machine(self, host: str) -> None:
        with pytest.raises(RecurraError, match="cannot be listened on"):
            listen(Address(host=host, port=0))

    def test_what_is_no_address(self) -> None:
        with pytest.raises(OptionError, match="is no address"):
            listen(Address(host="a" * 300, port=0))

    def test_the_address_that_is_told_can_be_asked(self) -> None:
        for host, told in (("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:")):
            with listen(Address(host=host, port=0)) as listening:
                assert base_of(listening).startswith(told)


class TestSlowClients:
    @pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
    def test_a_header_that_does_not_come(self, server: Running, beginning: bytes) -> None:
        with server.connect() as connection:
            connection.sendall(beginning)
            assert _ended(connection)

    def test_a_second_header_that_does_not_come(self, server: Running) -> None:
        with server.connect() as connection:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in received(connection)
            connection.sendall(b"GET /v1")
            assert _ended(connection)

    def test_a_connection_that_is_only_kept_is_not_cut_off_so_soon(self, server: Running) -> None:
        with server.connect() as connection:
            for _ in range(2):
                connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b"200 OK" in received(connection)
                time.sleep(0.6)

    def test_an_answer_that_nobody_reads(self, server: Running) -> None:
        model: Puppet = server.service.models["puppet"].model
        body = json.dumps({"count": 10**9, "size": 10**6, "stream": True}).encode()
        with server.connect() as connection:
            connection.sendall(head("/steps", len(body)) + body)
            assert model.closed.wait(10)
        assert until(lambda: server.service.desk.count == 0)


def _ended(connection: socket.socket) -> bool:
    """Whether the server ends a connection without a word."""
    begin = time.monotonic()
    with suppress(ConnectionResetError):
        assert connection.recv(65536) == b""
    return time.monotonic() - begin < 15


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 1000,
    ],
)
def test_broken_requests_harm_nobody(server: Running, request_: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with server.connect() as connection:
        try:
            connection.sendall(request_)
            answer = connection.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert not answer or answer.split()[1][:1] in (b"2", b"4")  # long headers are read if they come at once
    assert server.client.get("/v1/models").status_code == 200
    assert capfd.readouterr().err == ""


class Command:
    """`recurra serve` in a process of its own."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recurra", "serve", *map(str, arguments), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def ended(self) -> tuple[int, str]:
        """Its status, and what it said."""
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


class TestTheCommand:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_it_serves_until_a_signal_comes_and_leaves_nothing(
        self, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        command = Command(trained_folder)
        client = httpx.Client(base_url=command.url, timeout=60, trust_env=False)
        asked = {"prompt": "The ", "max_tokens": 100_000, "seed": 1, "stream": True}
        with client, client.stream("POST", "/v1/completions", json=asked) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            begin = time.monotonic()
            os.kill(command.process.pid, number)
            status, said = command.ended()
        assert status == (-number if number == signal.SIGKILL else 0), said
        assert time.monotonic() - begin < 10
        assert said == f"serving tiny; Ctrl-C stops it, {command.url}/docs says how to ask\n"
        assert list(tmp_path.iterdir()) == []

    def test_models_that_need_no_pytorch_are_served_without_it(
        self,
        trained_folder: Path,
        trained_music: Path,
        trained_sentiment: Path,
        trained_translation: Path,
        trained_speech: Path,
        trained_captions: Path,
    ) -> None:
        light = [trained_folder, trained_music, trained_sentiment, trained_translation, trained_speech]
        code = f"""
from pathlib import Path
from recurra.serve.limits import Limits
from recurra.tasks.shared.serving import open_service
folders = [Path(name) for name in {list(map(str, light))!r}]
with open_service(folders, "cpu", Limits()) as service:
    print(list(service.models), sys.modules["torch"])
"""
        done = without_torch(code)
        assert done.stdout == "['tiny', 'band', 'mood', 'reverser', 'listener'] None\n", done.stderr
        done = command_without_torch("serve", trained_captions, "--port", 0)
        assert "serving a captions model needs torch, which is not installed here" in done.stderr
        assert done.returncode == 1

    def test_what_is_refused_before_anything_is_served(
        self, refused: Callable[..., str], trained_folder: Path, model_folder: Path, tmp_path: Path
    ) -> None:
        with listen(Address(port=0)) as listening:
            port = listening.getsockname()[1]
            assert "--port" in refused("serve", trained_folder, "--port", port)
        assert "there is no model to serve" in refused("serve", "--port", 0, status=2)
        other = tmp_path / "more" / "tiny"
        other.parent.mkdir()
        other.symlink_to(trained_folder)
        assert "two models are called 'tiny'" in refused("serve", trained_folder, other, "--port", 0, status=2)
        assert "there is no model folder" in refused("serve", tmp_path / "nothing", "--port", 0)
        (model_folder / "model.safetensors").write_bytes(b"damaged")
        assert "not the file that was saved" in refused("serve", model_folder, "--port", 0)
        assert "must be between" in refused("serve", trained_folder, "--max-requests", 0, status=2)

    def test_without_its_packages_it_says_what_to_install(
        self, refused: Callable[..., str], trained_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recurra.serve.PACKAGES", ("starlette", "no_such_package"))
        assert "needs no_such_package; install recurra[serve]" in refused("serve", trained_folder)
