"""The training pieces of a model: what was saved comes back, and a file that is not that is refused by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from recurra.errors import RecurraError
from recurra.modelfolder import PIECES
from recurra.tasks.music.novelty import find_copy, longest_copy
from recurra.tasks.music.packed_pieces import pack
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, Note, Piece, Track
from recurra.tasks.music.training_pieces import TrainingPieces

NAMES = ("a b.mid", "été 春.mid", "lone \udcff.mid", 'quote".mid', "")


@pytest.fixture
def stored(tunes: tuple[Piece, ...], tmp_path: Path) -> Path:
    TrainingPieces(pack(tunes[:5]), NAMES).save(tmp_path)
    return tmp_path / PIECES


def plain(piece: Piece, name: str) -> Piece:
    """A piece without what is not kept."""
    tracks = tuple(Track("", track.program, track.drums) for track in piece.tracks)
    notes = tuple(note._replace(velocity=MIDDLE_VELOCITY) for note in piece.notes)
    return Piece(name, tracks, notes, piece.length, piece.meters)


def test_pieces_come_back_with_their_names(stored: Path, tunes: tuple[Piece, ...]) -> None:
    loaded = TrainingPieces.load(stored)
    assert loaded is not None
    assert loaded.names == NAMES
    assert loaded.pieces == tuple(plain(piece, name) for piece, name in zip(tunes, NAMES, strict=False))


def test_no_file_is_no_corpus(tmp_path: Path) -> None:
    assert TrainingPieces.load(tmp_path / PIECES) is None


def test_a_copy_is_found_in_it(stored: Path, tunes: tuple[Piece, ...]) -> None:
    loaded = TrainingPieces.load(stored)
    assert loaded is not None
    moved = tuple(Note(n.onset, n.duration, n.pitch + 2, n.velocity, n.track) for n in tunes[1].notes if n.track == 0)
    own = replace(tunes[1], notes=moved)
    found = find_copy(own, loaded.index)
    assert found == longest_copy(own, loaded.pieces)
    whole = find_copy(tunes[3], loaded.index)
    assert whole is not None
    assert (whole.corpus_name, whole.share, whole.transposition) == (NAMES[3], 1.0, 0)


def alter(path: Path, **tensors: Any) -> None:
    save_file({**load_file(path), **tensors}, path)


def without(path: Path, name: str) -> None:
    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path)


def names(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(text.encode(), np.uint8).copy())


BROKEN: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "empty": lambda path: path.write_bytes(b""),
    "no safetensors": lambda path: path.write_bytes(b"\x80\x04pickle" * 99),
    "without names": lambda path: without(path, "names"),
    "without pitches": lambda path: without(path, "pitch"),
    "names that are no text": lambda path: alter(path, names=torch.tensor([255, 254], dtype=torch.uint8)),
    "names that are no list": lambda path: alter(path, names=names("7")),
    "names nested deeply": lambda path: alter(path, names=names("[" * 200_000)),
    "too few names": lambda path: alter(path, names=names(json.dumps(NAMES[1:]))),
    "numbers that are none here": lambda path: alter(path, pitch=torch.zeros(9, dtype=torch.bfloat16)),
    "an impossible pitch": lambda path: alter(path, pitch=load_file(path)["pitch"] + 120),
    "a note without duration": lambda path: alter(path, duration=load_file(path)["duration"] * 0),
    "notes before the beginning": lambda path: alter(path, onset=load_file(path)["onset"] - 100),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_damaged_file_is_refused_by_name(stored: Path, how: str) -> None:
    BROKEN[how](stored)
    with pytest.raises(RecurraError) as error:
        TrainingPieces.load(stored)
    assert str(stored) in str(error.value)
    assert "\n" not in str(error.value)
    assert "damaged" in str(error.value)
