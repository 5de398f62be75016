"""The list of modules in CONTRIBUTING.md, made of their docstrings; `make layout` writes it anew."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "recurra"
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- layout: written by make layout -->\n", "<!-- end of layout -->\n"


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def layout() -> str:
    """Every folder of the package and every module in it, one a line, with what it is."""
    lines = []
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        lines.append(
            f"\n**`{folder.relative_to(PACKAGE.parent).as_posix()}/`** {first_line(folder / '__init__.py')}\n\n"
        )
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"- `{path.name}`: {first_line(path)}\n")
    return "".join(lines) + "\n"


def renewed(page: str) -> str:
    """The page with the list as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + layout() + END + after


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
