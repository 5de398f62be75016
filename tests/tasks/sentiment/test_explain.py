"""What explains an answer: its page, its picture, its command; and that it names the words that matter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import sentiment
from recurra.data.tokenizer import UNKNOWN
from recurra.errors import RecurraError
from recurra.tasks.sentiment.contrast import CONTRAST, contrast_set
from recurra.tasks.sentiment.data import open_texts
from recurra.tasks.sentiment.explanation import NEIGHBOURS, Explanation, explain_texts
from recurra.tasks.sentiment.model import Model, contrast_scores
from recurra.tasks.sentiment.moods import moods
from recurra.tasks.sentiment.saliency import MOST_WORDS, log_odds, without
from recurra.tasks.sentiment.telling import told

Command = Callable[..., Any]

NASTY = 'the film</script><img onerror=x src=y> was "not" {{data}} & good $_x 好 \u2028'
VOID = {"meta"}


@pytest.fixture(scope="module")
def model(trained_sentiment: Path) -> Model:
    return Model.load(trained_sentiment)


def trained(kind: str, tiny: dict[str, Any], labels: int = 2) -> Model:
    """A model of any kind, barely trained."""
    texts = [
        (f"{word} {other} thing", f"label {(n + m) % labels}")
        for n, word in enumerate("abcdef")
        for m, other in enumerate("uvwxyz")
    ]
    options = tiny | {"model": kind, "steps": 20, "learning_rate": 0.05}
    for name in ("hidden_size",) if kind == "average" else ():
        del options[name]
    if kind == "ngrams":
        options = {name: options[name] for name in ("steps", "evaluations", "batch_size", "model", "learning_rate")}
    return sentiment.train(texts, None, progress=False, **options)


class Elements(HTMLParser):
    """The tags of a page with their attributes, and its scripts; every element ends where it should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open:
            self.texts.append((self.open[-1], data))


class TestExplaining:
    def test_effects_are_differences_of_the_models_own_log_odds(self, model: Model) -> None:
        words = model.vocabulary.split("The film number 3 was not good.")
        (found,) = explain_texts(model, ["The film number 3 was not good."])
        assert list(found.saliency.words) == words
        logits = model.logits([words, *(without(words, place) for place in range(len(words)))]) / model.temperature
        odds = log_odds(logits.astype(np.float64), 1)
        assert found.saliency.occlusion == pytest.approx(odds[0] - odds[1:], abs=1e-4)
        assert found.saliency.probabilities == pytest.approx(model.probabilities([words])[0])
        assert found.answer == model.classify("The film number 3 was not good.").label
        beginnings = [words[:length] for length in found.saliency.prefixes]
        assert found.saliency.curve == pytest.approx(model.probabilities(beginnings), abs=1e-6)

    def test_the_word_that_turns_a_sentence_is_named_and_interacts(self, model: Model) -> None:
        """What the model was trained on it knows: the strongest pair is "not" and the adjective."""
        right = 0
        for adjective in ("good", "fine", "lovely", "bad", "dull", "awful"):
            (found,) = explain_texts(model, [f"The meal number 7 was not {adjective}."])
            words = found.saliency.words
            right += {words[place] for place in found.strongest[0][:2]} == {"not", adjective}
        assert right >= 5

    def test_attributions_add_up(self, model: Model) -> None:
        (found,) = explain_texts(model, ["The film number 3 was not good."])
        words = found.saliency.words
        assert found.attribution is not None
        nothing = model.logits([[UNKNOWN] * len(words)]).astype(np.float64) / model.temperature
        change = found.saliency.log_odds - float(log_odds(nothing, 1)[0])
        assert found.attribution.change == pytest.approx(change, abs=1e-3)
        assert abs(found.attribution.gap) < 0.01 * abs(change) + 1e-3

    @pytest.mark.parametrize("kind", ["average", "ngrams", "mix"])
    @pytest.mark.parametrize("labels", [2, 3])
    def test_every_kind_of_model_and_more_labels(
        self, kind: str, labels: int, tiny_sentiment: dict[str, Any], tmp_path: Path
    ) -> None:
        model = trained(kind, tiny_sentiment, labels)
        found = model.explain(["a u thing", "f z something"], tmp_path / "page.html")
        for each in found.explanations:
            target = 1 if labels == 2 else int(each.saliency.probabilities.argmax())
            assert each.saliency.target == target
            assert (each.attribution is None) == (kind == "ngrams")
            if each.attribution is not None:
                assert abs(each.attribution.gap) <= 0.01 * abs(each.attribution.change) + 1e-3
            assert bool(each.ngrams) == (kind != "average")
            assert "n-grams: " in told(each) or kind == "average"
        if kind == "average" and labels == 2:
            assert max(abs(pair.effect) for pair in found.explanations[0].saliency.pairs) < 1e-4
        Elements(found.files[0].read_text(encoding="utf-8"))

    @pytest.mark.parametrize("kind", ["ngrams", "mix"])
    def test_effects_of_ngrams_are_exact(self, kind: str, tiny_sentiment: dict[str, Any]) -> None:
        """With all words gone from the vectors only n-grams are left: their sum is the rest of the log-odds."""
        model = trained(kind, tiny_sentiment)
        (found,) = explain_texts(model, ["a u thing"])
        unread = explain_texts(model, ["q"])[0]
        bias = unread.saliency.log_odds - sum(each.effect for each in unread.ngrams)
        total = sum(each.effect for each in found.ngrams)
        if kind == "ngrams":
            assert total + bias == pytest.approx(found.saliency.log_odds, abs=1e-4)
        else:
            assert found.attribution is not None
            nothing = found.saliency.log_odds - found.attribution.change  # the n-grams, and what unknown words give
            assert np.isfinite(nothing)
            assert total != 0

    def test_a_long_text_is_read_as_the_network_reads_it(self, model: Model) -> None:
        """What a recurrent network does not read has no effect."""
        words = [*["good"] * 5, *["film"] * 395, *["bad"] * 100]
        (found,) = explain_texts(model, [" ".join(words)])
        assert found.attribution is not None
        unread = slice(100, 200)  # of 500 words 400 are read: a quarter from the beginning
        assert found.saliency.occlusion[unread] == pytest.approx(0, abs=1e-6)
        assert found.attribution.effects[unread] == pytest.approx(0)
        assert np.abs(found.attribution.effects[200:]).max() > 0
        assert len(found.after_words) == 500


class TestExamples:
    def test_the_nearest_do_not_say_the_same(self, model: Model, opinions_file: Path) -> None:
        texts = open_texts([opinions_file])
        own = texts.texts[5]
        (found,) = explain_texts(model, [own], texts)
        assert len(found.examples) == NEIGHBOURS
        assert own not in [each.text for each in found.examples]
        assert all(texts.labels[texts.texts.index(each.text)] == each.label for each in found.examples)
        cosines = [each.similarity for each in found.examples]
        assert cosines == sorted(cosines, reverse=True)
        assert sum(each.label == found.answer for each in found.examples) >= 4

    def test_there_are_none_without_vectors(self, tiny_sentiment: dict[str, Any]) -> None:
        with pytest.raises(RecurraError, match="no space for texts to be near in; leave `examples` out"):
            trained("ngrams", tiny_sentiment).explain("a u", examples=[("a", "label 0")] * 10)


@pytest.fixture(scope="module")
def page(model: Model, opinions_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Explanation]]:
    """A page of two texts, and what it shows."""
    out = tmp_path_factory.mktemp("page") / "page.html"
    found = model.explain([NASTY, "The film number 3 was not good."], out, examples=opinions_file)
    return out, list(found.explanations)


class TestPage:
    def test_text_stays_text(self, page: tuple[Path, list[Explanation]]) -> None:
        elements = Elements(page[0].read_text(encoding="utf-8"))
        tags = [tag for tag, _ in elements.tags]
        assert tags.count("script") == 2
        assert "img" not in tags
        assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
        shown = [text for tag, text in elements.texts if tag == "span" and text.strip()]
        for word in page[1][0].saliency.words:
            assert word in shown

    def test_nothing_is_fetched(self, page: tuple[Path, list[Explanation]]) -> None:
        whole = page[0].read_text(encoding="utf-8")
        assert "http" not in whole.replace("http-equiv", "")
        assert not re.search(r"//[a-z]|url\(|@import|fetch\(|XMLHttp|innerHTML", whole.split('id="data"')[0])
        names = {name for _, attributes in Elements(whole).tags for name in attributes}
        assert not names & {"src", "href", "srcset", "action"}

    def test_figures_of_words_stand_in_it_twice(self, page: tuple[Path, list[Explanation]]) -> None:
        """For the script, and for those who read the table."""
        elements = Elements(page[0].read_text(encoding="utf-8"))
        data = json.loads(elements.scripts[0])
        assert len(data) == 2
        for told_of, explanation in zip(data, page[1], strict=True):
            assert told_of["words"] == list(explanation.saliency.words)
            assert told_of["effects"] == pytest.approx(explanation.saliency.occlusion.tolist(), rel=0.01)
            assert told_of["known"].count(0) == sum(not known for known in explanation.known)
        cells = [text for tag, text in elements.texts if tag == "td"]
        for effect in page[1][1].saliency.occlusion:
            assert f"{effect:+.2f}".replace("-", "\N{MINUS SIGN}") in cells

    def test_every_word_can_be_pointed_at_and_reached(self, page: tuple[Path, list[Explanation]]) -> None:
        elements = Elements(page[0].read_text(encoding="utf-8"))
        count = sum(len(each.saliency.words) for each in page[1])
        words = [each for tag, each in elements.tags if tag == "span" and "data-word" in each]
        columns = [each for tag, each in elements.tags if tag == "g" and each.get("class") == "column"]
        assert len(words) == len(columns) == count
        assert [each["tabindex"] for each in words].count("0") == 2
        assert all(each["role"] == "img" and each["aria-label"] for each in words)

    def test_the_picture_is_drawn(self, page: tuple[Path, list[Explanation]]) -> None:
        assert page[0].with_suffix(".png").read_bytes().startswith(b"\x89PNG")


class TestCommand:
    def test_words_with_bars_are_printed(self, recurra: Command, trained_sentiment: Path) -> None:
        answer = recurra("sentiment", "explain", trained_sentiment, "the", "film", "was", "not", "good")
        assert answer.status == 0
        lines = answer.out.splitlines()
        assert lines[0] == "the film was not good"
        assert lines[1].startswith("negative  ")
        assert [line.split()[0] for line in lines[5:10]] == ["the", "film", "was", "not", "good"]
        (line,) = [line for line in lines if line.startswith("not ")]
        bar, effect = line[10:35], float(line.split()[-3].replace("\N{MINUS SIGN}", "-"))
        assert ("█" in bar.split("|")[0]) == (effect < 0)
        assert "together, beyond each alone: " in answer.out

    def test_json_and_files(self, recurra: Command, trained_sentiment: Path, tmp_path: Path) -> None:
        (tmp_path / "texts.txt").write_text("it was good\n\nzzz not bad\n", encoding="utf-8")
        out = tmp_path / "page.html"
        answer = recurra(
            "sentiment", "explain", trained_sentiment, "--file", tmp_path / "texts.txt", "--out", out, "--json"
        )
        values = json.loads(answer.out)
        assert [each["text"] for each in values["texts"]] == ["it was good", "zzz not bad"]
        assert values["count"] == 2
        assert values["files"] == [str(out), str(tmp_path / "page.png")]
        assert all(Path(file).is_file() for file in values["files"])
        first = values["texts"][1]
        assert [each["word"] for each in first["words"]] == ["zzz", "not", "bad"]
        assert [each["known"] for each in first["words"]] == [False, True, True]
        assert sum(first["probabilities"].values()) == pytest.approx(1)
        assert first["words"][-1]["after"] == pytest.approx(first["probabilities"]["positive"])
        assert "zzz" in answer.err

    def test_nothing_to_explain_and_too_much_are_refused(
        self, refused: Command, trained_sentiment: Path, tmp_path: Path
    ) -> None:
        def explain(*rest: object, status: int = 1) -> str:
            return str(refused("sentiment", "explain", trained_sentiment, *rest, status=status))

        assert "give either a text to explain or --file" in explain(status=2)
        assert "no text to explain" in explain("  ")
        assert f"at most {MOST_WORDS:,} are explained" in explain("good " * (MOST_WORDS + 1))
        assert "must end in .html" in explain("good", "--out", tmp_path / "page.pdf", status=2)
        (tmp_path / "many.txt").write_text("good\n" * 51, encoding="utf-8")
        assert "give 1 to 50" in explain("--file", tmp_path / "many.txt", status=2)
        assert "there is no file" in explain("good", "--examples", tmp_path / "none.tsv")
        assert not (tmp_path / "page.html").exists()


class TestContrastCommand:
    def test_models_are_compared(self, recurra: Command, trained_sentiment: Path, tmp_path: Path) -> None:
        picture = tmp_path / "bars.png"
        both = ("--against", trained_sentiment, "--picture", picture)
        answer = recurra("sentiment", "evaluate", trained_sentiment, CONTRAST, *both)
        assert answer.status == 0
        assert re.search(r"^double negation +80( +\d+\.\d% +\d+\.\d%){2}$", answer.out, re.MULTILINE), answer.out
        assert picture.read_bytes().startswith(b"\x89PNG")
        values = json.loads(recurra("sentiment", "evaluate", trained_sentiment, CONTRAST, "--json").out)
        assert values["count"] == 2 * len(contrast_set())
        assert set(values["kinds"]) == {pair.kind for pair in contrast_set()}
        kinds = values["kinds"].values()
        assert values["accuracy"] == pytest.approx(sum(k["accuracy"] * k["pairs"] for k in kinds) / len(contrast_set()))
        assert Model.load(trained_sentiment).evaluate(CONTRAST)["pairs_right"] == values["pairs_right"]

    def test_it_cannot_be_trained_on_nor_against_be_used_elsewhere(
        self, refused: Command, trained_sentiment: Path, opinions_file: Path, tmp_path: Path
    ) -> None:
        assert "the samples are: sample:moods" in refused("sentiment", "train", CONTRAST, "--out", tmp_path / "m")
        options = ("--against", trained_sentiment)
        assert CONTRAST in refused("sentiment", "evaluate", trained_sentiment, opinions_file, *options, status=2)


@pytest.fixture(scope="module")
def reader() -> Model:
    """An LSTM that has learnt the sample of moods, in about half a minute."""
    options: dict[str, Any] = {"bidirectional": False, "pooling": "last", "steps": 3500}
    return sentiment.train("sample:moods", None, progress=False, **options)


@pytest.mark.slow
class TestTrained:
    def test_an_lstm_composes_where_averaged_vectors_cannot(self, reader: Model) -> None:
        average = sentiment.train("sample:moods", None, progress=False, model="average", steps=800)
        of_lstm, of_average = (contrast_scores(model.answers(CONTRAST))["all"] for model in (reader, average))
        assert of_lstm.pairs_right >= 0.95
        assert of_average.pairs_right <= 0.1
        assert of_average.accuracy == pytest.approx(0.5, abs=0.05)

    def test_removing_the_words_it_names_changes_the_answer_more_than_random_ones(self, reader: Model) -> None:
        """The curve of the log-odds of the answer against the words taken away, and that of random words."""
        texts = [text for text, _ in moods(33_000)[-3000:] if len(text.split()) >= 7][:50]
        rng = np.random.default_rng(1)
        named, random = np.zeros(4), np.zeros(4)
        for found in explain_texts(reader, texts):
            words = list(found.saliency.words)
            sign = 1 if found.saliency.log_odds > 0 else -1
            order = np.argsort(-sign * found.saliency.occlusion).tolist()
            for curve, chosen in ((named, order), (random, rng.permutation(len(words)).tolist())):
                variants = [without(words, *chosen[:count]) for count in range(4)]
                odds = log_odds(reader.logits(variants).astype(np.float64) / reader.temperature, 1)
                curve += sign * odds / len(texts)
        assert named[0] == pytest.approx(random[0])
        assert (named[1:] < random[1:] - 1).all(), (named, random)
        assert named[0] - named[1] > 3 * (random[0] - random[1])

    def test_the_explanation_flips_with_the_pairs(self, reader: Model) -> None:
        """The same word speaks for one label in "it was good", and for the other in "it was not good"."""
        pairs = [
            pair for pair in contrast_set() if pair.second == re.sub(r" was (\w+)\.$", r" was not \1.", pair.first)
        ]
        assert len(pairs) >= 8
        for pair in pairs:
            one, other = explain_texts(reader, [pair.first, pair.second])
            assert one.saliency.occlusion[-2] * other.saliency.occlusion[-2] < 0, pair
            assert (one.saliency.occlusion[-2] > 0) == (pair.first_label == "positive"), pair

    def test_not_and_happy_interact(self, reader: Model) -> None:
        (found,) = explain_texts(reader, ["not feeling happy"])
        assert found.answer == "negative"
        words = found.saliency.words
        assert [words[place] for place in found.strongest[0][:2]] == ["not", "happy"]
        assert found.strongest[0].effect < -1
