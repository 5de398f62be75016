"""Scoring music: by hand, by even chances, and the published figure of a count model."""

from __future__ import annotations

import importlib
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.data.tokenizer import Tokens
from recurra.tasks.music.frame_scores import FrameScore, score_frames
from recurra.tasks.music.io.rolls import from_frames
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import TICKS, Meter, Note, Piece, Track
from recurra.tasks.music.transcription import encode, suit

BENCH = Path(__file__).parents[3] / "bench"


def framed(rolls: list[list[tuple[int, ...]]]) -> tuple[list[Tokens], Notation]:
    pieces = [from_frames(roll, TICKS, "roll") for roll in rolls]
    notation = suit(pieces, "frames", TICKS, False, False)
    return [encode(piece, notation)[0] for piece in pieces], notation


def halves(tokens: Tokens) -> NDArray[np.float64]:
    """2, 4, 8, ... : the probability of the n-th prediction is 2 to the minus n."""
    return -math.log(2) * np.arange(1, len(tokens))


def test_a_case_worked_out_by_hand() -> None:
    # Predicted after START:    1     2    3    4     5    6     7    8
    # The tokens:            BARS   60   64  STEP   60  STEP  STEP   ...
    # of frame                  -     0    0    0     1    1     2
    #
    # BARS is not scored. First frame: 2 + 3 + 4 = 9 bits; the rest: (5 + 6) + 7 = 18 bits. Three frames, two of them
    # predicted; three notes.
    (tokens,), notation = framed([[(60, 64), (60,), ()]])
    assert len(tokens) == 8
    score = score_frames([tokens], notation, halves)
    assert score == FrameScore(pytest.approx(9 * math.log(2)), pytest.approx(18 * math.log(2)), 1, 3.0, 3)
    assert score.nats_per_frame == pytest.approx(18 * math.log(2) / 2)
    assert score.nats_per_frame_with_first == pytest.approx(27 * math.log(2) / 3)
    assert score.bits_per_note == pytest.approx(27 / 3)


def test_pieces_are_summed_before_they_are_divided() -> None:
    # As above, and a piece of BARS, 60, STEP, STEP: 2 + 3 bits, then 4. Five frames, three predicted; four notes.
    both, notation = framed([[(60, 64), (60,), ()], [(60,), ()]])
    score = score_frames(both, notation, halves)
    assert score.nats_per_frame == pytest.approx((18 + 4) * math.log(2) / 3)
    assert score.nats_per_frame_with_first == pytest.approx((27 + 9) * math.log(2) / 5)
    assert score.bits_per_note == pytest.approx((27 + 9) / 4)


def test_of_notes_a_frame_is_a_quarter_and_metres_are_given() -> None:
    # Predicted:   1     2      3    4     5     6      7    8     9
    # Tokens:    BARS METER   60  DUR.  STEP  METER   60  DUR.  STEP
    # BARS and METER are not scored: 3 + 4 + 5 = 12 bits until the first step, then 7 + 8 + 9 = 24.
    # Two and a half quarters: the first step's and 30 - 12 = 18 ticks; the first frame is given as ever.
    piece = Piece("x", (Track(),), (Note(0, 12, 60), Note(12, 18, 60)), 30, (Meter(0, 1, 4), Meter(12, 3, 8)))
    other = Piece("y", (Track(),), (), 12, (Meter(0, 4, 4), Meter(3, 4, 4), Meter(6, 4, 4)))
    notation = suit([piece, other], "notes", 0, False, False)
    tokens = encode(piece, notation)[0]
    assert len(tokens) == 10
    score = score_frames([tokens], notation, halves)
    assert (score.first, score.rest) == (pytest.approx(12 * math.log(2)), pytest.approx(24 * math.log(2)))
    assert (score.frames, score.pieces, score.notes) == (2.5, 1, 2)
    assert score.nats_per_frame == pytest.approx(24 * math.log(2) / 1.5)


@given(
    rolls=st.lists(
        st.lists(st.sets(st.integers(40, 60), max_size=4).map(lambda frame: tuple(sorted(frame))), min_size=2),
        min_size=1,
    )
)
def test_even_chances_cost_the_same_for_every_token(rolls: list[list[tuple[int, ...]]]) -> None:
    pieces, notation = framed(rolls)
    score = score_frames(pieces, notation, lambda tokens: np.full(len(tokens) - 1, -math.log(notation.size)))
    predicted = sum(len(frame) + 1 for roll in rolls for frame in roll[1:])
    first = sum(len(roll[0]) + 1 for roll in rolls)
    assert score.rest == pytest.approx(predicted * math.log(notation.size))
    assert score.first == pytest.approx(first * math.log(notation.size))
    assert score.frames == sum(map(len, rolls))
    assert score.nats_per_frame == pytest.approx(score.rest / sum(len(roll) - 1 for roll in rolls))
    assert score.notes == sum(len(frame) for roll in rolls for frame in roll)


def test_a_predictor_must_predict_every_token() -> None:
    pieces, notation = framed([[(60,), (62,)]])
    with pytest.raises(ValueError, match="6 predictions of 5 tokens"):
        score_frames(pieces, notation, lambda tokens: np.zeros(len(tokens)))


def test_no_pieces_no_figure() -> None:
    _, notation = framed([[(60,), (62,)]])
    assert score_frames([], notation, halves).nats_per_frame == 0


@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA names no folder with the published rolls")
def test_the_count_model_has_its_published_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("music")
    score = bench.count_score(bench.rolls("JSB_Chorales", tmp_path))
    assert score.nats_per_frame == pytest.approx(5.75, abs=0.005)
    assert score.frames - score.pieces == 4648


def test_the_count_model_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("music")
    # Counted in frames two and three, not in the first: 60, and the end after it. Asked for 60 in frame three:
    #   any:                              60 twice, the end twice: (2 + 2 / 89) / (4 + 2)
    #   place, last, voice, begun, frame: 60 twice, nothing else: (2 + p) / (2 + 1), five times
    #   frames:                           60 once, for before frame two came no other: (1 + p) / (1 + 1)
    # The same for the end, which is all that came at the second place.
    (tokens,), notation = framed([[(60,), (60,), (60,)]])
    model = bench.CountModel([tokens], notation)
    expected = (2 + 2 / 89) / 6
    for _ in range(5):
        expected = (2 + expected) / 3
    expected = (1 + expected) / 2
    log_probs = model(tokens)
    assert math.exp(log_probs[-2]) == pytest.approx(expected)
    assert math.exp(log_probs[-1]) == pytest.approx(expected)
