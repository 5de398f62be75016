"""Counts the random cases that properties were tried on, and prints them when all tests are done."""

from collections import Counter

import pytest

TRIED = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TRIED] = Counter()


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest) -> Counter[str]:
    """How many cases there were of each property: `tried["width 1 is greedy"] += 24`."""
    return request.config.stash.setdefault(TRIED, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(TRIED, Counter())
    if counts:
        terminalreporter.section("cases tried")
    for name, count in counts.items():
        terminalreporter.write_line(f"{count:7,}  {name}")
