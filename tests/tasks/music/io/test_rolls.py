"""Piano rolls: what is written in frames comes back in frames."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music.io import rolls
from recurra.tasks.music.io.rolls import read_rolls, to_frames
from recurra.tasks.music.pieces import TICKS, Note, Piece, Track

FRAMES = st.lists(st.sets(st.integers(0, 127), max_size=5), min_size=1, max_size=30)


@given(st.lists(FRAMES, min_size=1, max_size=4), st.integers(1, 30))
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, collection: list[list[set[int]]], frame: int) -> None:
    path = tmp_path_factory.mktemp("rolls") / "collection.json"
    path.write_text(json.dumps([[list(pitches) for pitches in roll] for roll in collection]))
    pieces = read_rolls(path, frame)
    assert [piece.name for piece in pieces] == [f"collection.json #{place + 1}" for place in range(len(collection))]
    for piece, roll in zip(pieces, collection, strict=True):
        assert to_frames(piece, frame) == [tuple(sorted(pitches)) for pitches in roll]
        assert piece.length == len(roll) * frame
        assert piece.notes == tuple(sorted(piece.notes, key=lambda note: (note.onset, note.track, note.pitch)))
        ends = {(note.pitch, note.end) for note in piece.notes}
        assert not any((note.pitch, note.onset) in ends for note in piece.notes), "one note, not two"


def test_a_pitch_in_consecutive_frames_is_one_note(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text("[[[], [60, 64], [64, 60, 60], [67, 64], []]]")
    (piece,) = read_rolls(path)
    assert piece.notes == (Note(12, 24, 60), Note(12, 36, 64), Note(36, 12, 67))
    assert piece.length == 5 * TICKS


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(30, 90), st.booleans())),
    st.integers(1, 20),
    st.integers(0, 9),
)
def test_a_frame_is_what_sounds_at_its_first_tick(played: list[Any], frame: int, rest: int) -> None:
    notes = sorted(Note(onset, duration, pitch, 80, int(drum)) for onset, duration, pitch, drum in played)
    length = max((note.end for note in notes), default=0) + rest
    piece = Piece("x", (Track(), Track("", 0, True)), tuple(notes), length)
    frames = to_frames(piece, frame)
    starts = range(0, length, frame)
    assert len(frames) == len(starts)
    for start, pitches in zip(starts, frames, strict=True):
        assert pitches == tuple(
            sorted({note.pitch for note in notes if note.track == 0 and note.onset <= start < note.end})
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[[[60]", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\x00\x01", "not JSON"),
        ("{}", "does not hold a list of pieces"),
        ("7", "does not hold a list of pieces"),
        ("[]", "holds no pieces"),
        ("[[]]", "piece 1 in .* has no frames"),
        ("[[[60]], 5]", "piece 2 in .* is not a list of frames"),
        ("[60, 62]", "piece 1 in .* is not a list of frames"),
        ("[[[60]], [[], 62]]", "frame 2 of piece 2 in .* is not a list of note numbers"),
        ("[[[60], [60, 128]]]", "frame 2 of piece 1 in .* holds 128, which is not a note number"),
        ("[[[-1]]]", "holds -1"),
        ("[[[60.0]]]", "holds 60.0"),
        ("[[[true]]]", "holds True"),
        ('[[["C4"]]]', "holds C4"),
        ("[[[NaN]]]", "holds nan"),
        ("[[[null]]]", "holds None"),
        ("[[[[60]]]]", r"holds \[60\]"),
    ],
)
def test_what_is_no_roll_is_named_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rolls.json"
    path.write_text(text)
    with pytest.raises(RecurraError, match=reason) as error:
        read_rolls(path)
    assert "rolls.json" in str(error.value)
    assert "; " in str(error.value), "no remedy"


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rolls.json"
    path.write_text("[[[60], [60]], [[]]]")
    refused: Callable[[], Any] = lambda: read_rolls(path)  # noqa: E731
    monkeypatch.setattr(rolls, "MAX_FRAMES", 2)
    with pytest.raises(RecurraError, match="holds 3 frames"):
        refused()
    monkeypatch.setattr(rolls, "MAX_BYTES", 3)
    with pytest.raises(RecurraError, match="larger"):
        refused()
    with pytest.raises(RecurraError, match="no such file"):
        read_rolls(tmp_path / "none.json")
