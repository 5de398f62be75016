"""Languages: sentences come back as they were, the end is last, files are believed only if they are sound."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import vocabulary as module
from recurra.data.tokenizer import Bytes, Characters, Kind, Pieces, Words
from recurra.data.vocabulary import SPACED, Language, Languages
from recurra.errors import RecurraError

KINDS: tuple[Kind, ...] = ("characters", "bytes", "words", "pieces")
each_kind = pytest.mark.parametrize("kind", KINDS)

HARD = [
    "",
    " ",
    "  two  spaces  ",
    "春眠不觉晓，处处闻啼鸟。",
    "don't  stop—it’s “quoted” <unk> <eos>\t",
    "العربية עברית हिन्दी ไทย",
    "🙂🏳️‍🌈👩‍👩‍👧‍👦🇫🇷 e\u0301",
    "\u2028\x85\x0b\ufeff",
]
sentences = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=30),
    st.text("ab'’<> .é春🙂", max_size=30),
)


@pytest.fixture(scope="module")
def strange() -> dict[str, Language]:
    """Languages that can say anything, made of something else."""
    pieces = Pieces.build(["the cat, which ate already, was full\n" * 20, "春眠不觉晓\n" * 20], 300, 2)
    return {"pieces": Language(pieces), "bytes": Language(Bytes())}


def make(kind: Kind, sources: list[str], targets: list[str], joint: bool = True, min_count: int = 1) -> Languages:
    return Languages.build(kind, sources, targets, joint, 10_000, min_count)


def line_ends(language: Language) -> set[int]:
    """The symbols that would put what is written on two lines."""
    tokenizer = language.tokenizer
    return {
        symbol
        for symbol in range(tokenizer.size)
        if tokenizer.piece(symbol).translate(None, b"\r\n") != tokenizer.piece(symbol)
    }


@each_kind
@given(known=st.lists(sentences, min_size=1, max_size=4))
def test_what_is_known_comes_back(kind: Kind, known: list[str]) -> None:
    language = make(kind, known, known, joint=False).source
    for sentence in known:
        symbols = language.encode(sentence)
        assert symbols.ndim == 1
        assert symbols[-1] == language.end
        assert not set(symbols[:-1].tolist()) & {language.start, language.end}
        assert symbols.max() < language.size
        assert language.decode(symbols[:-1]) == sentence
        assert language.unknown_in(sentence) == []


@pytest.mark.parametrize("kind", ["pieces", "bytes"])
@given(sentence=sentences)
def test_pieces_and_bytes_say_anything(strange: dict[str, Language], kind: str, sentence: str) -> None:
    language = strange[kind]
    symbols = language.encode(sentence)
    assert language.decode(symbols[:-1]) == sentence
    assert language.unknown_in(sentence) == []
    assert set(language.unwritable) == {language.start} | line_ends(language)
    assert bytes.fromhex("".join(language.tokenizer.piece(int(s)).hex() for s in symbols[:-1])).decode() in (
        sentence,
        " " + sentence,
    )


@each_kind
def test_start_and_end_are_two_symbols_more(kind: Kind) -> None:
    language = make(kind, ["a b c"], ["a b c"]).source
    assert {language.start, language.end} == {language.size - 2, language.size - 1}
    assert language.size == language.tokenizer.size + 2
    unknown = language.tokenizer.unknown
    assert set(language.unwritable) == {language.start} | ({unknown} - {None}) | line_ends(language)
    assert language.end not in language.unwritable
    assert language.encode("").tolist() == [language.end]


@pytest.mark.parametrize("kind", SPACED)
def test_a_word_is_one_symbol_wherever_it_stands(kind: Kind) -> None:
    language = make(kind, ["cat sees cat"] * 9, ["cat"]).source
    first, *_, last, _ = language.encode("cat sees cat").tolist()
    assert first == last == language.encode("cat")[0]


def test_a_decoder_need_not_begin_with_a_space() -> None:
    language = Language(Words(["a", " a"]))
    assert language.decode([1, 2]) == "a a"
    assert language.decode([2, 2]) == "a a"
    assert Language(Characters(" a")).decode([1, 2]) == " a"


def test_what_is_unknown_is_told_once() -> None:
    words = make("words", ["the cat", "the cat"], []).source
    assert words.unknown_in("dog (dog) the bird dog") == ["dog", "(", ")", "bird"]
    characters = make("characters", ["abab"], []).source
    assert characters.unknown_in("a春 b春") == ["春", " "]
    assert np.count_nonzero(characters.encode("a春 b春") == characters.tokenizer.unknown) == 3


def test_the_share_of_what_is_unknown() -> None:
    words = make("words", ["the cat", "the cat"], []).source
    sequences = [words.encode("the dog"), words.encode("cat")]
    assert words.unknown_share(sequences) == 1 / 5  # two ends count
    assert words.unknown_share([]) == 0
    pieces = make("pieces", ["the cat"] * 3, []).source
    assert pieces.unknown_share([pieces.encode("春")]) == 0


@each_kind
def test_a_part_is_shown_for_each_symbol(kind: Kind) -> None:
    sentence = "né 春"
    language = make(kind, [sentence] * 3, []).source
    symbols = language.encode(sentence)[:-1].tolist()
    shown = language.shown(symbols)
    assert len(shown) == len(symbols) == (len(language.split(sentence)) if kind != "bytes" else 7)
    if kind in ("characters", "words"):
        assert shown == language.split(sentence)
    if kind == "bytes":
        assert shown == ["n", "<C3>", "<A9>", " ", "<E6>", "<98>", "<A5>"]


@each_kind
@given(known=st.lists(sentences, min_size=1, max_size=3), other=sentences, joint=st.booleans())
def test_languages_from_their_json_encode_the_same(kind: Kind, known: list[str], other: str, joint: bool) -> None:
    languages = make(kind, known, [known[0] + "xyz"], joint)
    again = Languages.from_json(json.loads(json.dumps(languages.to_json())), "here")
    assert again.joint == languages.joint == joint
    assert again.to_json() == languages.to_json()
    for one, side in ((again.source, languages.source), (again.target, languages.target)):
        assert one.size == side.size
        np.testing.assert_array_equal(one.encode(other), side.encode(other))


GOOD = {"kind": "characters", "symbols": ["a", "b"]}
HOSTILE: list[Any] = [
    None,
    [],
    "source",
    {},
    GOOD,
    {"target": GOOD},
    {"source": None},
    {"source": {}},
    {"source": GOOD, "target": None},
    {"source": GOOD, "target": {"kind": "words", "symbols": ["a", "a"]}},
    {"source": {"kind": "os.system", "symbols": []}, "target": GOOD},
    {"source": {"kind": "pieces", "symbols": ["a"], "merges": []}},
]


@pytest.mark.parametrize("values", HOSTILE, ids=range(len(HOSTILE)))
def test_unsound_vocabularies_are_refused(values: Any) -> None:
    with pytest.raises(RecurraError, match=r"^m/vocabulary\.json[^\n]*the file is damaged[^\n]*$"):
        Languages.from_json(values, "m/vocabulary.json")


def test_one_vocabulary_or_two() -> None:
    sources, targets = ["aa bb"] * 3, ["cc dd"] * 3
    together = make("words", sources, targets, joint=True)
    assert together.joint
    assert together.source.unknown_in("bb cc") == together.target.unknown_in("bb cc") == []
    apart = make("words", sources, targets, joint=False)
    assert not apart.joint
    assert apart.source.unknown_in("bb cc") == ["cc"]
    assert apart.target.unknown_in("bb cc") == ["bb"]


@each_kind
def test_the_vocabulary_does_not_depend_on_how_many_sentences_are_counted_at_once(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [f"{n} cats don't see {n % 3} dogs; they're {'春眠'[n % 2]}" for n in range(50)]
    whole = make(kind, sentences, sentences[:7], min_count=2).to_json()
    monkeypatch.setattr(module, "BLOCK", 3)
    assert make(kind, sentences, sentences[:7], min_count=2).to_json() == whole


def test_runs_of_sentences() -> None:
    assert [list(run) for run in module.batched(list("abcde"), 2)] == [["a", "b"], ["c", "d"], ["e"]]
    assert list(module.batched([], 2)) == []


def test_line_ends_are_not_written() -> None:
    language = Language(Bytes())
    assert set(b"\r\n") <= set(language.unwritable)
    assert ord("n") not in language.unwritable
