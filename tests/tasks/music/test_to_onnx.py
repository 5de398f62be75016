"""A music model as ONNX composes as the model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exporting import Session

from recurra.tasks.music.composer import Composer
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.to_onnx import write
from recurra.tasks.music.transcription import encode


@pytest.mark.parametrize("int8", [False, True])
def test_pieces_side_by_side_are_scored_as_each_alone(
    trained_music: Path, tunes: tuple[Piece, ...], tmp_path: Path, int8: bool
) -> None:
    composer = Composer.load(trained_music)
    step = Session(write(trained_music, tmp_path / "m.onnx", int8)[0])
    tokens = np.stack([encode(piece, composer.notation)[0][:60] for piece in tunes[:2]]).astype(np.int64)
    state, states = step.empty_state(2, "tokens"), [composer.network.zero_state() for _ in range(2)]
    for time in range(60):
        answer = step(tokens=tokens[:, time], **state)
        state = step.following(state, answer)
        for row in range(2):
            logits, states[row] = composer.network.step(int(tokens[row, time]), states[row])
            assert np.allclose(answer["logits"][row], logits, atol=0.2 if int8 else 1e-4)


def test_its_tokens_say_what_they_are(trained_music: Path, tmp_path: Path) -> None:
    notation = Composer.load(trained_music).notation
    metadata = Session(write(trained_music, tmp_path / "m.onnx", False)[0]).metadata
    assert len(metadata["tokens"]) == notation.size
    assert metadata["tokens"][0] == ["start", 0]
    assert [value for kind, value in metadata["tokens"] if kind == "pitch"] == [
        *range(notation.lowest, notation.highest + 1)
    ]
    assert [value for kind, value in metadata["tokens"] if kind == "duration"] == list(notation.durations)
    assert metadata["notation"] == notation.to_json()
