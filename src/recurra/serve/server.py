"""The server: a socket, uvicorn on it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from recurra.errors import OptionError, RecurraError
from recurra.serve.app import make_app
from recurra.serve.limits import Address
from recurra.serve.service import Service

MAX_CONNECTIONS = 512
"""Connections at once; more are turned away."""

GRACE_SECONDS = 2
"""How long answers that are under way may take when the server is asked to stop."""

IDLE_SECONDS = 15
"""How long a connection on which nothing is asked is kept."""


def listen(address: Address) -> socket.socket:
    """A socket that listens.

    Raises:
        RecurraError: if the port is in use, or the address is none of this machine's.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host or "127.0.0.1", address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place[:2], family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        where = f"port {address.port} of {address.host}"
        if error.errno == errno.EADDRINUSE:
            raise RecurraError(f"{where} is in use; give another `port`, or 0 for any that is free") from error
        if error.errno == errno.EACCES:
            raise RecurraError(f"{where} is not yours to use; give a `port` of 1024 or more") from error
        raise RecurraError(f"{where} cannot be listened on ({error.strerror}); give another `host`") from error
    except (UnicodeError, OverflowError) as error:
        raise OptionError(f"`host` {address.host[:100]!r} is no address; give one such as 127.0.0.1") from error


def base_of(listening: socket.socket) -> str:
    """The beginning of the addresses of what listens: `http://127.0.0.1:8000`."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # all addresses of this machine, of which one will do
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Patience:
    """Gives up on a connection unless it is stopped in time.

    Args:
        transport: of the connection.
        seconds: until then.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to wait, if that has not begun."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._transport.abort)

    def stop(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(seconds: float) -> type[H11Protocol]:
    """The protocol of uvicorn, which alone would wait for ever for a client.

    Args:
        seconds: that are waited for the header of a request, for an answer to be read, and for the rest of a body that
            was refused. That is read and forgotten: who is cut off while sending does not see the answer.
    """

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._for_sender, self._for_reader = Patience(transport, seconds), Patience(transport, seconds)
            self._for_sender.start()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            in_header = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
            if in_header or (self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY):
                self._for_sender.start()
            else:
                self._for_sender.stop()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._for_reader.start()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._for_reader.stop()

        def connection_lost(self, exc: Exception | None) -> None:
            self._for_sender.stop()
            self._for_reader.stop()
            super().connection_lost(exc)

    return Protocol


class Server(uvicorn.Server):
    """The server of uvicorn, which a signal stops and nothing else: the program goes on to its own end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; at once when asked a second time."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handled.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def make_server(app: ASGIApp, seconds: float) -> Server:
    """A server of an application.

    Args:
        app: answers.
        seconds: that are waited for the header of a request, and for an answer to be read.
    """
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol(seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)


def serve(service: Service, address: Address, listening: socket.socket) -> None:
    """Serve until a signal comes."""
    server = make_server(make_app(service, address, base_of(listening)), service.limits.max_body_seconds)
    server.run(sockets=[listening])
