"""The page holds what was measured and nothing that text could break out of."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recurra.explain.html import embed
from recurra.explain.measurements import Measured, measure
from recurra.explain.page import page_data, write_page
from recurra.explain.passage import Passage, Subject

NASTY = '</script><b>"{{data}}" & <!-- \u2028'


class Elements(HTMLParser):
    """Counts start tags, and keeps the data script."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


@pytest.fixture(scope="module")
def measured(make_model, text_passage: Passage) -> Measured:
    vocabulary = int(text_passage.tokens.max()) + 1
    subjects = [
        Subject(NASTY, make_model(vocabulary, ngrams=2), {NASTY: NASTY}),
        Subject("b", make_model(vocabulary, "gru")),
    ]
    return measure(subjects, text_passage)


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


def test_text_stays_text(measured: Measured, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", measured)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    elements = parsed(page)
    assert elements.tags.count("script") == 2
    assert elements.tags.count("b") == 1  # the template's own
    data = json.loads(elements.scripts[0])
    assert data["name"] == NASTY
    assert data["facts"] == {NASTY: NASTY}
    assert "".join(data["labels"]) == "".join(measured.passage.labels[: measured.shown])
    assert data["source"] == "a <b>text</b>"


def test_nothing_is_fetched(measured: Measured, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", measured)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"(https?:)?//[a-z]|url\(|@import|fetch\(|XMLHttp", page.split('id="data"')[0])
    assert "http" not in page.replace("http-equiv", "")
    assert not {name for name, _ in parsed(page).attributes} & {"src", "href", "srcset", "action"}
    assert "default-src 'none'" in page


def test_activations_survive_as_bytes(measured: Measured) -> None:
    neurons = page_data(measured)["neurons"]
    units = measured.activations.shape[1]
    stored = np.frombuffer(base64.b64decode(neurons["activations"]), dtype=np.int8).reshape(units, measured.shown)
    restored = (stored / 127 * np.array(neurons["largest"])[:, None]).T
    tolerance = np.array(neurons["largest"]) * (0.5 / 127 + 0.006)  # rounding to a byte, and to three digits
    assert (np.abs(restored - measured.activations[: measured.shown]) <= tolerance).all()
    assert neurons["layers"] * neurons["hidden_size"] == units


def test_figures_are_those_measured(measured: Measured) -> None:
    data = json.loads(embed(page_data(measured)))
    tracker, first = data["neurons"]["trackers"][0], measured.findings.trackers[0]
    assert (tracker["feature"], tracker["unit"], tracker["sign"]) == (first.feature, first.unit, first.sign)
    assert tracker["auc"] == pytest.approx(first.auc, abs=1e-3)
    holds = measured.passage.features[first.feature]
    assert [mark == "1" for mark in tracker["holds"]] == holds[: measured.shown].tolist()
    assert [model["effective"] for model in data["context"]] == [context.effective for context in measured.contexts]
    np.testing.assert_allclose(data["surprisal"]["bits"], measured.surprisal.bits, rtol=6e-3)
    np.testing.assert_allclose(data["surprisal"]["silent_bits"], measured.surprisal.silent_bits, rtol=6e-3)
    shown = data["surprisal"]["names"][str(measured.surprisal.alternatives[5, 0])]
    assert shown == measured.passage.name(int(measured.surprisal.alternatives[5, 0]))


def test_data_hold_no_markup_and_no_nan() -> None:
    text = embed({"a": NASTY})
    assert not set(text) & set("<>&")
    assert text.isascii()
    assert json.loads(text) == {"a": NASTY}
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed([float("nan")])


@pytest.fixture(scope="module")
def measured_music(music_network, music_passage: Passage) -> Measured:
    return measure([Subject("a", music_network)], music_passage)


def test_text_has_no_roll(measured: Measured) -> None:
    assert page_data(measured)["view"] is None


def test_music_without_tables_says_nothing_of_them(measured_music: Measured) -> None:
    assert page_data(measured_music)["surprisal"]["silent_bits"] is None


def test_a_text_is_given_no_features(measured: Measured) -> None:
    assert {tracker["given_auc"] for tracker in page_data(measured)["neurons"]["trackers"]} == {None}


def test_a_roll_is_the_passage_as_notes(measured_music: Measured, music_passage: Passage, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", measured_music)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert parsed(page).tags.count("b") == 1
    data = json.loads(parsed(page).scripts[0])
    roll = data["view"]
    assert len(roll["groups"]) == len(roll["bits"]) == 120
    for note, cost in zip(roll["groups"], roll["bits"], strict=True):
        own = range(note["first"], note["last"] + 1)
        assert data["labels"][note["first"] :][:3].count("→1/4") == 0
        assert cost == pytest.approx(sum(measured_music.surprisal.bits[place - 1] for place in own), rel=6e-3)
        assert note["name"].split()[0] in [data["labels"][place] for place in own]
        assert 0 <= note["lane"] < len(roll["lanes"])
    assert roll["mean"] == pytest.approx(np.mean(roll["bits"]), rel=6e-3)
    assert len(roll["spans"]) == len(data["labels"]) == len(music_passage)
    placed = [any(row["begin"] <= begin < row["end"] for row in roll["rows"]) for begin, _ in roll["spans"]]
    assert all(placed)
    assert [bar["title"] for row in roll["rows"] for bar in row["bars"] if bar["title"]] == ["<b>one</b>", "piece 2"]
    trackers = data["neurons"]["trackers"]
    assert trackers
    assert all(0 <= tracker["given_auc"] <= 1 for tracker in trackers)
