"""Models pushed to the hub and pulled from it, by the real client from a server on the loopback address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hub_server import FakeHub, running_hub

from recurra.modelfolder import CARD, CONFIG, VOCABULARY, WEIGHTS

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub() as running:
        yield running


@pytest.fixture
def run(hub: FakeHub, tmp_path: Path) -> Run:
    """Runs a command in a process of its own: the client reads the hub's address when it is imported."""

    def started(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_secret"}
        environment = {**os.environ, **own, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **changes}
        command = [sys.executable, "-m", "recurra", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return started


def test_what_is_pushed_is_pulled(run: Run, hub: FakeHub, trained_folder: Path, tmp_path: Path) -> None:
    done = run("push", trained_folder, "me/writer", "--private")
    assert (done.returncode, done.stdout) == (0, f"{hub.address}/me/writer\n"), done.stderr
    files = hub.repositories["me/writer"]
    assert {CARD, CONFIG, VOCABULARY, WEIGHTS} <= set(files)
    assert not any(name.startswith("training") for name in files)
    assert hub.private == {"me/writer"}
    card = files[CARD].decode()
    assert card.startswith(
        "---\nlibrary_name: recurra\npipeline_tag: text-generation\ntags:\n- recurra\n- text\n---\n\n#"
    )
    assert card.endswith((trained_folder / CARD).read_text())
    files["evil.py"] = b"raise SystemExit"
    done = run("pull", "me/writer", "--out", tmp_path / "got")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'got'}\n"), done.stderr
    assert {path.name for path in (tmp_path / "got").iterdir()} == set(files) - {"evil.py"}
    for name in (CONFIG, VOCABULARY, WEIGHTS):
        assert (tmp_path / "got" / name).read_bytes() == (trained_folder / name).read_bytes()


class Case(NamedTuple):
    arguments: list[str]
    said: str
    change: Callable[[FakeHub], Any] = lambda _: None
    environment: dict[str, str] = {}  # noqa: RUF012


def _lack(hub: FakeHub) -> None:
    hub.repositories["me/other"] = {"pytorch_model.bin": b"x"}


def _alter(hub: FakeHub) -> None:
    _lack(hub)
    names = (CONFIG, VOCABULARY, WEIGHTS)
    hub.repositories["me/other"] = dict.fromkeys(names, b"{}")


CASES = [
    Case(["pull", "me/nothing", "--out", "NEW"], "there is no me/nothing on the hub, or you may not see it"),
    Case(["pull", "a b", "--out", "NEW"], "'a b' is no name of a repository; give OWNER/NAME"),
    Case(["pull", "me/other", "--out", "NEW"], "me/other has no config.json and is not a model of Recurra", _lack),
    Case(["pull", "me/other", "--out", "NEW"], "me/other/config.json does not say its format", _alter),
    Case(["pull", "me/other", "--out", "NEW", "--revision", "x"], "me/other has no such revision", _lack),
    Case(["pull", "me/other", "--out", "THERE"], "exists already; give --out the name of a folder to make"),
    Case(["push", "THERE", "me/other"], "is not a trained model"),
    Case(["push", "MODEL", "me/x"], "the hub refuses me/x: ", lambda hub: setattr(hub, "fails", 403)),
    Case(["push", "MODEL", "me/x"], "log in by `hf auth login` or set HF_TOKEN", environment={"HF_TOKEN": ""}),
    Case(["pull", "me/x", "--out", "NEW"], "cannot be reached", environment={"HF_ENDPOINT": "http://127.0.0.1:9"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.said[:30])
def test_refusals(case: Case, run: Run, hub: FakeHub, trained_folder: Path, tmp_path: Path) -> None:
    case.change(hub)
    (tmp_path / "there").mkdir()
    places = {"NEW": tmp_path / "new", "THERE": tmp_path / "there", "MODEL": trained_folder}
    done = run(*[places.get(each, each) for each in case.arguments], **case.environment)
    assert done.returncode == 1, done
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert case.said in done.stderr
    assert not list(tmp_path.glob("*new*"))
