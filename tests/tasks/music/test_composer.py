"""Composing without PyTorch: the same piece as with it, from the same folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from unimported import command_without_torch, without_torch

from recurra.tasks.music.composer import Composer
from recurra.tasks.music.data import open_pieces
from recurra.tasks.music.model import Model
from recurra.tasks.music.pieces import Meter, Note, Piece, Track
from recurra.tasks.music.render.output import write_piece
from recurra.tasks.music.rule_features import BARS, START
from recurra.tasks.music.training import train


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


def test_a_pickup_is_written_as_a_short_first_bar(tmp_path: Path) -> None:
    """In MIDI and MusicXML, by a model of tunes that all begin with one; and both ways of composing agree."""
    meters = (Meter(0, 1, 8), Meter(6, 6, 8))
    tune = Piece("jig", (Track(),), tuple(Note(tick, 6, 60 + tick % 7) for tick in range(0, 294, 6)), 294, meters)
    train([tune] * 5, tmp_path / "jigs", steps=2, hidden_size=8, embedding_size=8)
    made = Composer.load(tmp_path / "jigs").compose(bars=4, seed=1, pickup="1")
    assert made == Model.load(tmp_path / "jigs").compose(bars=4, seed=1)
    assert made.meters == meters
    for name in ("made.mid", "made.musicxml"):
        write_piece(made, tmp_path / name)
        (again,) = open_pieces(tmp_path / name).pieces
        assert again.meters == meters, name
        assert [note[:3] for note in again.notes] == [note[:3] for note in made.notes]
    assert 'number="0" implicit="yes"' in (tmp_path / "made.musicxml").read_text()


def test_a_long_piece_is_told_how_long_it_is(trained_music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer.load(trained_music)
    read: list[tuple[int, int]] = []

    def step(token: int, state: int) -> tuple[NDArray[np.float32], int]:
        read.append(tuple(composer.notation.tokens[token]))
        if len(read) == 3:
            raise InterruptedError
        return np.zeros(composer.notation.size, np.float32), state

    monkeypatch.setattr(composer, "stream_step", lambda: (step, 0))
    with pytest.raises(InterruptedError):
        composer.compose(bars=150)
    assert read == [(START, 0), (BARS, 100), (BARS, 50)]


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
