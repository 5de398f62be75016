"""Vocabularies: sentences come back as they were, the end is last, files are believed only if they are sound."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import vocabulary as module
from recurra.data import words
from recurra.data.tokenizer import SPACED, Bytes, Characters, Subwords, TokenKind, Words
from recurra.data.vocabulary import Vocabulary, VocabularyPair
from recurra.errors import RecurraError

KINDS: tuple[TokenKind, ...] = ("characters", "bytes", "words", "subwords")
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


@pytest.fixture(scope="module", autouse=True)
def words_may_run_together() -> Iterator[None]:
    """Some sentences above have no spaces; `test_tokenizer` tests that their words are refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "MAX_UNSPACED_SHARE", 1)
        yield


@pytest.fixture(scope="module")
def strange() -> dict[str, Vocabulary]:
    """Vocabularies that can say anything, made of something else."""
    pieces = Subwords.build(["the cat, which ate already, was full\n" * 20, "春眠不觉晓\n" * 20], 300, 2)
    return {"subwords": Vocabulary(pieces), "bytes": Vocabulary(Bytes())}


def make(
    kind: TokenKind, sources: list[str], targets: list[str], joint: bool = True, min_count: int = 1
) -> VocabularyPair:
    return VocabularyPair.build((kind, kind), sources, targets, joint, 10_000, min_count)


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def line_ends(language: Vocabulary) -> set[int]:
    """The tokens that would put what is written on two lines."""
    tokenizer = language.tokenizer
    return {
        token
        for token in range(tokenizer.size)
        if tokenizer.piece(token).translate(None, b"\r\n") != tokenizer.piece(token)
    }


@each_kind
@given(known=st.lists(sentences, min_size=1, max_size=4))
def test_what_is_known_comes_back(kind: TokenKind, known: list[str]) -> None:
    language = make(kind, known, known, joint=False).source
    for sentence in known:
        tokens = language.encode(sentence)
        assert tokens.ndim == 1
        assert tokens[-1] == language.end
        assert not set(tokens[:-1].tolist()) & {language.start, language.end}
        assert tokens.max() < language.size
        assert language.decode(tokens[:-1]) == (sentence if kind == "bytes" else nfc(sentence))
        assert language.unknown_in(sentence) == []


@pytest.mark.parametrize("kind", ["subwords", "bytes"])
@given(sentence=sentences)
def test_pieces_and_bytes_say_anything(strange: dict[str, Vocabulary], kind: str, sentence: str) -> None:
    language = strange[kind]
    tokens = language.encode(sentence)
    said = sentence if kind == "bytes" else nfc(sentence)
    assert language.decode(tokens[:-1]) == said
    assert language.unknown_in(sentence) == []
    assert set(language.unwritable) == {language.start} | line_ends(language)
    assert bytes.fromhex("".join(language.tokenizer.piece(int(s)).hex() for s in tokens[:-1])).decode() in (
        said,
        " " + said,
    )


@each_kind
def test_start_and_end_are_two_tokens_more(kind: TokenKind) -> None:
    language = make(kind, ["a b c"], ["a b c"]).source
    assert {language.start, language.end} == {language.size - 2, language.size - 1}
    assert language.size == language.tokenizer.size + 2
    unknown = language.tokenizer.unknown
    assert set(language.unwritable) == {language.start} | ({unknown} - {None}) | line_ends(language)
    assert language.end not in language.unwritable
    assert language.encode("").tolist() == [language.end]


@pytest.mark.parametrize("kind", SPACED)
def test_a_word_is_one_token_wherever_it_stands(kind: TokenKind) -> None:
    language = make(kind, ["cat sees cat"] * 9, ["cat"]).source
    first, *_, last, _ = language.encode("cat sees cat").tolist()
    assert first == last == language.encode("cat")[0]


def test_a_decoder_need_not_begin_with_a_space() -> None:
    language = Vocabulary(Words(["a", " a"]))
    assert language.decode([1, 2]) == "a a"
    assert language.decode([2, 2]) == "a a"
    assert Vocabulary(Characters(" a")).decode([1, 2]) == " a"


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
    pieces = make("subwords", ["the cat"] * 3, []).source
    assert pieces.unknown_share([pieces.encode("春")]) == 0


@each_kind
def test_a_part_is_shown_for_each_token(kind: TokenKind) -> None:
    sentence = "né 春"
    language = make(kind, [sentence] * 3, []).source
    tokens = language.encode(sentence)[:-1].tolist()
    shown = language.shown(tokens)
    assert len(shown) == len(tokens) == (len(language.split(sentence)) if kind != "bytes" else 7)
    if kind in ("characters", "words"):
        assert shown == language.split(sentence)
    if kind == "bytes":
        assert shown == ["n", "<C3>", "<A9>", " ", "<E6>", "<98>", "<A5>"]


@each_kind
@given(known=st.lists(sentences, min_size=1, max_size=3), other=sentences, joint=st.booleans())
def test_languages_from_their_json_encode_the_same(kind: TokenKind, known: list[str], other: str, joint: bool) -> None:
    vocabularies = make(kind, known, [known[0] + "xyz"], joint)
    again = VocabularyPair.from_json(json.loads(json.dumps(vocabularies.to_json())), "here")
    assert again.joint == vocabularies.joint == joint
    assert again.to_json() == vocabularies.to_json()
    for one, side in ((again.source, vocabularies.source), (again.target, vocabularies.target)):
        assert one.size == side.size
        np.testing.assert_array_equal(one.encode(other), side.encode(other))


GOOD = {"kind": "characters", "normalization": "NFC", "tokens": ["a", "b"]}
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
    {"source": GOOD, "target": {"kind": "words", "normalization": None, "tokens": ["a", "a"]}},
    {"source": {"kind": "os.system", "tokens": []}, "target": GOOD},
    {"source": {"kind": "subwords", "normalization": "NFC", "tokens": ["a"], "merges": []}},
]


@pytest.mark.parametrize("values", HOSTILE, ids=range(len(HOSTILE)))
def test_unsound_vocabularies_are_refused(values: Any) -> None:
    with pytest.raises(RecurraError, match=r"^m/vocabulary\.json[^\n]*the file is damaged[^\n]*$"):
        VocabularyPair.from_json(values, "m/vocabulary.json")


@pytest.mark.parametrize("kind", ["characters", "words", "subwords"])
def test_sentences_are_the_same_however_they_are_composed(kind: TokenKind) -> None:
    composed = ["Äpfel sind rot", "e", "Ärger"]
    split = [unicodedata.normalize("NFD", sentence) for sentence in composed]
    language = make(kind, split, []).source
    assert language.tokenizer.to_json() == make(kind, composed, []).source.tokenizer.to_json()
    for one, other in zip(composed, split, strict=True):
        np.testing.assert_array_equal(language.encode(one), language.encode(other))
        assert language.unknown_in(other) == []
    unchanged = VocabularyPair.build((kind, kind), split, [], True, 1000, 1, normalization=None).source
    assert unchanged.decode(unchanged.encode(split[0])[:-1]) == split[0]


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_a_mark_at_the_beginning_is_not_the_sentence_befores(kind: TokenKind) -> None:
    language = make(kind, ["cafe", "\u0301 is a mark", "cafe"], []).source
    assert language.unknown_in("\u0301 is a mark") == language.unknown_in("cafe") == []
    assert language.unknown_in("é") == ["é"]


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
    kind: TokenKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [f"{n} cats don't see {n % 3} dogs; they're {'春眠'[n % 2]}" for n in range(50)]
    whole = make(kind, sentences, sentences[:7], min_count=2).to_json()
    monkeypatch.setattr(module, "BLOCK", 3)
    assert make(kind, sentences, sentences[:7], min_count=2).to_json() == whole


def test_runs_of_sentences() -> None:
    assert [list(run) for run in module.batched(list("abcde"), 2)] == [["a", "b"], ["c", "d"], ["e"]]
    assert list(module.batched([], 2)) == []


def test_line_ends_are_not_written() -> None:
    language = Vocabulary(Bytes())
    assert set(b"\r\n") <= set(language.unwritable)
    assert ord("n") not in language.unwritable
