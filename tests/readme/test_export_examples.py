"""The examples of docs/export.md, each run without Recurra beside the command that it stands for."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import embeddings, speech, text
from recurra.tasks.music.composer import Composer
from recurra.tasks.music.rule_features import BARS, DRUM, DURATION, METER, PITCH, START, STEP

Command = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
EXAMPLES = dict(re.findall(r"^```python (\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
TASKS = ("text", "music", "embeddings", "sentiment", "translation", "captions", "speech")


@pytest.fixture
def export(recurra: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Export a model into the folder that examples then run in."""
    monkeypatch.chdir(tmp_path)

    def run(folder: Path, name: str) -> None:
        assert recurra("export", folder, "--out", f"{name}.onnx").status == 0

    return run


def printed(example: str) -> str:
    """What an example prints."""
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(EXAMPLES[example], str(PAGE), "exec"), {"__name__": "__main__"})
    return out.getvalue()


def test_there_is_one_for_each_task_and_none_needs_recurra_or_many_lines() -> None:
    assert tuple(EXAMPLES) == TASKS
    for code in EXAMPLES.values():
        assert len(code.splitlines()) <= 30
        imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert imports
        assert "recurra" not in ast.unparse(imports)


def test_text(export: Command, recurra: Command, trained_folder: Path) -> None:
    export(trained_folder, "pydocs")
    written = recurra("text", "write", trained_folder, "--prompt", "The class ", "--length", 100, "--greedy").out
    assert len(written) > 100
    assert printed("text") == written


def test_music(export: Command, trained_music: Path) -> None:
    """The command never draws what breaks a rule, so here the same is drawn with its own step."""
    export(trained_music, "chorales")
    composer, random = Composer.load(trained_music), np.random.default_rng(1)
    notation, state = composer.notation, composer.network.zero_state()
    _, state = composer.network.step(notation.number(START), state)
    token, drawn = notation.number(BARS, 8), []
    for _ in range(399):
        logits, state = composer.network.step(token, state)
        token = int((logits / 0.7 + random.gumbel(size=notation.size)).argmax())
        drawn.append(notation.tokens[token])
    notes, time, begins, meter, pitch = [], 0, 0, notation.meters.index((4, 4)), None
    for kind, value in drawn:
        if kind == METER:
            meter, begins = value, time
        elif kind in (PITCH, DRUM):
            pitch = value + (notation.lowest if kind == PITCH else 0)
        elif kind == DURATION:
            bar, tick = divmod(time - begins, notation.bar(meter))
            notes.append((bar + 1, tick / 12 + 1, pitch, value / 12))
        elif kind == STEP:
            time += value
    assert len(notes) > 20
    assert printed("music") == "".join(f"{note}\n" for note in notes)


def test_embeddings(export: Command, recurra: Command, tmp_path: Path) -> None:
    words = " ".join(np.random.default_rng(0).choice([*"abcdefghijkl", "string"], size=4000))
    config = embeddings.Config(embedding_size=6, epochs=1, min_count=1)
    embeddings.train(text.Texts([words]), tmp_path / "made", config, progress=False)
    export(tmp_path / "made", "vec")
    found = recurra("embeddings", "similar", tmp_path / "made", "string").out
    assert printed("embeddings") == found


def test_sentiment(export: Command, recurra: Command, trained_sentiment: Path) -> None:
    export(trained_sentiment, "mood")
    assert printed("sentiment") == recurra("sentiment", "classify", trained_sentiment, "not feeling happy").out


def test_translation(export: Command, recurra: Command, trained_translation: Path) -> None:
    export(trained_translation, "dates")
    command = ("translation", "translate", trained_translation, "le 14 juillet 1989", "--beam-size", 1)
    assert printed("translation") == recurra(*command).out


def test_captions(export: Command, recurra: Command, trained_captions: Path, scenes_file: Path, tmp_path: Path) -> None:
    export(trained_captions, "eyes")
    shutil.copy(next(scenes_file.parent.glob("*.png")), tmp_path / "scene.png")
    described = recurra("captions", "describe", trained_captions, "scene.png", "--beam-size", 1).out
    assert printed("captions") == described


def test_speech(export: Command, recurra: Command, trained_speech: Path, songs_file: Path, tmp_path: Path) -> None:
    export(trained_speech, "ears")
    same, model = 0, speech.Model.load(trained_speech)
    for number in range(8):
        shutil.copy(songs_file.parent / f"{number}.wav", tmp_path / "message.wav")
        best = [0, *model.log_probs("message.wav").argmax(axis=1)]
        greedy = "".join(model.symbols.text([now]) for before, now in pairwise(best) if now not in (before, 0))
        assert printed("speech") == f"{greedy}\n"
        same += recurra("speech", "transcribe", trained_speech, "message.wav").out == f"{greedy}\n"
    assert same >= 6  # the command searches for the most probable text, which is not always that of the best path
