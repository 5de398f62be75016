"""CONTRIBUTING.md describes the modules that there are, each with one line."""

from __future__ import annotations

import layout


def test_every_module_says_in_one_line_what_it_is() -> None:
    for path in layout.PACKAGE.rglob("*.py"):
        line = layout.first_line(path)
        assert line[-1:] in tuple(".:;)`"), f"{path}: {line!r} is not a sentence or the beginning of a list"


def test_the_list_of_modules_is_that_of_the_tree() -> None:
    page = layout.PAGE.read_text(encoding="utf-8")
    assert page.count(layout.BEGIN) == page.count(layout.END) == 1
    assert layout.renewed(page) == page, "run make layout"
