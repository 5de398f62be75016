"""Every command and every piece of Python in the README and the docs runs, in order, as it stands.

Only the training times are shortened here; the slow test leaves them as they are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/text.md", "docs/music.md", "docs/translation.md"]


def blocks(page: str) -> list[tuple[str, str]]:
    """The `sh` and `python` blocks of a page, in order."""
    return re.findall(
        r"^```(sh|python)\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def run_page(page: str, folder: Path, shorten: bool) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, code in blocks(page):
        if shorten:
            code = re.sub(r"--minutes [\d.]+", "--minutes 0.02 --hidden-size 32", code)
            code = re.sub(r"--resume --minutes 0.02 --hidden-size 32", "--resume --minutes 0.04", code)
            code = re.sub(r"minutes=[\d.]+", "minutes=0.02", code)
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{page}:\n{code}\n{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(page: str, tmp_path: Path) -> None:
    assert len(blocks(page)) >= 2
    run_page(page, tmp_path, shorten=True)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs_as_it_stands(page: str, tmp_path: Path) -> None:
    run_page(page, tmp_path, shorten=False)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in target]
    assert targets
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert not missing


def test_the_makefile_has_what_the_readme_names() -> None:
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= targets
