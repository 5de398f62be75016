"""Maps and analogies: which words are drawn, where, and what is told of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recurra.data.vectors import CharacterNgrams, Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.maps import parallelogram, pictures
from recurra.tasks.embeddings.maps.labels import Label, draw_labels, shortened
from recurra.tasks.embeddings.maps.parallelogram import Parallelogram
from recurra.tasks.embeddings.maps.pictures import draw_map, letter_sizes
from recurra.tasks.embeddings.maps.plot import plot
from recurra.tasks.embeddings.maps.word_map import WordMap, choose, make_map
from recurra.tasks.embeddings.model import Model
from recurra.tasks.embeddings.nearest import unit

PLANTED = ("man", "king", "woman", "queen")


def vectors(words: int = 60, size: int = 10, ngrams: CharacterNgrams | None = None) -> Vectors:
    """Random vectors of w0, w1, ...; the last four are an analogy, and the third of all is zero."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(words, size))
    matrix[2] = 0
    crown, woman = rng.normal(size=(2, size)) * 2
    matrix[-4:] = rng.normal(size=size) + np.array([0 * crown, crown, woman, crown + woman])
    names = [*(f"w{number}" for number in range(words - 4)), *PLANTED]
    rows = None if ngrams is None else rng.normal(size=(ngrams.buckets, size)).astype(np.float32)
    counts = np.arange(words, 0, -1)
    return Vectors(WordIndex.of(names), matrix.astype(np.float32), counts, WordSplitter(), ngrams, rows)


def model(made: Vectors | None = None) -> Model:
    return Model(made or vectors(), Config(), {}, "made up")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is written into pictures, each text with where it is, pixels."""
    record = SimpleNamespace(texts={}, footnotes=[])
    save = pictures._save

    def remember(canvas: Any, footnote: list[str], path: Path) -> None:
        save(canvas, footnote, path)
        record.footnotes.append(" ".join(footnote))
        (axes,) = canvas.figure.axes
        assert not any(text.get_parse_math() for text in (*axes.texts, *canvas.figure.texts) if text.get_text())
        assert canvas.figure.texts[0].get_fontsize() == 9
        for text in axes.texts:
            if text.get_text():
                record.texts[text.get_text()] = text.get_window_extent().extents
        record.frame = axes.get_window_extent().extents

    monkeypatch.setattr(pictures, "_save", remember)
    return record


def data_of(page: Path) -> dict:
    return json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "map"
    assert plot(model(), out.with_suffix(".PNG"), method="pca") == (out.with_suffix(".PNG"),)
    page, picture = plot(model(), out.with_suffix(".html"), method="pca")
    assert (page, picture) == (out.with_suffix(".html"), out.with_suffix(".png"))
    assert all(path.read_bytes()[1:4] == b"PNG" for path in (out.with_suffix(".PNG"), picture))
    assert len(data_of(page)["words"]) == 59
    assert sorted(path.name for path in out.parent.iterdir()) == ["map.PNG", "map.html", "map.png"]


@pytest.mark.parametrize(
    ("out", "options"),
    [
        ("map.svg", {}),
        ("map", {}),
        ("map.png", {"count": 2}),
        ("map.png", {"count": 5001}),
        ("map.png", {"method": "x"}),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, out: str, options: dict) -> None:
    with pytest.raises(OptionError):
        plot(model(), tmp_path / out, **options)
    assert not list(tmp_path.iterdir())


def test_the_most_frequent_words_are_drawn(tmp_path: Path) -> None:
    page, _ = plot(model(), tmp_path / "map.html", count=7)
    assert data_of(page)["words"] == ["w0", "w1", "w3", "w4", "w5", "w6"]


def test_words_of_a_list_are_drawn_by_frequency_and_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["queen", "W9", "unheard", "w2", "w9", "w4", *(f"no{number}" for number in range(10))]
    page, _ = plot(model(), tmp_path / "map.html", words=asked, method="pca")
    assert data_of(page)["words"] == ["w4", "w9", "queen"]
    told = capsys.readouterr().err
    assert "unheard, no0, no1, no2, no3, no4, no5, no6 and 3 more" in told
    assert "zero" in next(line for line in told.splitlines() if "w2" in line)


def test_words_made_of_ngrams_come_last() -> None:
    chosen = choose(vectors(ngrams=CharacterNgrams(3, 4, 50)), ["unheard", "queen", "w1"])
    assert chosen.words == ("w1", "queen", "unheard")
    np.testing.assert_allclose(np.linalg.norm(chosen.units, axis=1), 1)


@pytest.mark.parametrize("words", [["w0", "w1"], ["w0", "w1", "w1", "W0"], ["a", "b", "c"], ["w0", "w1", "w2"]])
def test_fewer_than_three_words_are_refused(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(RecurraError, match="too few"):
        plot(model(), tmp_path / "map.png", words=words)
    assert not list(tmp_path.iterdir())


def test_too_many_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="5,001"):
        plot(model(), tmp_path / "map.png", words=["w0"] * 5001)
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    files = [plot(model(), tmp_path / f"{number}.html", count=20, seed=seed) for number, seed in enumerate((1, 1, 2))]
    for first, again, other in zip(*files, strict=True):
        assert first.read_bytes() == again.read_bytes()
        assert first.read_bytes() != other.read_bytes()


def test_the_map_says_what_it_is() -> None:
    chosen = choose(vectors(), vectors().words[:40])
    pca, tsne = (make_map("made up", chosen, method, 1) for method in ("pca", "t-sne"))
    variance = np.linalg.eigvalsh(np.cov(chosen.units.T))[::-1]
    assert f"{100 * variance[1] / variance.sum():.1f} %" in pca.axes[1]
    assert f"{100 * variance[:2].sum() / variance.sum():.0f} %" in pca.faithful
    assert tsne.axes == ()
    assert "KL divergence" in tsne.faithful
    (across, both), (_, upwards) = np.cov(tsne.points.T)
    assert across > upwards, "wider than high"
    assert abs(both) < 1e-6 * across
    assert set(pca.groups) == set(range(3)), "a group for every ten of 39 words"


def apart(boxes: list[np.ndarray]) -> bool:
    """Whether no box has more than a hair in common with another."""
    a = np.array(boxes)
    width = np.minimum(a[:, None, 2], a[:, 2]) - np.maximum(a[:, None, 0], a[:, 0])
    height = np.minimum(a[:, None, 3], a[:, 3]) - np.maximum(a[:, None, 1], a[:, 1])
    both = np.minimum(width, height)
    np.fill_diagonal(both, -1)
    return bool((both < 2).all())


def crowded(count: int) -> WordMap:
    """Words of many lengths, most of them in a small part of the map."""
    rng = np.random.default_rng(5)
    words = tuple(f"{'word' * rng.integers(1, 4)}{number}" for number in range(count))
    points = rng.normal(size=(count, 2)) * rng.uniform(size=(count, 1))
    return WordMap("crowd", words, np.eye(count), points, np.zeros(count, np.int64), "pca", ("a", "b"), "so")


def test_names_do_not_cover_each_other_and_those_left_out_are_counted(tmp_path: Path, drawn: SimpleNamespace) -> None:
    word_map = crowded(300)
    told = draw_map(word_map, tmp_path / "map.png")
    left_out = 300 - len(drawn.texts)
    assert 0 < left_out < 250
    assert told == f"dots without a name: {left_out} for want of room"
    assert told.capitalize() in drawn.footnotes[0]
    assert apart(list(drawn.texts.values()))
    boxes = np.array(list(drawn.texts.values()))
    assert (boxes[:, :2] >= drawn.frame[:2] - 2).all(), "none beyond the frame"
    assert (boxes[:, 2:] <= drawn.frame[2:] + 2).all()
    assert set(word_map.words[:3]) <= set(drawn.texts), "the most frequent have the first choice"


def test_names_stand_beside_their_dots(tmp_path: Path, drawn: SimpleNamespace) -> None:
    word_map = crowded(12)
    assert draw_map(word_map, tmp_path / "map.png") == ""
    low, high = word_map.points.min(axis=0), word_map.points.max(axis=0)
    centres = {word: (box[:2] + box[2:]) / 2 for word, box in drawn.texts.items()}
    pixels = (drawn.frame[2:] - drawn.frame[:2]) / 1.16
    unit = (pixels / (high - low)).min()
    for one, first in enumerate(word_map.words):
        for other, second in enumerate(word_map.words[:one]):
            expected = (word_map.points[one] - word_map.points[other]) * unit
            assert np.abs(centres[first] - centres[second] - expected).max() < 180, "no further than two names are wide"


def test_a_name_avoids_other_dots_if_it_can(tmp_path: Path) -> None:
    canvas, axes = pictures._new("")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label = Label("name", np.array([0.5, 0.5]), 12, "black", 3)
    right = np.stack([np.linspace(0.505, 0.56, 30), np.full(30, 0.5)], axis=1)
    assert draw_labels(axes, canvas, [label], np.zeros((0, 2))) == draw_labels(axes, canvas, [label], right) == 0
    free, turned = (axes.transData.inverted().transform(text.get_window_extent().get_points()) for text in axes.texts)
    assert free[0, 0] > 0.5, "to the right where there is nothing"
    assert turned[1, 0] < 0.5, "to the left of a row of dots"


def test_names_that_no_font_has_are_told(tmp_path: Path, drawn: SimpleNamespace) -> None:
    word_map = crowded(4)
    strange = WordMap(**{**vars(word_map), "words": ("plain", "\U0010fffd", "$x_1$", "y" * 80)})
    assert draw_map(strange, tmp_path / "map.png") == "dots without a name: 1 since no font here has their letters"
    assert set(drawn.texts) == {"plain", "$x_1$", shortened("y" * 80)}
    assert len(shortened("y" * 80)) == 40


def test_letters_shrink_with_frequency() -> None:
    sizes = letter_sizes(100)
    assert (np.diff(sizes) < 0).all()
    assert (sizes[0], sizes[-1]) == (pictures.LARGEST, pictures.SMALLEST)
    assert len(letter_sizes(1)) == 1


def test_an_analogy_is_a_parallelogram() -> None:
    made = vectors()
    found = Parallelogram.of(made, ("MAN", "king", "woman", "queen"))
    assert found.words == PLANTED
    a, b, c, _ = found.points
    np.testing.assert_allclose(found.sum_point - c, b - a, atol=1e-9)
    units = unit(made.matrix[-4:])
    centred = units - units.mean(axis=0)
    values = np.linalg.svd(centred)[1] ** 2
    np.testing.assert_allclose(found.explained, values[:2] / values.sum(), atol=1e-9)
    np.testing.assert_allclose((found.points**2).sum(axis=0), values[:2], atol=1e-9)
    assert not set(found.around) & {*PLANTED, "w2"}


@pytest.mark.parametrize("words", [PLANTED, ("w0", "w1", "w3", "w4"), ("w9", "king", "w11", "w12")])
def test_the_rank_of_an_answer_and_the_words_around_are_those_of_all_cosines(words: tuple[str, str, str, str]) -> None:
    made = vectors()
    units = unit(made.matrix)
    at = [made.words.find(word) for word in words]
    a, b, c, d = at
    sought = unit((units[b] - units[a] + units[c])[None])[0]
    found = Parallelogram.of(made, words)
    cosines = units @ sought
    assert found.similarity == pytest.approx(cosines[d])
    cosines[[a, b, c]] = -2
    assert found.rank == 1 + np.argsort(-cosines).tolist().index(d)
    near = set()
    for direction in (sought, *units[at]):
        cosines = units @ direction
        cosines[at] = -2
        near |= {made.words[index] for index in np.argsort(-cosines)[: parallelogram.AROUND].tolist()}
    assert set(found.around) == near


def test_a_zero_vector_is_around_nothing() -> None:
    assert set(Parallelogram.of(vectors(words=8), PLANTED).around) == {"w0", "w1", "w3"}


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (("man", "king", "woman", "unheard"), RecurraError, "unheard"),
        (("man", "king", "man", "queen"), OptionError, "four different"),
        (("man", "king", "Man", "queen"), OptionError, "four different"),
        (("w2", "king", "man", "queen"), OptionError, "w2"),
    ],
)
def test_analogies_of_other_words_are_refused(
    tmp_path: Path, words: tuple[str, str, str, str], error: type[RecurraError], named: str
) -> None:
    with pytest.raises(error, match=named):
        plot(model(), tmp_path / "map.png", analogy=words)
    assert not list(tmp_path.iterdir())


def test_an_analogy_is_drawn(tmp_path: Path, drawn: SimpleNamespace) -> None:
    assert plot(model(), tmp_path / "analogy.png", analogy=PLANTED) == (tmp_path / "analogy.png",)
    assert {*PLANTED, "king - man + woman"} <= set(drawn.texts)
    assert "queen is the nearest word" in drawn.footnotes[0]
    assert apart(list(drawn.texts.values()))
    plot(model(), tmp_path / "other.png", analogy=("w0", "w1", "w3", "w4"))
    assert "w4 is number" in drawn.footnotes[1]


def test_a_page_opens_with_its_analogy_and_has_both_pictures_beside_it(tmp_path: Path) -> None:
    files = plot(model(), tmp_path / "map.html", count=10, analogy=PLANTED, method="pca")
    assert [path.name for path in files] == ["map.html", "map.png", "map-analogy.png"]
    assert all(path.stat().st_size > 1000 for path in files)
    data = data_of(files[0])
    assert [data["words"][index] for index in data["analogy"]] == list(PLANTED[:3])
    assert "queen" in data["words"]
    assert len(data["words"]) == 13


@pytest.mark.parametrize("made", [vectors(size=1), vectors(size=2)])
def test_vectors_of_one_or_two_dimensions_are_drawn(tmp_path: Path, made: Vectors) -> None:
    for method in ("pca", "t-sne"):
        plot(model(made), tmp_path / "map.html", count=10, method=method)
