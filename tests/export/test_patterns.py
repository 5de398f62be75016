"""Regular expressions of Python as browsers have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import regex

from recurra.data.placeholders import MARKUP, NUMBERS
from recurra.export.patterns import for_browsers

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATTERNS = [NUMBERS, MARKUP, rf"{MARKUP}|{NUMBERS}", r"[A-Z]{2,}-\d+", r"\W\s\S?\w+?", r"(a|b)+?(?<=b)c|\"\n|[^\w\-\]]"]

TEXTS = [
    "At 12:30 call 3.5, not x7 or 9y; ٣٫٤ ٣ and 1,000.",
    "See https://example.org/a(b). Mail a.b+c@d-e.org! <b class='x'>x</b>",
    "{name} ${a} {{b}} %s %1$d %(n)5.2f %% &amp; &#160;",
    'AB-12 é日本 ab abc bc "\n ]- \N{NO-BREAK SPACE}_x',
]


def test_they_find_the_same(tmp_path: Path, visit: Callable[..., Page]) -> None:
    (tmp_path / "empty.html").write_text("<title>empty</title>")
    page = visit(tmp_path / "empty.html")
    generator = np.random.default_rng(0)
    alphabet = list("".join(TEXTS))
    texts = TEXTS + ["".join(generator.choice(alphabet, size=20)) for _ in range(100)]
    find = (
        "([pattern, texts]) => texts.map(text => [...text.matchAll(new RegExp(pattern, 'gu'))].map(found => found[0]))"
    )
    for pattern in PATTERNS:
        expected = [[found.group() for found in regex.finditer(pattern, text)] for text in texts]
        assert page.evaluate(find, [for_browsers(pattern), texts]) == expected, pattern


@pytest.mark.parametrize(
    "pattern", [r"(?i)a", r"\bword\b", r"(?P<name>a)", r"\p{L}", r"[[a]--b]", "a\\", r"(?>a)", r"\Aa", r"[\W]", "(?#x)"]
)
def test_what_goes_beyond_is_refused(pattern: str) -> None:
    assert for_browsers(pattern) is None
