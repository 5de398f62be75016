"""Counts the random cases that properties were tried on, and prints them when all tests are done."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

TRIED = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TRIED] = Counter()


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest) -> Counter[str]:
    """How many cases there were of each property: `tried["width 1 is greedy"] += 24`."""
    return request.config.stash[TRIED]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts on if this is one of several processes of pytest-xdist."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = dict(session.config.stash[TRIED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up the counts of the processes."""
    node.config.stash[TRIED].update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[TRIED]
    if counts:
        terminalreporter.section("cases tried")
    for name, count in counts.items():
        terminalreporter.write_line(f"{count:7,}  {name}")
