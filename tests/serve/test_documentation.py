"""/docs: all that can be asked is there, and its lines work as they stand."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from serving import PUPPETS, Running, puppets, running

from recurra.serve.documentation import described, in_fields
from recurra.serve.fields import Request
from recurra.tasks import TASKS
from recurra.tasks.shared.serving import part_of


def lines_of(page: str) -> list[str]:
    """The lines to be copied."""
    return [html.unescape(line) for line in re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)]


def run(line: str, folder: Path) -> Any:
    """What a line gives, JSON."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl here")
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lines_work_whatever_has_to_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "a file.bin").write_bytes(b"abc")
    with running(puppets("it's")) as server:
        lines = lines_of(server.client.get("/docs").text)
        assert lines[0] == f"curl {server.url}/v1/models"
        listed, echoed, filed = (run(line, tmp_path) for line in lines if re.search("models$|/echo|/file", line))
    assert listed["data"][0]["id"] == "it's"
    assert echoed["text"] == "a 'b' \"c\" <d> é"
    assert filed == {"size": 3, "sum": 294, "note": "", "number": 3}


def test_every_task_says_how_it_is_asked_and_its_lines_work(
    served: Running, scenes_file: Path, songs_file: Path, tmp_path: Path
) -> None:
    shutil.copy(next(scenes_file.parent.glob("*.png")), tmp_path / "picture.jpg")
    shutil.copy(next(songs_file.parent.rglob("*.wav")), tmp_path / "recording.wav")
    page = served.client.get("/docs").text
    for task in TASKS:
        for each in (*part_of(task).endpoints, *part_of(task).listings):
            assert f" {each.path}</h3>" in page or each.path == "/v1/speech/detect"
    for line in lines_of(page):
        assert "error" not in run(line, tmp_path), line


@pytest.mark.parametrize("task", TASKS)
def test_every_field_is_explained(task: str) -> None:
    for endpoint in part_of(task).endpoints:
        for name, what, said in described(endpoint.request, endpoint.upload):
            assert what.strip("; "), (endpoint.path, name)
            assert said.endswith("."), (endpoint.path, name)
            assert "--" not in said
            assert not what.startswith(";")


def test_fields_are_told_with_what_they_may_be() -> None:
    told = {name: (what, said) for name, what, said in described(PUPPETS.endpoints[0].request)}
    assert told["text"] == ("text; must be given", "Any text.")
    assert told["texts"][0] == "text or a list of texts"
    assert told["number"][0] == "a whole number, 0 to 100; 1 if not given"
    assert told["flag"][0] == "true or false; false if not given"
    assert [name for name, _, _ in described(Request)] == ["model"]


def test_options_are_called_as_fields() -> None:
    assert in_fields("at most --beam-size,\nsee `x`") == "at most beam_size, see x"
