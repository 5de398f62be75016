"""Everything at once, with a tiny model of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recurra.errors import RecurraError
from recurra.explain import measurements as measuring
from recurra.explain import report as reporting
from recurra.explain.measurements import measure, searched_length
from recurra.explain.passage import Passage, Subject
from recurra.explain.report import explain
from recurra.tasks.music import features as music_features
from recurra.tasks.music.notation import Notation


def test_page_and_pictures_are_written(make_model, text_passage: Passage, tmp_path: Path) -> None:
    vocabulary = int(text_passage.tokens.max()) + 1
    subjects = [Subject(cell, make_model(vocabulary, cell)) for cell in ("lstm", "rnn")]
    result = explain(subjects, text_passage, tmp_path / "new" / "page.html")
    names = ["page.html", "page-neurons.png", "page-context.png", "page-surprisal.png"]
    assert [path.name for path in result.files] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    for path in result.files[1:]:
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 100
    page = result.files[0].read_text(encoding="utf-8")
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [model["name"] for model in data["context"]] == ["LSTM", "RNN"]
    assert result.measured.findings.trackers
    assert len(data["labels"]) == len(text_passage)


def test_what_no_font_has_is_told(
    make_model,
    text_passage: Passage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reporting, "not_drawn", lambda labels: [chr(0x1F600 + number) for number in range(12)])
    subject = Subject("a", make_model(int(text_passage.tokens.max()) + 1, "lstm"))
    reporting.explain([subject], text_passage, tmp_path / "p.html")
    assert "no installed font has \N{GRINNING FACE}" in (told := capsys.readouterr().err)
    assert "and 2 more" in told


def test_music_is_drawn_as_a_roll(music_network, music_passage: Passage, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "MAX_ACTIVATIONS", 12 * 350)
    monkeypatch.setattr(measuring, "MAX_SHOWN_ACTIVATIONS", 12 * 301)
    result = explain([Subject("a", music_network)], music_passage, tmp_path / "page.html")
    measured = result.measured
    assert (len(measured.passage), measured.shown) == (350, 301)
    assert len(measured.passage.view.times) == 350
    for path in result.files[1:]:
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 100
    page = result.files[0].read_text(encoding="utf-8")
    roll = json.loads(page.partition('id="data">')[2].partition("</script>")[0])["view"]
    assert len(roll["spans"]) == 301
    assert all(note["last"] < 301 for note in roll["groups"])
    assert {tracker.feature for tracker in measured.findings.trackers} >= {"bar begins", "all voices sound"}


def test_music_without_notes_will_do(
    music_network, music_notation: Notation, music_passage: Passage, tmp_path: Path
) -> None:
    step = music_passage.labels.index("→1/4")
    silence = music_features.passage(music_notation, np.full(40, music_passage.tokens[step]), "silence")
    starts = music_features.passage(music_notation, np.zeros(40, dtype=int), "starts")
    for passage in (silence, starts):
        result = explain([Subject("a", music_network)], passage, tmp_path / "page.html")
        roll = json.loads(
            result.files[0].read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
        )["view"]
        assert (roll["groups"], roll["bits"], roll["mean"]) == ([], [], None)
        assert len(roll["spans"]) == 40
        assert roll["scale"] >= 1
        for path in result.files[1:]:
            with Image.open(path) as image:
                image.load()
                assert min(image.size) > 60


def test_a_long_passage_is_read_and_shown_in_part(make_model, text_passage: Passage, monkeypatch) -> None:
    model = make_model(int(text_passage.tokens.max()) + 1)
    monkeypatch.setattr(measuring, "MAX_ACTIVATIONS", 12 * 350)
    monkeypatch.setattr(measuring, "MAX_SHOWN_ACTIVATIONS", 12 * 300)
    assert searched_length(model) == 350
    result = measure([Subject("a", model)], text_passage)
    assert len(result.passage) == len(result.activations) == 350
    assert result.shown == 300
    assert len(result.surprisal.bits) == 299
    np.testing.assert_array_equal(result.passage.tokens, text_passage.tokens[:350])


def test_a_short_passage_is_refused(make_model) -> None:
    passage = Passage(np.zeros(31, dtype=int), ["a"] * 31, {}, str, "poem.txt")
    with pytest.raises(RecurraError, match=r"poem\.txt is too short"):
        measure([Subject("a", make_model())], passage)


def test_the_shortest_passage_will_do(make_model, tmp_path: Path) -> None:
    passage = Passage(np.arange(32) % 7, ["a"] * 32, {"f": np.zeros(32, dtype=bool)}, str, "poem.txt")
    assert explain([Subject("a", make_model())], passage, tmp_path / "p.html").measured.findings.rare == ("f",)


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_model_whose_probabilities_are_not_numbers_is_refused(
    make_model, text_passage: Passage, tmp_path: Path, damaged: int
) -> None:
    vocabulary = int(text_passage.tokens.max()) + 1
    models = [make_model(vocabulary, seed=seed) for seed in (0, 1)]
    with torch.no_grad():
        for parameter in models[damaged].parameters():
            parameter.fill_(1e38)
    subjects = [Subject(name, model) for name, model in zip("ab", models, strict=True)]
    with pytest.raises(RecurraError, match="not numbers"):
        explain(subjects, text_passage, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_model_that_explodes_is_refused(make_model, text_passage: Passage) -> None:
    model = make_model(int(text_passage.tokens.max()) + 1, "rnn-relu")
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.fill_(9.0)
    with pytest.raises(RecurraError, match="are not finite"):
        measure([Subject("a", model)], text_passage)
