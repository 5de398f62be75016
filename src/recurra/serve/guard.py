"""Who may ask: a page of another site must not reach the server through the browser of whoever runs it.

A page that makes its own name mean this machine (DNS rebinding) is known by the `Host` header, one that posts from
elsewhere by `Origin`. No answer may be read by other sites: there are no CORS headers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recurra.serve.errors import RequestError
from recurra.serve.streaming import respond_error

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What pages of this server may load: what it has itself, and what they made."""

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}
"""Go with every answer."""


class Guard:
    """Lets through what may ask, and puts the headers on every answer.

    Args:
        app: answers.
        host: what the server listens on.
        names: further names under which it may be asked.
    """

    def __init__(self, app: ASGIApp, host: str, names: Iterable[str]) -> None:
        self.app = app
        self.names = {"localhost", "127.0.0.1", "::1", host.lower(), *(name.lower() for name in names)}
        self.any_address = not is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            self._require_allowed(scope)
        except RequestError as error:
            await respond_error(guarded, error)
            return
        await self.app(scope, receive, guarded)

    def _require_allowed(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_allowed(hosts[0]):
            raise RequestError(
                f"this server is not asked under the name {(hosts or [''])[0][:100]!r}; use its address, or start it "
                "with `allowed_hosts`",
                403,
                "forbidden_host",
            )
        if scope["method"] in ("GET", "HEAD"):
            return
        origins = headers.getlist("origin")
        elsewhere = [origin for origin in origins if urlsplit(origin).netloc.lower() != hosts[0].lower()]
        if elsewhere or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RequestError(
                "a page of another site may not ask this server; open the server's own page",
                403,
                "forbidden_origin",
            )

    def is_allowed(self, host: str) -> bool:
        """Whether a `Host` header, a name and perhaps a port, is one of this server's.

        Where it listens to more than this machine any address will do: nobody can make an address mean another machine.
        """
        name = name_of(host)
        return name is not None and (name in self.names or (self.any_address and _is_address(name)))


def name_of(host: str) -> str | None:
    """The name in a `Host` header, without port and brackets, in small letters; None if it is no such header."""
    if not host or any(character in "/?#@\\" or character.isspace() for character in host):
        return None
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.port is None or parts.port else None
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine hears what listens there."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
