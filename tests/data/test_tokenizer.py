"""Tokenizers: nothing is lost, what is rare is counted, files are believed only if they are sound."""

import json
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import tokenizer as module
from recurra.data.tokenizer import Bytes, Characters, Subwords, Tokenizer, Words, build, decode, decoder, from_json
from recurra.errors import RecurraError

KINDS = ("characters", "bytes", "words", "subwords")
each_kind = pytest.mark.parametrize("kind", KINDS)

HARD = [
    "",
    "\n",
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
    "🙂🏳️‍🌈👩‍👩‍👧‍👦🇫🇷",
    "e\u0301 o\u0323\u0302 \u200d\u200b\ufeff",
    "don't  stop—it’s “quoted” <unk> <eos>\t x\x0b\x0c\x1c\x85\u2028",
    "العربية עברית हिन्दी ไทย",
    "\U0010ffff\uffff\x00\x7f",
    "N N N <unk>n’t $ 10,000.5",
]
texts = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("ab'’<> \n.é春🙂", max_size=60),
)


@pytest.fixture(scope="module")
def pieces() -> Subwords:
    """Subwords of something else than what they are tried on."""
    return Subwords.build(["the cat, which ate already, was full\n" * 20, "春眠不觉晓\n" * 20], 300, 2)


@each_kind
@given(text=texts)
def test_nothing_is_lost_when_everything_is_known(kind: str, text: str) -> None:
    tokenizer = build(kind, [text], limit=10_000, min_count=1)
    tokens = tokenizer.encode(text)
    assert decode(tokenizer, tokens) == text
    assert tokenizer.unknown is None or tokenizer.unknown not in tokens
    assert all(0 <= token < tokenizer.size for token in tokens)


@given(text=texts)
def test_bytes_and_pieces_lose_nothing_of_any_text(pieces: Subwords, text: str) -> None:
    for tokenizer in (Bytes(), pieces):
        assert decode(tokenizer, tokenizer.encode(text)) == text
    assert Bytes().encode(text).tobytes() == text.encode()


@given(text=texts)
def test_the_parts_of_a_text_are_the_text_and_stand_one_to_one_with_its_tokens(text: str) -> None:
    for kind in ("characters", "words"):
        tokenizer = build(kind, [text], limit=10_000, min_count=1)
        parts = tokenizer.split(text)
        assert "".join(parts) == text
        assert [tokenizer.piece(int(token)).decode() for token in tokenizer.encode(text)] == parts


def test_words_are_what_a_reader_would_call_words() -> None:
    split = Words([]).split
    assert split("The cat, which… ate") == ["The", " cat", ",", " which", "…", " ate"]
    assert split("don't it’s") == ["don't", " it’s"]
    assert split("a  b\n\nc") == ["a", " ", " b", "\n", "\n", "c"]
    assert split("the <unk> of N") == ["the", " <unk>", " of", " N"]


@each_kind
@given(blocks=st.lists(texts, min_size=1, max_size=4))
def test_text_in_blocks_ending_in_newlines_has_the_tokens_of_the_whole(kind: str, blocks: list[str]) -> None:
    blocks = [block + "\n" for block in blocks]
    tokenizer = build(kind, blocks, limit=10_000, min_count=1)
    if kind == "subwords":  # the library's pieces may hold several line ends
        blocks = [block + "x" for block in blocks]
    parts = np.concatenate([tokenizer.encode(block) for block in blocks])
    np.testing.assert_array_equal(parts, tokenizer.encode("".join(blocks)))


@pytest.mark.parametrize("kind", ["characters", "words"])
@given(
    counts=st.dictionaries(st.sampled_from("abcdefgh春🙂"), st.integers(1, 9), min_size=1),
    limit=st.integers(1, 12),
    min_count=st.integers(1, 4),
)
def test_the_most_frequent_tokens_are_kept_and_the_rest_unknown(
    kind: str, counts: dict[str, int], limit: int, min_count: int
) -> None:
    text = "".join(f"{name}\n" * count for name, count in counts.items())
    every = Counter(counts) + Counter({"\n": sum(counts.values())})
    ranked = sorted((name for name in every if every[name] >= min_count), key=lambda name: (-every[name], name))
    kept = set(ranked[:limit])
    known = sum(every[name] for name in kept)
    if known * 2 < every.total():
        with pytest.raises(RecurraError, match="absurd vocabulary"):
            build(kind, [text], limit, min_count)
        return
    tokenizer = build(kind, [text], limit, min_count)
    assert tokenizer.size == len(kept) + 1
    tokens = tokenizer.encode(text)
    assert int((tokens == tokenizer.unknown).sum()) == every.total() - known
    shown = decode(tokenizer, tokens).replace(" ", "")
    assert shown == "".join(c if c in kept else "\N{REPLACEMENT CHARACTER}" for c in text)


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_what_was_not_in_the_corpus_is_unknown(kind: str) -> None:
    tokenizer = build(kind, ["a b a b\n"], 100, 1)
    tokens = tokenizer.encode("a Z b")
    assert (tokens == tokenizer.unknown).sum() == 1
    assert decode(tokenizer, tokens) in ("a \ufffd b", "a  \ufffd b", "a \ufffd b")


def test_pieces_are_at_most_as_many_as_allowed_and_at_least_all_bytes() -> None:
    text = "the cat sat on the mat and the dog sat on the cat\n" * 50
    assert build("subwords", [text], 300, 2).size <= 300
    assert build("subwords", [text], 10, 2).size == 256
    several = build("subwords", [text], 300, 2)
    assert len(several.encode(text)) < len(text) / 2
    once = "qzqz"
    assert len(build("subwords", [text + once], 10_000, 2).encode(once)) > 1


@each_kind
@given(corpus=texts, text=texts)
def test_a_tokenizer_from_its_json_encodes_the_same(kind: str, corpus: str, text: str) -> None:
    # Even counts, so that nothing is absurd; every character of the corpus twice.
    tokenizer = build(kind, [corpus + corpus], 10_000, 1)
    again = from_json(json.loads(json.dumps(tokenizer.to_json())), "here")
    assert type(again) is type(tokenizer)
    assert (again.kind, again.size, again.unknown) == (tokenizer.kind, tokenizer.size, tokenizer.unknown)
    np.testing.assert_array_equal(again.encode(text), tokenizer.encode(text))
    assert again.to_json() == tokenizer.to_json()
    assert [again.piece(n) for n in range(again.size)] == [tokenizer.piece(n) for n in range(again.size)]


BYTE_PIECES = Subwords.build([], 256, 1).tokens

HOSTILE: list[Any] = [
    None,
    [],
    "characters",
    {},
    {"kind": "characters"},
    {"kind": "characters", "tokens": None},
    {"kind": "characters", "tokens": "abc"},
    {"kind": "characters", "tokens": ["a", "a"]},
    {"kind": "characters", "tokens": ["ab"]},
    {"kind": "characters", "tokens": [""]},
    {"kind": "characters", "tokens": [1]},
    {"kind": "characters", "tokens": [["a"]]},
    {"kind": "characters", "tokens": ["a", None]},
    {"kind": "words", "tokens": ["a", "a"]},
    {"kind": "words", "tokens": [""]},
    {"kind": "words", "tokens": [{}]},
    {"kind": "words", "tokens": {"a": 1}},
    {"kind": "subwords"},
    {"kind": "subwords", "tokens": [], "merges": []},
    {"kind": "subwords", "tokens": BYTE_PIECES},
    {"kind": "subwords", "tokens": BYTE_PIECES[1:], "merges": []},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "a"], "merges": []},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, ""], "merges": []},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "春"], "merges": []},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, 5], "merges": []},
    {"kind": "subwords", "tokens": BYTE_PIECES, "merges": [["a", "b"]]},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "ab"], "merges": [["a"]]},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "ab"], "merges": [["", "ab"]]},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "ab"], "merges": ["a b"]},
    {"kind": "subwords", "tokens": [*BYTE_PIECES, "ab"], "merges": [None]},
    {"kind": "subwords", "definition": '{"model": {"type": "WordLevel"}}'},
    {"kind": "os.system", "tokens": ["a"]},
    {"kind": ["characters"], "tokens": ["a"]},
]


@pytest.mark.parametrize("values", HOSTILE, ids=lambda values: re.sub(r"\W+", "-", str(values))[:50])
def test_unsound_vocabularies_are_refused(values: Any) -> None:
    with pytest.raises(RecurraError, match=r"^model/vocabulary\.json.*the file is damaged"):
        from_json(values, "model/vocabulary.json")


def test_sound_pieces_are_believed() -> None:
    values = {"kind": "subwords", "tokens": [*BYTE_PIECES, "ab", "abc"], "merges": [["a", "b"], ["ab", "c"]]}
    tokenizer = from_json(values, "here")
    assert tokenizer.encode("abcab").tolist() == [257, 256]


@given(text=texts, cuts=st.lists(st.integers(0, 500)))
def test_decoding_piece_by_piece_is_decoding_at_once(pieces: Subwords, text: str, cuts: list[int]) -> None:
    for tokenizer in (Bytes(), pieces):
        show = decoder()
        assert "".join(show(tokenizer.piece(int(token))) for token in tokenizer.encode(text)) == text
    data = text.encode()
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    show = decoder()
    assert "".join(show(data[begin:end]) for begin, end in pairwise(borders)) == text


@given(data=st.lists(st.integers(0, 255), max_size=12))
def test_bytes_that_are_no_text_show_as_replacement_characters(data: list[int]) -> None:
    expected = bytes(data).decode("utf-8", "replace")
    assert decode(Bytes(), data) == expected
    show = decoder()
    so_far = "".join(show(bytes([byte])) for byte in data)
    # What may still become a character is held back at the end, and nothing else is.
    assert expected.startswith(so_far)
    assert len(expected) - len(so_far) <= 1


def test_lone_surrogates_are_encoded_somehow() -> None:
    # What a terminal passes on that is no UTF-8.
    text = "a\udcff b"
    assert Bytes().encode(text).tobytes() == b"a\xff b"
    characters: Tokenizer = Characters.build(["a b"], 10, 1)
    assert characters.encode(text).tolist().count(0) == 1
    assert Words.build(["a b"], 10, 1).encode(text).tolist().count(0) == 1
    pieces = Subwords.build([], 256, 1)
    assert decode(pieces, pieces.encode(text)) == "a\ufffd b"


class TestAbsurdVocabularies:
    def test_random_chinese_characters(self) -> None:
        codes = np.random.default_rng(0).integers(0x4E00, 0x9FA6, size=700_000)
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        with pytest.raises(RecurraError, match=r"absurd vocabulary: .*--encoding\?.*--tokens bytes"):
            build("characters", [text], 20_000, 2)

    def test_random_characters_of_all_scripts(self) -> None:
        codes = np.random.default_rng(0).integers(0x100, 0xD800, size=1_000_000)
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        with pytest.raises(RecurraError, match="absurd vocabulary"):
            build("characters", [text], 20_000, 2)

    def test_random_words(self) -> None:
        numbers = np.random.default_rng(0).integers(10**12, size=20_000)
        with pytest.raises(RecurraError, match=r"absurd vocabulary.*words are rarer than --min-count or beyond"):
            build("words", [" ".join(map(str, numbers))], 30_000, 2)

    def test_random_latin_letters_are_no_more_than_letters(self) -> None:
        text = bytes(np.random.default_rng(0).integers(1, 256, size=2**20, dtype=np.uint8)).decode("latin-1")
        assert build("characters", [text], 20_000, 2).size == 256

    def test_characters_as_chinese_uses_them_are_not_absurd(self) -> None:
        # Zipf's law over 8,000 characters, flatter than any real corpus.
        rng = np.random.default_rng(0)
        shares = 1 / np.arange(1, 8001) ** 0.9
        codes = 0x4E00 + rng.choice(8000, p=shares / shares.sum(), size=200_000)
        tokenizer = build("characters", [codes.astype("<u4").tobytes().decode("utf-32-le")], 20_000, 2)
        assert tokenizer.size > 6000

    def test_many_scripts_side_by_side_are_not_absurd(self) -> None:
        assert 4 * 650 < module.MAX_CHARACTER_PERPLEXITY < 20_000
