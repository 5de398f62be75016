"""The map has each weight in its place, and no token makes matplotlib or the markup fail (warnings are errors)."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from recurra.explain.attention_map import (
    END,
    FAINT,
    LEGIBLE,
    attention_svg,
    columns_of,
    cut,
    draw_attention,
    shown,
    side_of_cell,
)
from recurra.explain.pictures import DPI

STRANGE = [" a$x_1$", "\\frac", "\n", "\t", "好的", "\U0001f600", "", "\u0301", "\x07", "\u0378", "\u202e", "wort" * 30]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=float)


def test_tokens_can_be_seen() -> None:
    assert [shown(token) for token in (" two", "ish", "\n", "", " ", "\t", "a\u202eb")] == [
        "␣two", "ish", "↵", END, "␣", "→", "a\N{REPLACEMENT CHARACTER}b",
    ]  # fmt: skip
    # Spaces, joiners and hyphens of ordinary French, Persian, emoji and German are no unknown tokens.
    for token, seen in (
        ("10\xa0h\u202f?", "10␣h␣?"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔬",) * 2,
        ("a\xadb", "a-b"),
    ):
        assert shown(token) == seen


@given(st.text(), st.integers(1, 20))
def test_what_is_cut_fits_and_begins_the_same(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert columns_of(short) <= longest
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]) and columns_of(text) > longest)


def test_dark_is_where_the_weight_is(tmp_path: Path) -> None:
    places = [2, 0, 1]
    draw_attention(np.eye(3, dtype=np.float32)[places], list("abc"), ["x", "y", ""], tmp_path / "map.png")
    picture = pixels(tmp_path / "map.png")
    side = side_of_cell(3) * DPI
    dark = picture < 60
    # Cells fully dark along a row and down a column at their middle: find each by its centre of gravity.
    solid = dark & np.roll(dark, 6, 0) & np.roll(dark, -6, 0) & np.roll(dark, 6, 1) & np.roll(dark, -6, 1)
    solid[:, int(picture.shape[1] - 0.8 * DPI) :] = False  # the scale of colours
    rows, columns = np.nonzero(solid)
    top, left = rows.min(), columns.min()
    steps, found = ((values - low) // side for values, low in ((rows, top), (columns, left)))
    assert {(int(step), int(place)) for step, place in zip(steps, found, strict=True)} == set(enumerate(places))


@pytest.mark.parametrize("title", ["", "$x_1$ 好 a very long title " * 9])
def test_strange_tokens_are_drawn(title: str, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).random((len(STRANGE), len(STRANGE)), dtype=np.float32)
    draw_attention(weights, STRANGE, STRANGE, tmp_path / "map.png", title)
    assert min(pixels(tmp_path / "map.png").shape) > 300


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 60), (60, 3), (60, 60), (2, 900)])
def test_every_size_is_drawn(rows: int, columns: int, tmp_path: Path) -> None:
    weights = np.full((rows, columns), 1 / columns, dtype=np.float32)
    draw_attention(weights, [" word"] * columns, ["x"] * rows, tmp_path / "map.png")
    assert max(pixels(tmp_path / "map.png").shape) < 4000


def test_sixty_labels_have_room() -> None:
    assert all(side_of_cell(count) >= LEGIBLE - 0.01 for count in range(1, 61))
    assert side_of_cell(10_000) * 10_000 == pytest.approx(side_of_cell(5000) * 5000)


def test_nothing_at_all_and_what_is_no_number(tmp_path: Path) -> None:
    for value in (0.0, np.nan):
        weights = np.full((2, 2), value, dtype=np.float32)
        weights[0, 0] = 0
        draw_attention(weights, list("ab"), list("cd"), tmp_path / "map.png")
        assert "look" not in attention_svg(weights, list("ab"), list("cd"))


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 1, width=32)))
def test_svg_has_each_weight_in_its_cell(weights: np.ndarray) -> None:
    sources, targets = [f"s{i}" for i in range(weights.shape[1])], [f"<t{i}>" for i in range(weights.shape[0])]
    svg = ET.fromstring(attention_svg(weights, sources, targets))
    left, top, cell = (int(svg.attrib[f"data-{name}"]) for name in ("left", "top", "cell"))
    drawn = np.zeros_like(weights)
    for rect in svg.iterfind("rect[@class='look']"):
        place = (int(rect.attrib["y"]) - top) // cell, (int(rect.attrib["x"]) - left) // cell
        drawn[place] = float(rect.attrib["fill-opacity"]) * weights.max()
    np.testing.assert_allclose(drawn, np.where(weights >= FAINT, weights, 0), atol=1e-3)
    assert [text.text for text in svg.iterfind("text[@class='source']")] == sources
    assert [text.text for text in svg.iterfind("text[@class='target']")] == targets


def test_weights_must_fit_the_tokens(tmp_path: Path) -> None:
    for shape in ((2, 3), (3, 1), (0, 2)):
        with pytest.raises(ValueError, match="source tokens"):
            draw_attention(np.ones(shape, np.float32), list("ab"), list("xyz")[: shape[0]], tmp_path / "map.png")
    assert not list(tmp_path.iterdir())
