"""A server in a thread, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from recurra.serve.app import make_app
from recurra.serve.limits import Address, Limits
from recurra.serve.server import base_of, listen, make_server
from recurra.serve.service import Service
from recurra.tasks.shared.serving import open_service


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: the beginning of its addresses.
        client: asks it.
        service: its models.
    """

    url: str
    client: httpx.Client
    service: Service

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)


@contextmanager
def running(
    folders: Sequence[Path], limits: Limits = Limits(), address: Address = Address(port=0)
) -> Iterator[Running]:
    """Serve models for the time of a `with` block."""
    with listen(address) as listening, open_service(folders, "cpu", limits) as service:
        url = base_of(listening)
        server = make_server(make_app(service, address, url), limits.max_body_seconds)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield Running(url, client, service)
        finally:
            server.should_exit = True
            thread.join()
