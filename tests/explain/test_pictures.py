"""Pictures open, have the colours they should, and no text makes matplotlib warn or fail (warnings are errors here)."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recurra.explain.effective_context import ContextLoss, GradientNorms
from recurra.explain.passage import Passage
from recurra.explain.pictures import (
    DIVERGING,
    SEQUENTIAL,
    colours_of,
    draw_context,
    draw_surprisal,
    draw_units,
    surprisal_scale,
    telling_window,
)
from recurra.explain.units import Tracker

LABELS = [*"a$x_1$ \\frac ", "\n", "\t", "好的", "\U0001f600", "", "\u0301", "\x07", "\u0378", "word " * 30] * 4


@pytest.fixture
def strange() -> Passage:
    holds = {"$\\every_ other^": np.arange(len(LABELS)) % 2 == 0}
    return Passage(np.arange(len(LABELS)), LABELS, holds, str, "a $source_ of^ 好", "sign")


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def test_strange_text_is_drawn(strange: Passage, tmp_path: Path) -> None:
    tracker = Tracker("$\\every_ other^", 1, -1, 0.9, 0.8, 0.7, 0.5)
    values = np.random.default_rng(0).normal(size=(len(LABELS), 2)).astype(np.float32)
    draw_units(strange, values, [tracker, tracker], tmp_path / "two.png")
    draw_units(strange, values, [tracker], tmp_path / "one.png")
    draw_units(strange, values, [], tmp_path / "none.png")
    heights = [size(tmp_path / f"{name}.png")[1] for name in ("two", "one", "none")]
    assert heights[0] > heights[1]
    draw_surprisal(strange, np.linspace(0, 20, len(LABELS) - 1), tmp_path / "surprisal.png")
    assert min(size(tmp_path / "surprisal.png")) > 100


def test_reach_is_drawn_whatever_the_figures(tmp_path: Path) -> None:
    gradients = [
        GradientNorms(norms)
        for norms in (np.ones((2, 9)), np.zeros((1, 9)), np.array([[1.0, 2.0, np.inf]]), 0.1 ** np.arange(40.0)[None])
    ]
    contexts = [ContextLoss((1, 2, 4), np.full((3, 3), value)) for value in (1.0, 2.0, 3.0, np.nan)]
    names = ["_hidden", "$\\frac$", "好", "</b>"]
    draw_context(names, gradients, contexts, "token", tmp_path / "context.png")
    assert min(size(tmp_path / "context.png")) > 400


@pytest.mark.parametrize("measured", [3, 100])
def test_a_text_of_long_lines_is_drawn_as_far_as_it_was_measured(tmp_path: Path, measured: int) -> None:
    """Lines fill the whole picture, whose cells are more than the tokens measured."""
    labels = list("all work and no play makes a dull text indeed, " * 80)
    passage = Passage(np.zeros(len(labels), dtype=int), labels, {}, str, "prose.txt")
    draw_surprisal(passage, np.ones(measured), tmp_path / "surprisal.png")
    assert size(tmp_path / "surprisal.png")[1] > 100
    if measured == 3:
        draw_surprisal(passage.beginning(4), np.ones(3), tmp_path / "beginning.png")
        assert (tmp_path / "surprisal.png").read_bytes() == (tmp_path / "beginning.png").read_bytes()


def test_scales_of_colour() -> None:
    low, zero, high = colours_of(np.array([-7.0, 0.0, 1.0]), DIVERGING)
    assert zero.tolist() == [1, 1, 1, 1]
    assert low[2] > low[0]
    assert high[0] > high[2]
    none, much = colours_of(np.array([0.0, 99.0]), SEQUENTIAL, low=0.0)
    assert none.tolist() == [1, 1, 1, 1]
    assert much[0] > much[2]


def test_strongest_surprise_leaves_out_a_few_outliers() -> None:
    assert surprisal_scale(np.array([2.5] * 99 + [40.0])) == 3.0
    assert surprisal_scale(np.zeros(3)) == 1.0


def test_window_shows_the_feature_and_its_absence() -> None:
    holds = np.zeros(100, dtype=bool)
    holds[60:70] = True
    begin = telling_window(holds, 20)
    assert holds[begin : begin + 20].sum() == 10
    assert telling_window(holds, 200) == 0
