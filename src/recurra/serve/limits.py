"""What one client may ask of the machine, and where the server listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from recurra.config import Options, Range


@dataclass(frozen=True)
class Limits(Options):
    """What is refused, so that no client keeps the others from being answered."""

    group: ClassVar[str] = "limits"

    max_body_bytes: Annotated[int, Range(1, 2**31)] = 1_000_000
    """Largest body of a request, in bytes."""
    max_upload_bytes: Annotated[int, Range(1, 2**31)] = 32_000_000
    """Largest picture or recording, in bytes; in JSON, as base64, it is a third longer."""
    max_text_length: Annotated[int, Range(1, 10**8)] = 100_000
    """Longest text of a request, in characters, all its fields together."""
    max_seconds: Annotated[float, Range(0.1, 86_400)] = 60.0
    """Seconds an answer may take, with the time it waits for its turn."""
    max_body_seconds: Annotated[float, Range(0.1, 86_400)] = 10.0
    """Seconds that are waited for the header of a request, for its body, and for somebody to read an answer."""
    max_requests: Annotated[int, Range(1, 10_000)] = 64
    """Requests at once, those that wait for their turn among them; more are told to come again."""


@dataclass(frozen=True)
class Address(Options):
    """Where the server listens, and under which names."""

    group: ClassVar[str] = "address"

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is heard by this machine only, 0.0.0.0 by all that reach it."""
    port: Annotated[int, Range(0, 65_535)] = 8000
    """Port to listen on; 0 takes any that is free."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the server may be asked, besides its address and localhost."""
