"""Composing without PyTorch: the same piece as with it, from the same folder."""

import json
from pathlib import Path

import pytest
from unimported import command_without_torch, without_torch

from recurra.tasks.music.composer import Composer
from recurra.tasks.music.model import Model
from recurra.tasks.music.pieces import Piece


@pytest.mark.parametrize("controls", [{}, {"key": "D minor", "temperature": 0.5}, {"voices": 1, "top_k": 4}], ids=str)
def test_the_same_piece_and_the_same_copy(
    trained_music: Path, tunes: tuple[Piece, ...], controls: dict[str, object]
) -> None:
    model, composer = Model.load(trained_music), Composer.load(trained_music)
    for prime in (None, tunes[0]):
        options = dict(bars=3, seed=7, prime=prime, prime_bars=2 if prime else None) | controls
        piece = composer.compose(**options)  # type: ignore[arg-type]
        assert piece == model.compose(**options)  # type: ignore[arg-type]
        assert composer.longest_copy(piece) == model.longest_copy(piece)


def test_the_command_composes_without_pytorch(trained_music: Path, tmp_path: Path) -> None:
    code = f"""
from recurra.cli import main
out = {str(tmp_path / "piece.mid")!r}
status = main(["music", "compose", {str(trained_music)!r}, "--out", out, "--bars", "2", "--seed", "3", "--json"])
print(status, [name for name in ("torch", "accelerate", "matplotlib", "music21") if sys.modules.get(name)])
"""
    done = without_torch(code)
    answer, rest = done.stdout.splitlines()
    assert (rest, done.stderr) == ("0 []", "")
    (made,) = json.loads(answer)["pieces"]
    piece = Model.load(trained_music).compose(bars=2, seed=3)
    assert (made["notes"], made["bars"]) == (len(piece.notes), 2)
    assert (tmp_path / "piece.mid").read_bytes().startswith(b"MThd")


@pytest.mark.parametrize("verb", ["evaluate", "compare"])
def test_what_needs_pytorch_says_so(trained_music: Path, music_folder: Path, verb: str) -> None:
    done = command_without_torch("music", verb, trained_music, music_folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")
