"""The sample of moods and the contrast set: true by a reader of its own, balanced, held apart from each other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recurra.errors import RecurraError
from recurra.tasks.sentiment import lexicon
from recurra.tasks.sentiment.contrast import (
    PAIRS,
    contrast_set,
    contrast_texts,
    draw_contrast,
    labelled,
    score_answers,
)
from recurra.tasks.sentiment.moods import KINDS, MAX_COUNT, bare, moods, sentence

BY_HAND = """
    + The soup was delicious.
    - The soup was not delicious.
    - not feeling happy
    + I am not unhappy
    + That was not bad.
    - Hardly a great film.
    + Hardly a bad film!
    + The play never failed to amuse us.
    - The play failed to amuse us.
    + I can't say the wine wasn't good.
    - I can't say the wine was good.
    + The film started slowly but was wonderful in the end.
    - The film started well, but I did not like the ending.
    - I would not, after all we had been through, call the hotel good.
    + I would, if you ask me, call the hotel good.
    + Nobody could deny that the cake was fresh.
    - Nobody could claim that the cake was fresh.
    + Our host was not impolite.
    - The nurse was anything but kind.
    + The beach was far from dirty.
    + The film was good, not bad.
    - The film was bad, not good.
    - The film was not good but bad.
    + The film was not bad but good.
    - The coat was not without stains.
    + The coat was without any stains.
    - The story lacked wit.
    + The story did not lack wit.
    + Although the room was noisy, the view of the harbour was not dull.
    - The plot was clever, although the acting was bad, but nobody liked the ending.
    - The plot was dull, although the acting was superb.
    + The guide was not only kind but wise.
    - The guide was not only rude but lazy.
    + The match could not have been more exciting.
    - The lesson could not have been more tedious.
    + The trip was nothing short of magical.
    + I had not been there before, and the old town was lovely.
    - We had no plans for that day, but the party was boring.
    + The chair was neither flimsy nor ugly.
    - Nothing about the day was cheerful.
    + There was nobody who did not enjoy the trip.
    - I do not think that the soup that we chose last week was tasty.
    + It is not true that the dinner was not good.
    - I doubt that the camera was reliable.
    + I do not doubt that the camera was reliable.
    - The dialogue was witty at first, but silly in the end.
    - They said something magical was coming, but the show was tiresome.
    + My sister never regretted the cruise.
    + The bread was not greasy, and I can't say the rice wasn't tasty.
    - Our friends liked and did not hate the lamp, but the sofa never pleased them.
    + The pie was never less than delicious.
    - It is not that I was not bored.
"""
"""Sentences with what a person takes them to mean."""

SAME = {
    r"was not (only|just) ": "was ",
    "could not have been more": "was",
    "nothing short of": "",
    "anything but|far from|less than": "not",
}
"""Phrases, and plain words for them."""

NEGATORS = {
    "not",
    "never",
    "no",
    "nobody",
    "nothing",
    "neither",
    "without",
    "lacked",
    "lack",
    "failed",
    "fail",
    "doubt",
}
NEGATORS |= {"deny", "hardly", "scarcely"}


def judged() -> dict[str, bool]:
    """Whether each word that judges praises, past forms too."""
    sides = [lexicon.GENERAL, lexicon.FEELINGS, lexicon.BEGINNINGS, lexicon.OPPOSITES]
    sides += [part for domain in lexicon.DOMAINS.values() for part in (domain.adjectives, domain.qualities)]
    found = {word: positive for side in sides for positive in (True, False) for word in side.of(positive)}
    for verbs in (lexicon.LIKING, lexicon.PLEASING):
        for positive in (True, False):
            found |= {form: positive for verb in verbs.of(positive) for form in (verb, lexicon.past(verb))}
    return found


JUDGED = judged()
SUBJECTS = sorted((name for domain in lexicon.DOMAINS.values() for name in domain.subjects), key=len, reverse=True)
SUBJECT = re.compile(rf"\b({'|'.join(map(re.escape, SUBJECTS))})\b")


def positive(text: str) -> bool:
    """A reader of sentences by a few rules: which clause decides, and how many negations stand before its judgement."""
    text = bare(text)
    for aside in sorted((*lexicon.ASIDES, *lexicon.HELD_ASIDES), key=len, reverse=True):
        text = text.replace(f", {aside.lower()},", "")
    for neutral in lexicon.NEUTRAL:
        text = re.sub(rf"(^|, and ){re.escape(neutral.lower())}(, and |, but |$)", "", text)
    for pattern, plain in SAME.items():
        text = re.sub(pattern, plain, text)
    text = SUBJECT.sub("it", text)
    text = text.split(", but ")[-1]
    text = text.split(", although ")[0]
    if text.startswith("although "):
        text = text.split(", ", 1)[1]
    text = text.split(" but ")[-1]
    text = re.split(r", not |;| and ", text)[0]
    words = re.findall(r"[\w']+", text)
    place = next((place for place, word in enumerate(words) if word in JUDGED), None)
    assert place is not None, text
    negations = sum(word in NEGATORS or word.endswith("n't") for word in words[:place])
    return JUDGED[words[place]] != bool(negations % 2)


@pytest.fixture(scope="module")
def sample() -> list[tuple[str, str]]:
    return moods(6000)


class TestTruth:
    @pytest.mark.parametrize("line", BY_HAND.strip().splitlines())
    def test_the_reader_reads_as_a_person_does(self, line: str) -> None:
        sign, text = line.strip().split(" ", 1)
        assert positive(text) == (sign == "+")

    def test_the_sample_says_what_the_reader_reads(self, sample: list[tuple[str, str]]) -> None:
        assert [text for text, label in sample if positive(text) != (label == "positive")] == []

    def test_so_does_the_contrast_set(self) -> None:
        for pair in contrast_set():
            for text, label in ((pair.first, pair.first_label), (pair.second, pair.second_label)):
                assert positive(text) == (label == "positive"), text

    def test_no_word_judges_both_ways(self) -> None:
        sides = [lexicon.GENERAL, lexicon.FEELINGS, lexicon.LIKING, lexicon.PLEASING, lexicon.BEGINNINGS]
        sides += [part for domain in lexicon.DOMAINS.values() for part in (domain.adjectives, domain.qualities)]
        assert not {word for side in sides for word in side.good} & {word for side in sides for word in side.bad}


class TestSample:
    def test_is_deterministic_distinct_and_begins_alike(self, sample: list[tuple[str, str]]) -> None:
        assert moods(6000) == sample
        assert moods(500) == sample[:500]
        assert moods(500, seed=2) != sample[:500]
        assert len({text for text, _ in sample}) == 6000
        assert moods(0) == []

    def test_is_balanced(self, sample: list[tuple[str, str]]) -> None:
        counts = Counter(label for _, label in sample)
        assert set(counts) == {"negative", "positive"}
        assert abs(counts["positive"] / 6000 - 0.5) < 0.03

    def test_is_varied(self, sample: list[tuple[str, str]]) -> None:
        words = Counter(word for text, _ in sample for word in re.findall(r"[\w']+", text.lower()))
        assert len(words) > 600
        assert len(JUDGED) > 350

    def test_counting_words_that_judge_does_not_tell_the_label(self, sample: list[tuple[str, str]]) -> None:
        right = 0
        for text, label in sample:
            score = sum(1 if JUDGED[w] else -1 for w in re.findall(r"[\w']+", text.lower()) if w in JUDGED)
            right += (score > 0) == (label == "positive")
        assert 0.4 < right / len(sample) < 0.65

    def test_kinds_are_there_as_often_as_they_should_be(self) -> None:
        rng = np.random.default_rng(5)
        kinds = Counter(sentence(rng)[0] for _ in range(4000))
        assert sum(share for share, _ in KINDS.values()) == pytest.approx(1)
        for kind, (share, _) in KINDS.items():
            assert kinds[kind] / 4000 == pytest.approx(share, abs=0.03)

    @pytest.mark.parametrize("count", [-1, MAX_COUNT + 1])
    def test_an_impossible_count_is_refused(self, count: int) -> None:
        with pytest.raises(RecurraError, match="the count of sentences"):
            moods(count)

    @pytest.mark.parametrize(
        ("verb", "past"), [("love", "loved"), ("enjoy", "enjoyed"), ("regret", "regretted"), ("despise", "despised")]
    )
    def test_pasts(self, verb: str, past: str) -> None:
        assert lexicon.past(verb) == past

    def test_articles(self) -> None:
        for said in ("an honest", "a useless", "an unfair", "an ugly", "a good", "an awful", "a handy"):
            assert lexicon.article(said.split()[1]) == said


class TestContrast:
    def test_pairs_differ_in_their_label_only_a_little_in_words(self) -> None:
        pairs = contrast_set()
        assert len(pairs) >= 200
        assert {pair.kind for pair in pairs} == set(lexicon.KINDS)
        for pair in pairs:
            assert {pair.first_label, pair.second_label} == {"negative", "positive"}
            one, other = (Counter(re.findall(r"[\w']+", bare(text))) for text in (pair.first, pair.second))
            assert sum(((one - other) + (other - one)).values()) <= 3, pair
        assert Counter(pair.first_label for pair in pairs)["positive"] / len(pairs) == pytest.approx(0.5, abs=0.1)

    def test_many_are_the_same_words_in_another_order(self) -> None:
        bags = [[sorted(re.findall(r"[\w']+", bare(text))) for text in (p.first, p.second)] for p in contrast_set()]
        assert sum(one == other for one, other in bags) >= 100

    def test_no_sentence_of_it_is_in_the_sample_and_no_word_of_it_is_new(self) -> None:
        whole = moods()
        assert not contrast_texts() & {bare(text) for text, _ in whole}
        known = Counter(word for text, _ in whole for word in re.findall(r"[\w']+", text.lower()))
        used = {word for text in contrast_texts() for word in re.findall(r"[\w']+", text)}
        assert min(known[word] for word in used) >= 10

    def test_words_stand_in_the_kind_they_are_held_out_of(self) -> None:
        kinds = lexicon.held_out_of()
        forms = {lexicon.past(verb): verb for side in (*lexicon.LIKING, *lexicon.PLEASING) for verb in side}
        for pair in contrast_set():
            words = re.findall(r"[\w']+", _without_subjects(pair.first))
            held = [{kinds.get(word), kinds.get(forms.get(word, ""))} - {None} for word in words if word in JUDGED]
            opposite = "was not" in pair.first and set(words) & {word for side in lexicon.OPPOSITES for word in side}
            assert held, pair
            assert all(pair.kind in each or (opposite and "negation" in each) for each in held), pair

    def test_the_sample_keeps_them_out_of_it(self, sample: list[tuple[str, str]]) -> None:
        kinds = lexicon.held_out_of()
        held = {kind: "|".join(word for word in kinds if kinds[word] == kind) for kind in lexicon.KINDS}
        negated = re.compile(rf"^it (is|was) (not|never) ({held['negation']})$")
        distant = re.compile(rf"(would|was) not, .*, (call it )?({held['distance']})$")
        denied = re.compile(rf"^nobody could deny that .* was ({held['double negation']})$")
        started = re.compile(rf" was .* but ({held['but']}) in the end$")
        texts = [_without_subjects(text) for text, _ in sample]
        for pattern in (negated, distant, denied, started):
            assert [text for text in texts if pattern.search(text)] == []
        others = re.compile(rf"^it (is|was) (not|never) ({held['distance']})$")
        assert len([text for text in texts if others.search(text)]) > 10
        assert len([text for text in texts if re.search("(would|was) not, ", text)]) > 50

    def test_it_is_the_same_each_time(self) -> None:
        first = contrast_set()
        contrast_set.cache_clear()
        assert contrast_set() == first


def _without_subjects(text: str) -> str:
    return SUBJECT.sub("it", bare(text))


class TestScores:
    def test_are_of_sentences_and_of_pairs(self) -> None:
        pairs = contrast_set()
        right = [True] * (2 * len(pairs))
        first = next(number for number, pair in enumerate(pairs) if pair.kind == "but")
        right[2 * first] = False
        scores = score_answers(right)
        count = sum(pair.kind == "but" for pair in pairs)
        assert scores["but"] == (1 - 1 / (2 * count), 1 - 1 / count, count)
        assert scores["negation"][:2] == (1.0, 1.0)
        assert scores["all"] == (1 - 1 / (2 * len(pairs)), 1 - 1 / len(pairs), len(pairs))
        assert list(scores) == [*PAIRS, "all"]

    def test_one_answer_to_all_gets_half_the_sentences_and_no_pair(self) -> None:
        answers = [label == "positive" for _, label in labelled(["negative", "positive"])]
        assert score_answers(answers)["all"][:2] == (0.5, 0.0)

    @pytest.mark.parametrize("labels", [["0", "1"], ["Neg", "Pos"], ["positive", "negative"]])
    def test_a_model_may_call_the_classes_otherwise(self, labels: list[str]) -> None:
        texts = labelled(labels)
        pairs = contrast_set()
        called = {"negative": {"0", "Neg", "negative"}, "positive": {"1", "Pos", "positive"}}
        assert [text for text, _ in texts] == [text for pair in pairs for text in (pair.first, pair.second)]
        assert all(texts[2 * n][1] in called[pair.first_label] for n, pair in enumerate(pairs))
        assert {label for _, label in texts} == set(labels)

    @pytest.mark.parametrize(
        "labels", [["1", "2", "3", "4", "5"], ["ham", "spam"], ["negative", "neutral", "positive"]]
    )
    def test_other_classes_are_refused(self, labels: list[str]) -> None:
        with pytest.raises(RecurraError, match="labels negative and positive, but this one has"):
            labelled(labels)

    def test_the_picture_is_drawn(self, tmp_path: Path) -> None:
        scores = score_answers([True, False] * len(contrast_set()))
        draw_contrast({"a_$b": scores, "c" * 30: scores}, tmp_path / "bars.png")
        assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")
