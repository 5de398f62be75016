"""Every command and every piece of Python in the README and the docs runs, in order, as it stands.

Only the training times are shortened here and a few chorales do, and most commands run in this process, since starting
one costs seconds. The slow test leaves everything as it is and gives each block a process of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import pytest

from recurra.cli import main
from recurra.tasks.music import chorales

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
OURS = (f"{URLS['Homepage']}/blob/main/", f"{URLS['Homepage']}/tree/main/")
OUR_PICTURES = f"{URLS['Homepage'].replace('github.com', 'raw.githubusercontent.com')}/main/"
SHELL = set("|&;<>()$`~*?#")
"""What only a shell understands, unless it is quoted."""


def blocks(page: str) -> list[tuple[str, str]]:
    """The `sh` and `python` blocks of a page, in order; Python without shell in between is one block."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    merged: list[tuple[str, str]] = []
    for language, code in found:
        if language == "python" and merged and merged[-1][0] == "python":
            code = merged.pop()[1] + "\n" + code
        merged.append((language, code))
    return merged


def shortened(code: str) -> str:
    """Code with training times of about a second."""
    code = re.sub(r"--minutes [\d.]+", "--minutes 0.02 --hidden-size 32", code)
    code = re.sub(r"--resume --minutes 0.02 --hidden-size 32", "--resume --minutes 0.04", code)
    return re.sub(r"minutes=[\d.]+", "minutes=0.02", code)


def is_plain(line: str) -> bool:
    """Whether a line of shell is `recurra` and its arguments, nothing else."""
    return line.startswith("recurra ") and not SHELL & set(re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", line))


def parts(language: str, code: str) -> list[str]:
    """The plain lines of a shell block one by one, and what is between them; a block of Python whole."""
    if language == "python":
        return [code]
    lines = code.replace("\\\n", " ").splitlines()
    groups = [(plain, list(group)) for plain, group in groupby(lines, is_plain)]
    return [part for plain, group in groups for part in (group if plain else ["\n".join(group)])]


def run_alone(language: str, code: str, where: str) -> None:
    """Run a block in a process of its own."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # A server that a page starts in the background ends with its block, also where a command in between fails.
    shell = f"trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n{code}"
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", shell]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{where}:\n{code}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.fixture
def few_chorales(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One in eight of the chorales that `sample:chorales` has; reading them all takes 20 seconds."""
    module = Path(chorales.require_music21().__file__)
    stand_in = tmp_path_factory.mktemp("few")
    (stand_in / "corpus" / "bach").mkdir(parents=True)
    for path in sorted((module.parent / "corpus" / "bach").glob("bwv*.mxl"))[::8]:
        (stand_in / "corpus" / "bach" / path.name).symlink_to(path)
    monkeypatch.setattr(chorales, "require_music21", lambda: SimpleNamespace(__file__=stand_in / "music21.py"))
    chorales.chorales.cache_clear()
    yield
    chorales.chorales.cache_clear()


@pytest.mark.usefixtures("few_chorales")
@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [(language, part) for language, code in blocks(page) for part in parts(language, shortened(code))]
    assert found
    started = max((number for number, (language, _) in enumerate(found) if language == "sh"), default=None)
    for number, (language, code) in enumerate(found):
        if language == "python":
            exec(compile(code, page, "exec"), {"__name__": "__main__"})
        elif is_plain(code) and number != started:  # one command of a page at least is started as people start it
            assert main(shlex.split(code)[1:]) == 0, f"{page}:\n{code}\n{capsys.readouterr().err}"
        else:
            run_alone(language, code, page)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs_as_it_stands(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for language, code in blocks(page):
        run_alone(language, code, page)


def targets(page: str) -> list[str]:
    """What a page links to, pictures among them, without the part after #."""
    text = (ROOT / page).read_text(encoding="utf-8")
    inline = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    return inline + re.findall(r"^\[[^]]+\]: ([^#\s]+)", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page: str) -> None:
    places = []
    for target in targets(page):
        ours = next((start for start in (*OURS, OUR_PICTURES) if target.startswith(start)), None)
        if ours:
            places.append(ROOT / target.removeprefix(ours))
        elif "://" not in target:
            places.append((ROOT / page).parent / target)
    assert places
    assert not [place for place in places if not place.exists()]


def test_the_readme_shows_whole_wherever_it_is_shown() -> None:
    assert all(target.startswith((*OURS, OUR_PICTURES)) for target in targets("README.md"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(picture.startswith(OUR_PICTURES) for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", text))
    defined = set(re.findall(r"^\[([^]]+)\]:", text, re.MULTILINE))
    assert all((name or shown) in defined for shown, name in re.findall(r"\[([^]]+)\]\[([^]]*)\]", text))


def test_the_makefile_has_what_the_readme_names() -> None:
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    found = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= found
