"""What is copied: placeholders go in and come out again, and pairs decide what they keep."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.placeholders import MARKUP, NUMBERS, Placeholders, compile_pattern, fit
from recurra.data.tokenizer import PLACEHOLDERS
from recurra.data.vocabulary import VocabularyPair
from recurra.errors import OptionError, RecurraError

BOTH = Placeholders(f"{MARKUP}|{NUMBERS}", 10, frozenset(["the", "cat", "eats"]))

texts = st.lists(
    st.sampled_from(["the", "cat", "Zelda", "12", "3.5", "%s", "{name}", "<b>", "a@b.de", "。", PLACEHOLDERS[1]])
    | st.text("aé1 .%{}<>\n", max_size=4),
    max_size=14,
).map(" ".join)  # fmt: skip


@given(texts)
def test_what_goes_behind_placeholders_comes_back(text: str) -> None:
    for kept in (BOTH, Placeholders(NUMBERS, 3), Placeholders("", 10, frozenset())):
        masked = kept.mask(text)
        assert len(masked.values) <= kept.count
        assert [each for each in masked.text if each in kept.symbols][: len(masked.values)] == list(
            kept.symbols[: len(masked.values)]
        )
        assert kept.unmask(masked.text, masked.values) == text or PLACEHOLDERS[1] in text


plain = texts.filter(lambda text: PLACEHOLDERS[1] not in text)


@given(plain, plain)
def test_a_pair_hides_the_same_on_both_sides(source: str, target: str) -> None:
    masked, other = BOTH.mask_pair(source, target)
    values = BOTH.mask(source).values
    assert set(masked) & set(BOTH.symbols) == set(other) & set(BOTH.symbols)
    assert all(masked.count(symbol) == other.count(symbol) == 1 for symbol in set(masked) & set(BOTH.symbols))
    assert BOTH.mask_pair(masked, other) == (masked, other)
    assert len(set(masked) & set(BOTH.symbols)) <= len(values)


def test_what_is_found() -> None:
    def kept(text: str) -> tuple[str, ...]:
        return Placeholders(f"{MARKUP}|{NUMBERS}", 10).mask(text).values

    assert kept("at 10:30, 1,000.5 of v2 and 3rd in 2014.") == ("10:30", "1,000.5", "2014")
    assert kept("%s, %(n)d, %1$s, 5% discount") == ("%s", "%(n)d", "%1$s", "5")
    assert kept("{name} ${x} {{y}} <a href='z'>b</a> &nbsp;") == (
        "{name}", "${x}", "{{y}}", "<a href='z'>", "</a>", "&nbsp;",
    )  # fmt: skip
    assert kept("see https://a.example/b?c=1. Or a.b@c.example!") == ("https://a.example/b?c=1", "a.b@c.example")


def test_unknown_words_are_kept_but_not_those_a_glossary_translates() -> None:
    assert BOTH.mask("The cat eats Zelda").values == ("Zelda",)
    assert BOTH.mask("The cat eats Zelda", {"zelda"}).values == ()


def pairs(keeps: bool, count: int = 40) -> tuple[list[str], list[str]]:
    return [f"{n} cats" for n in range(count)], [f"{n if keeps else n + 1} Katzen" for n in range(count)]


def test_the_pairs_decide_whether_numbers_are_kept() -> None:
    kept = fit("auto", False, *pairs(True), min_count=1)
    assert (kept.pattern, kept.count) == (f"{MARKUP}|{NUMBERS}", 1)
    assert fit("auto", False, *pairs(False), min_count=1) == Placeholders()
    assert fit("auto", False, *pairs(True, 19), min_count=1) == Placeholders()
    assert fit("none", False, *pairs(True), min_count=1) == Placeholders()
    assert fit("[0-9]", False, *pairs(True), min_count=1).pattern == "[0-9]"
    # What nobody keeps is not learned: 9 pairs are too few.
    assert fit("x", False, *pairs(True), min_count=1) == Placeholders()


def test_words_are_learned_to_be_copied_from_a_part_of_the_pairs() -> None:
    sources = ["Ada eats 1"] * 200
    kept = fit("none", True, sources, sources, min_count=1)
    hidden, targets = kept.hide(sources, sources)
    share = sum(PLACEHOLDERS[0] in each for each in hidden) / 200
    assert 0.1 < share < 0.3
    assert hidden == targets
    assert kept.hide(sources, sources) == (hidden, targets)
    with pytest.raises(RecurraError, match="puts no spaces between its words"):
        fit("none", True, ["床前明月光疑是地上霜"] * 9, ["x"] * 9, min_count=1)


@pytest.mark.parametrize(("pattern", "reason"), [("(", "is no regular expression"), ("x*", "finds the empty text")])
def test_patterns_that_are_none(pattern: str, reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        compile_pattern(pattern)


def test_a_pattern_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurra.data.placeholders.SECONDS", 0.05)
    with pytest.raises(RecurraError, match=r"takes more than .* in the sentence that begins with 'aaaa"):
        Placeholders("(?:a|aa|aaa)+$", 1).mask("a" * 60 + "b")


def test_json_and_what_is_no_such_json() -> None:
    assert Placeholders.from_json(json.loads(json.dumps(BOTH.to_json())), "here") == BOTH
    for wrong in ({}, {"pattern": "(", "count": 1, "words": None}, {"pattern": "", "count": 11, "words": None},
                  {"pattern": "", "count": 1, "words": [1]}):  # fmt: skip
        with pytest.raises(RecurraError, match="here"):
            Placeholders.from_json(wrong, "here")


@pytest.mark.parametrize("kind", ["characters", "words", "subwords", "bytes"])
def test_every_kind_of_tokens_writes_placeholders_alike_wherever_they_stand(kind) -> None:
    sources = [f"a {PLACEHOLDERS[0]}, ({PLACEHOLDERS[0]}) b"] * 30
    vocabularies = VocabularyPair.build(
        (kind, kind), sources, sources, True, 400, 1, placeholders=Placeholders(NUMBERS, 1)
    )
    runs = vocabularies.target.runs_of(PLACEHOLDERS[0])
    for text in (PLACEHOLDERS[0], f"a {PLACEHOLDERS[0]}", f"({PLACEHOLDERS[0]}"):
        tokens = vocabularies.target.encode(text).tolist()
        assert any(tokens[n : n + len(run)] == run for run in runs for n in range(len(tokens)))
    again = VocabularyPair.from_json(json.loads(json.dumps(vocabularies.to_json())), "here")
    assert again.placeholders == vocabularies.placeholders
