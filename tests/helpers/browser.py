"""Pages in a headless Chromium, which is started once for all tests; where there is none, what needs it is skipped.

`visit` opens a page and gives Playwright's `Page`. When the test ends, it fails if the page asked any other place for
anything or had anything to complain of on its console.

The pages of Recurra forbid `eval`, which Playwright's `wait_for_function` needs: wait for what is shown, by
`page.locator("#told", has_text="Done").wait_for()`.

While the browser runs, Playwright's event loop counts as running in this thread: a test beside it cannot call
`asyncio.run` here; servers belong into threads or processes of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""What Chromium is called on this system or that."""

OWN = ("data", "blob", "about")
"""Addresses of what a page made itself."""

PHONE = {"width": 360, "height": 740}
"""The size of a small phone's page, in CSS pixels."""


def executable() -> str | None:
    """Where Chromium is, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; `make browser` installs it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra dev)")
    where = executable()
    if where is None:
        pytest.skip("there is no Chromium here to open pages with; make browser installs it")
    with playwright.sync_playwright() as running:
        # Chromium's own sandbox needs rights that containers do not give; the pages are ours.
        browser = running.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is open, and what it did that no page should.

    Attributes:
        page: Playwright's.
        home: where it came from.
        foreign: the addresses elsewhere that it asked for something.
        complaints: the errors it had, and what the console says of them.
    """

    page: Page
    home: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note what the page does from now on."""
        self.page.on("request", self._requested)
        self.page.on("console", self._told)
        self.page.on("pageerror", self._failed)

    def _requested(self, request: Request) -> None:
        asked, home = urlsplit(request.url), urlsplit(self.home)
        is_home = asked[:3] == home[:3] if home.scheme == "file" else asked[:2] == home[:2]
        if not is_home and asked.scheme not in OWN:
            self.foreign.append(request.url)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page, of a file or at an address: `visit(path)`; further arguments are those of `Browser.new_context`."""
    visits: list[Visit] = []

    def opened(place: Path | str, **options: Any) -> Page:
        home = place.resolve().as_uri() if isinstance(place, Path) else place
        page = chromium.new_context(**options).new_page()
        page.set_default_timeout(20_000)
        visits.append(Visit(page, home))
        visits[-1].watch()
        page.goto(home)
        return page

    yield opened
    for one in visits:
        one.page.context.close()
    assert [one.foreign for one in visits] == [[] for _ in visits], "the page asked another place for something"
    assert [one.complaints for one in visits] == [[] for _ in visits], "the page had something to complain of"


def scrolls_sideways(page: Page) -> bool:
    """Whether a page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
