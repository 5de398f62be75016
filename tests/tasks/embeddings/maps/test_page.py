"""The page of a map: what it holds, that it holds together, and that its script finds what NumPy finds."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.tasks.embeddings.maps import page as module
from recurra.tasks.embeddings.maps.page import page_data, rounded_vectors, write_page
from recurra.tasks.embeddings.maps.word_map import WordMap
from recurra.tasks.embeddings.nearest import unit

NASTY = '</script><img onerror=x src=y><b>"{{data}}" & <!-- \u2028'
WORDS = (NASTY, "the", "Ärger", "arger", "scar", "cart", "car", "好", "שלום", "-")
NODE = shutil.which("node")


def made(count: int = 40, size: int = 12, words: tuple[str, ...] = WORDS) -> WordMap:
    rng = np.random.default_rng(0)
    words = (*words, *(f"w{number}" for number in range(count - len(words))))
    units, points = unit(rng.normal(size=(count, size))), rng.normal(size=(count, 2))
    groups = rng.integers(8, size=count)
    return WordMap(NASTY, words, units, points, groups, "pca", ("first", "second"), NASTY)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


def read(path: Path) -> Elements:
    elements = Elements()
    elements.feed(path.read_text(encoding="utf-8"))
    return elements


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_page(tmp_path / "map.html", made())
    return tmp_path / "map.html"


def test_text_stays_text(page: Path) -> None:
    elements = read(page)
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("script") == 2
    assert not {"img", "b"} & set(tags)
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    data = json.loads(elements.scripts[0])
    assert data["words"] == list(made().words)
    assert data["name"] == data["faithful"] == NASTY
    assert "innerHTML" not in page.read_text(encoding="utf-8")


def test_nothing_is_fetched(page: Path) -> None:
    whole = page.read_text(encoding="utf-8")
    assert "http" not in whole.replace("http-equiv", "")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", whole)
    assert not {name for _, attributes in read(page).tags for name in attributes} & {"src", "href", "srcset", "action"}
    assert "default-src 'none'" in whole


def test_everything_that_is_named_is_there_and_labelled(page: Path) -> None:
    elements, whole = read(page), page.read_text(encoding="utf-8")
    ids = [str(attributes["id"]) for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'at\("([a-z-]+)"\)', whole)) <= set(ids)
    labelled = {attributes.get("for") for tag, attributes in elements.tags if tag == "label"}
    assert {attributes["id"] for tag, attributes in elements.tags if tag == "input"} == labelled
    for _, attributes in elements.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name, ids[0]) in ids


def test_places_fill_a_square_and_go_downwards() -> None:
    word_map = made()
    data = page_data(word_map)
    x, y = np.array(data["x"]), np.array(data["y"])
    assert max(np.ptp(x), np.ptp(y)) == pytest.approx(1)
    assert min(x.min(), y.min()) >= 0
    assert max(x.max(), y.max()) <= 1
    scale = np.ptp(word_map.points, axis=0).max()
    np.testing.assert_allclose(np.diff(x) * scale, np.diff(word_map.points[:, 0]), atol=1e-3 * scale)
    np.testing.assert_allclose(np.diff(y) * scale, -np.diff(word_map.points[:, 1]), atol=1e-3 * scale)


def vectors_of(data: dict[str, Any]) -> np.ndarray:
    """The vectors as the page has them, brought to length one."""
    raw = np.frombuffer(base64.b64decode(data["vectors"]), np.int8).reshape(len(data["words"]), data["size"])
    return unit(raw.astype(np.float64))


def overlap(first: np.ndarray, second: np.ndarray, count: int = 10) -> float:
    """The share of the nearest neighbours by the first vectors that are so by the second."""
    found = []
    for units in (first, second):
        cosines = units @ units.T
        np.fill_diagonal(cosines, -2)
        found.append(np.argsort(-cosines, axis=1)[:, :count])
    return float(np.mean([len(np.intersect1d(*rows)) / count for rows in zip(*found, strict=True)]))


@pytest.mark.parametrize("size", [5, 100])
def test_rounded_vectors_have_the_same_neighbours(size: int) -> None:
    units = unit(np.random.default_rng(1).normal(size=(500, size)) * np.geomspace(1, 0.1, size))
    rounded = vectors_of(page_data(made()) | {"words": range(500), "size": size,
                         "vectors": base64.b64encode(rounded_vectors(units).tobytes())})  # fmt: skip
    np.testing.assert_allclose(rounded @ rounded.T, units @ units.T, atol=0.015)
    assert overlap(units, rounded) > 0.95


def test_long_vectors_are_brought_to_fewer_dimensions_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VECTOR_BYTES", 200 * 20)
    rng = np.random.default_rng(2)
    units = unit(rng.normal(size=(200, 15)) @ rng.normal(size=(15, 64)) + 0.01 * rng.normal(size=(200, 64)))
    rounded = rounded_vectors(units)
    assert rounded.shape == (200, 20)
    assert overlap(units, unit(rounded.astype(np.float64))) > 0.95
    assert "from 64 dimensions to 20" in page_data(made(200, 64))["rounded"]
    assert "dimensions" not in page_data(made(200, 20))["rounded"]


@pytest.mark.parametrize("size", [300, 1100])
def test_two_thousand_words_take_less_than_three_megabytes(tmp_path: Path, size: int) -> None:
    write_page(tmp_path / "map.html", made(2000, size))
    assert (tmp_path / "map.html").stat().st_size < 3_000_000


def answers(word_map: WordMap, wanted: str) -> Any:
    """What the page's functions, those that need no document, make of a map: the value of `wanted`."""
    if NODE is None:
        pytest.skip("there is no Node.js to run the page's script with")
    script = Path(module.__file__).with_name("map.js").read_text(encoding="utf-8")
    functions = script.split("// ---- the page ----")[0]
    program = f"{functions}\nconst space = spaceOf({json.dumps(page_data(word_map))});"
    program += f"\nconsole.log(JSON.stringify({wanted}));"
    done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, encoding="utf-8", check=True)
    return json.loads(done.stdout)


def test_the_script_finds_the_neighbours_that_numpy_finds() -> None:
    word_map = made()
    units = vectors_of(page_data(word_map))
    cosines = units @ units.T
    np.fill_diagonal(cosines, -2)
    for index, found in enumerate(answers(word_map, "space.words.map((_, i) => neighbours(space, i, 6))")):
        assert [row["index"] for row in found] == np.argsort(-cosines[index])[:6].tolist()
        np.testing.assert_allclose([row["cosine"] for row in found], np.sort(cosines[index])[:-7:-1], atol=1e-9)


def test_the_script_solves_analogies_as_numpy_does() -> None:
    word_map = made()
    units = vectors_of(page_data(word_map))
    triples = np.random.default_rng(3).permutation(39).reshape(-1, 3)
    script = f"{triples.tolist()}.map(([a, b, c]) => analogies(space, a, b, c, 5))"
    for (a, b, c), found in zip(triples, answers(word_map, script), strict=True):
        cosines = units @ unit((units[b] - units[a] + units[c])[None])[0]
        cosines[[a, b, c]] = -2
        assert [row["index"] for row in found] == np.argsort(-cosines)[:5].tolist()
        np.testing.assert_allclose(found[0]["cosine"], cosines.max(), atol=1e-9)


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        ("car", ["car", "cart", "scar"]),
        ("CA", ["cart", "car", "scar"]),
        ("ärg", ["Ärger", "arger"]),
        ("arger", ["arger", "Ärger"]),
        ("好", ["好"]),
        ("-", ["-", NASTY]),
        ("zzz", []),
        (" ", []),
        ("</scr", [NASTY]),
    ],
)
def test_the_script_suggests_words(typed: str, suggested: list[str]) -> None:
    found = answers(made(), f"suggest(space, {json.dumps(typed)}, 8).map(i => space.words[i])")
    assert found == suggested


def test_the_script_finds_a_word_as_it_is_or_without_accents_and_capitals() -> None:
    typed = ["Ärger", "arger", "ARGER", " car ", "CÄR", "nothing", "", "שלום"]
    words = answers(made(), f"{json.dumps(typed)}.map(t => space.words[find(space, t)] ?? null)")
    assert words == ["Ärger", "arger", "Ärger", "car", "car", None, None, "שלום"]
