"""Tokenizers: nothing is lost, words are whole, prompts are read as the corpus is, only sound files are believed."""

import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import tokenizer as module
from recurra.data import words
from recurra.data.tokenizer import (
    SPACED,
    Bytes,
    Characters,
    Normalization,
    Subwords,
    Tokenizer,
    TokenKind,
    Words,
    build,
    decode,
    decoder,
    from_json,
    read_prompt,
)
from recurra.errors import RecurraError

KINDS: tuple[TokenKind, ...] = ("characters", "bytes", "words", "subwords")
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


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def knowing(kind: TokenKind, text: str, form: Normalization | None = "NFC") -> Tokenizer:
    """A tokenizer that knows all of a text; words may run together."""
    if kind == "words":
        return Words(list(dict.fromkeys(Words([], form).split(text))), form)
    return build(kind, [text], 10_000, 1, form)


@pytest.fixture(scope="module")
def pieces() -> Subwords:
    """Subwords of something else than what they are tried on."""
    return Subwords.build(["the cat, which ate already, was full\n" * 20, "春眠不觉晓\n" * 20], 300, 2)


@each_kind
@given(text=texts)
def test_nothing_is_lost_when_everything_is_known(kind: TokenKind, text: str) -> None:
    forms: tuple[Normalization | None, ...] = ("NFC", None)
    for form in forms:
        tokenizer = knowing(kind, text, form)
        tokens = tokenizer.encode(text)
        assert decode(tokenizer, tokens) == (nfc(text) if form and kind != "bytes" else text)
        assert tokenizer.unknown is None or tokenizer.unknown not in tokens
        assert all(0 <= token < tokenizer.size for token in tokens)


@given(text=texts)
def test_bytes_and_pieces_lose_nothing_of_any_text(pieces: Subwords, text: str) -> None:
    assert decode(pieces, pieces.encode(text)) == nfc(text)
    assert decode(Bytes(), Bytes().encode(text)) == text
    assert Bytes().encode(text).tobytes() == text.encode()


@pytest.mark.parametrize("kind", ["characters", "words", "subwords"])
def test_text_is_the_same_tokens_however_it_is_composed(kind: TokenKind) -> None:
    text = "Äpfel déjà vu, ọ̀rọ̀ Yorùbá, 가을 Å\n" * 3
    split = unicodedata.normalize("NFD", text)
    assert split != text
    tokenizer = build(kind, [split], 1000, 1)
    assert tokenizer.to_json() == build(kind, [text], 1000, 1).to_json()
    assert tokenizer.to_json()["normalization"] == "NFC"
    assert decode(tokenizer, tokenizer.encode(split)) == nfc(text)
    np.testing.assert_array_equal(tokenizer.encode(split), tokenizer.encode(text))
    unchanged = build(kind, [split], 1000, 1, normalization=None)
    assert unchanged.to_json()["normalization"] is None
    assert decode(unchanged, unchanged.encode(split)) == split


@given(text=texts)
def test_the_parts_of_a_text_are_the_text_and_stand_one_to_one_with_its_tokens(text: str) -> None:
    for tokenizer in (knowing("characters", text), knowing("words", text)):
        parts = tokenizer.split(text)
        assert "".join(parts) == nfc(text)
        assert [tokenizer.piece(int(token)).decode() for token in tokenizer.encode(text)] == parts


def test_words_are_what_a_reader_would_call_words() -> None:
    split = Words([]).split
    assert split("The cat, which… ate") == ["The", " cat", ",", " which", "…", " ate"]
    assert split("don't it’s") == ["don't", " it’s"]
    assert split("a  b\n\nc") == ["a", " ", " b", "\n", "\n", "c"]
    assert split("the <unk> of N") == ["the", " <unk>", " of", " N"]
    assert split("col·lecció Schiff\u00adfahrt צה״ל") == ["col·lecció", " Schiff\u00adfahrt", " צה״ל"]


SENTENCES = {
    "Hindi": "हिन्दी में क्‍षमा की किताबें पढ़ता हूँ",
    "Bengali": "আমি বাংলায় গান গাই",
    "Thai, split": "ผม ชื่อ เล่น ว่า น้ำ",
    "Arabic with vowels": "بِسْمِ اللّٰهِ الرَّحْمٰنِ",
    "Persian": "می‌خواهم کتاب‌ها را",
    "Hebrew with points": "בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "Yoruba": "ọ̀rọ̀ tí mo sọ ní Yorùbá",
    "Burmese, split": "မြန်မာ စာ ရေး တယ်",
    "decomposed": unicodedata.normalize("NFD", "Äpfel für dié Großväter"),
}


@pytest.mark.parametrize("text", SENTENCES.values(), ids=SENTENCES)
def test_a_word_holds_its_marks_and_joiners_in_every_script(text: str) -> None:
    forms: tuple[Normalization | None, ...] = ("NFC", None)
    for form in forms:
        words = Words([], form)
        assert [word.strip() for word in words.split(text)] == (nfc(text) if form else text).split()
        subwords = build("subwords", [f"{text}\n" * 20], 2000, 2, form)
        pieces = [subwords.piece(int(token)).decode().strip(" ") for token in subwords.encode(text)]
        assert pieces == (nfc(text) if form else text).split()


@given(text=st.text(st.sampled_from("aक क्िै\u0301\u0323\u200d\u200c.'s ๅน้\n"), max_size=30))
def test_no_mark_or_joiner_is_cut_from_what_it_stands_on(text: str) -> None:
    # UAX 29, rule WB4, wherever there is something to stand on; subwords at least from letters.
    words = Words([], None).split(text)
    trained = build("subwords", [f"{text}\n" * 20], 5000, 2, None)
    subwords = [trained.piece(int(token)).decode() for token in trained.encode(text)]
    for parts, bases in ((words, r"[^\s]"), (subwords, r"[^\W\d_]")):
        for before, after in pairwise(parts):
            assert not (re.search(rf"{bases}\Z", before) and unicodedata.category(after[0]) in ("Mn", "Mc", "Cf"))


def test_emoji_are_whole() -> None:
    assert Words([]).split("🏳️‍🌈👩‍👩‍👧‍👦 🇫🇷🇩🇪❤️") == ["🏳️‍🌈", "👩‍👩‍👧‍👦", " 🇫🇷", "🇩🇪", "❤️"]


def test_latin_text_is_split_into_the_same_words_by_the_faster_pattern() -> None:
    codes = [chr(code) for code in range(0x2500) if not words._BEYOND_LATIN.search(chr(code))]
    assert len(codes) > 700
    for code in codes:
        for text in (f"a{code}b", f" {code}", code + code, f"<{code}>", f"1{code} {code}’{code}\n"):
            assert words._WORD.findall(text) == words._LATIN_WORD.findall(text)


UNSPACED = {
    "Chinese": "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n",
    "Japanese": "春はあけぼの。やうやう白くなりゆく山ぎは、少しあかりて、カタカナも。\n",
    "Thai": "ข้าพเจ้าชอบอ่านหนังสือมาก และชอบเดินเล่นในสวนตอนเช้า\n",
    "Khmer": "ខ្ញុំចូលចិត្តអានសៀវភៅនៅពេលព្រឹក\n",
    "Lao": "ຂ້ອຍມັກອ່ານປຶ້ມຫຼາຍໃນຕອນເຊົ້າ\n",
    "Burmese": "ကျွန်တော်သည်စာအုပ်ဖတ်ခြင်းကိုနှစ်သက်သည်။\n",
    "Chinese with English": "我喜欢 Python 这个很好用的软件，也喜欢学习新的东西。\n",
}


@pytest.mark.parametrize("text", UNSPACED.values(), ids=UNSPACED)
def test_words_of_a_script_without_spaces_are_refused(text: str) -> None:
    with pytest.raises(RecurraError, match=r"no spaces between its words.*`tokens` characters or `tokens` subwords"):
        build("words", [text * 20], 1000, 2)
    assert build("characters", [text * 20], 1000, 2).encode(text).size
    assert build("subwords", [text * 20], 1000, 2).encode(text).size


@pytest.mark.parametrize(
    "text",
    [
        "春 眠 不 觉 晓 ， 我们 喜欢 学习 中文 。\n",
        "ผม ชอบ อ่าน หนังสือ มาก และ เดิน เล่น ใน สวน\n",
        "ผม\u200bชอบ\u200bอ่าน\u200bหนังสือ\u200bมาก\n",
        "The poem 春眠不觉晓 is by Meng Haoran, who lived in the time of the Tang dynasty.\n",
        "The poem by Meng Haoran begins with spring sleep:\n春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n",
        "나는 책을 읽는 것을 좋아합니다.\n",
        "कखग घङच\n",
    ],
)
def test_words_with_spaces_between_them_are_taken_in_every_script(text: str) -> None:
    tokenizer = build("words", [text * 20], 1000, 2)
    assert tokenizer.unknown not in tokenizer.encode(text)


@each_kind
@given(blocks=st.lists(texts, min_size=1, max_size=4))
def test_text_in_blocks_ending_in_newlines_has_the_tokens_of_the_whole(kind: TokenKind, blocks: list[str]) -> None:
    blocks = [block + "\n" for block in blocks]
    tokenizer = knowing(kind, "".join(blocks))
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
def test_a_tokenizer_from_its_json_encodes_the_same(kind: TokenKind, corpus: str, text: str) -> None:
    tokenizer = knowing(kind, corpus)
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
    {"kind": "characters", "normalization": "NFC", "tokens": None},
    {"kind": "characters", "normalization": "NFC", "tokens": "abc"},
    {"kind": "characters", "normalization": "NFC", "tokens": ["a", "a"]},
    {"kind": "characters", "normalization": "NFC", "tokens": ["ab"]},
    {"kind": "characters", "normalization": "NFC", "tokens": [""]},
    {"kind": "characters", "normalization": "NFC", "tokens": [1]},
    {"kind": "characters", "normalization": "NFC", "tokens": [["a"]]},
    {"kind": "characters", "normalization": "NFC", "tokens": ["a", None]},
    {"kind": "words", "normalization": "NFC", "tokens": ["a", "a"]},
    {"kind": "words", "normalization": "NFC", "tokens": [""]},
    {"kind": "words", "normalization": "NFC", "tokens": [{}]},
    {"kind": "words", "normalization": "NFC", "tokens": {"a": 1}},
    {"kind": "subwords"},
    {"kind": "subwords", "normalization": "NFC", "tokens": [], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": BYTE_PIECES},
    {"kind": "subwords", "normalization": "NFC", "tokens": BYTE_PIECES[1:], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "a"], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, ""], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "春"], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, 5], "merges": []},
    {"kind": "subwords", "normalization": "NFC", "tokens": BYTE_PIECES, "merges": [["a", "b"]]},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "ab"], "merges": [["a"]]},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "ab"], "merges": [["", "ab"]]},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "ab"], "merges": ["a b"]},
    {"kind": "subwords", "normalization": "NFC", "tokens": [*BYTE_PIECES, "ab"], "merges": [None]},
    {"kind": "subwords", "definition": '{"model": {"type": "WordLevel"}}'},
    {"kind": "characters", "tokens": ["a"]},
    {"kind": "words", "normalization": "NFD", "tokens": ["a"]},
    {"kind": "words", "normalization": ["NFC"], "tokens": ["a"]},
    {"kind": "os.system", "tokens": ["a"]},
    {"kind": ["characters"], "tokens": ["a"]},
]


@pytest.mark.parametrize("values", HOSTILE, ids=lambda values: re.sub(r"\W+", "-", str(values))[:50])
def test_unsound_vocabularies_are_refused(values: Any) -> None:
    with pytest.raises(RecurraError, match=r"^model/vocabulary\.json.*the file is damaged"):
        from_json(values, "model/vocabulary.json")


def test_sound_pieces_are_believed() -> None:
    merges = [["a", "b"], ["ab", "c"]]
    values = {"kind": "subwords", "normalization": None, "tokens": [*BYTE_PIECES, "ab", "abc"], "merges": merges}
    tokenizer = from_json(values, "here")
    assert tokenizer.encode("abcab").tolist() == [257, 256]


@given(text=texts, cuts=st.lists(st.integers(0, 500)))
def test_decoding_piece_by_piece_is_decoding_at_once(pieces: Subwords, text: str, cuts: list[int]) -> None:
    for tokenizer in (Bytes(), pieces):
        show = decoder()
        whole = text if tokenizer.kind == "bytes" else nfc(text)
        assert "".join(show(tokenizer.piece(int(token))) for token in tokenizer.encode(text)) == whole
        show = decoder(skip=3)
        shown = "".join(show(tokenizer.piece(int(token))) for token in tokenizer.encode("xyz" + text))
        assert shown == (text if tokenizer.kind == "bytes" else nfc("xyz" + text).removeprefix("xyz"))
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


CORPUS = "The cat, which ate already, was full.\nThe cats don't  see it; a man\n  does.\n" * 9


class TestPrompts:
    @each_kind
    @given(data=st.data())
    def test_a_prompt_and_what_follows_have_the_tokens_of_the_whole(self, kind: TokenKind, data: st.DataObject) -> None:
        tokenizer = build(kind, [CORPUS], 1000, 1)
        cut = data.draw(
            st.sampled_from([match.start() for match in re.finditer(r"(?<=\S)(?= \S)|(?=\n)|(?<=\n)", CORPUS)])
        )
        whole = tokenizer.encode(CORPUS).tolist()
        for end in (cut, cut + 1) if CORPUS[cut : cut + 1] == " " else (cut,):
            prompt = read_prompt(tokenizer, CORPUS[:end])
            if not end:
                assert prompt.tokens.tolist() == tokenizer.encode("\n").tolist()
                continue
            read = len(prompt.tokens)
            assert prompt.tokens.tolist() == whole[:read]
            # What is held back is what the rest has more than was not in the prompt.
            assert decode(tokenizer, whole[read:]) == prompt.held.decode() + CORPUS[end:]
            assert not set(whole[read : read + 1]) & set(prompt.suppressed.tolist())
            assert prompt.unknown == []

    @pytest.mark.parametrize("kind", SPACED)
    def test_after_a_space_comes_a_token_that_begins_with_it(self, kind: TokenKind) -> None:
        tokenizer = build(kind, [CORPUS], 1000, 1)
        prompt = read_prompt(tokenizer, "The ")
        assert prompt.held == b" "
        np.testing.assert_array_equal(prompt.tokens, tokenizer.encode("The"))
        allowed = sorted(set(range(tokenizer.size)) - set(prompt.suppressed.tolist()))
        beginning = [n for n in range(tokenizer.size) if tokenizer.piece(n)[:1] == b" " and n != tokenizer.unknown]
        assert allowed == beginning
        assert read_prompt(tokenizer, "The").suppressed.tolist() == ([0] if kind == "words" else [])

    def test_a_space_is_held_back_only_if_something_begins_with_one(self) -> None:
        tokenizer = Words(["a", "\n", " "][:2])
        prompt = read_prompt(tokenizer, "a ")
        assert (prompt.held, prompt.tokens.tolist(), prompt.suppressed.tolist()) == (b"", [1, 0], [0])
        for kind in ("characters", "bytes"):
            assert read_prompt(build(kind, ["a b\n"], 9, 1), "a ").held == b""

    @each_kind
    def test_line_ends_are_read_as_in_the_corpus(self, kind: TokenKind) -> None:
        tokenizer = build(kind, [CORPUS], 1000, 1)
        expected = read_prompt(tokenizer, "The cat\nThe\n").tokens.tolist()
        for end in ("\r\n", "\r"):
            got = read_prompt(tokenizer, f"The cat{end}The{end}").tokens.tolist()
            assert (got == expected) == (kind != "bytes")
        for nothing in ("", " ") if kind in SPACED else ("",):
            assert read_prompt(tokenizer, nothing).tokens.tolist() == tokenizer.encode("\n").tolist()
        assert read_prompt(tokenizer, "").unknown == []

    def test_a_first_word_known_only_after_a_space_is_read_after_one(self) -> None:
        tokenizer = build("words", [CORPUS], 1000, 1)
        assert read_prompt(tokenizer, "cat, dog dog").tokens.tolist() == tokenizer.encode(" cat, dog dog").tolist()
        assert read_prompt(tokenizer, "cat, dog dog").unknown == ["dog"]
        assert read_prompt(tokenizer, "The cat").tokens.tolist() == tokenizer.encode("The cat").tolist()


class TestAbsurdVocabularies:
    def test_random_chinese_characters(self) -> None:
        codes = np.random.default_rng(0).integers(0x4E00, 0x9FA6, size=700_000)
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        with pytest.raises(RecurraError, match=r"absurd vocabulary: .*`encoding`\?.*`tokens` bytes"):
            build("characters", [text], 20_000, 2)

    def test_random_characters_of_all_scripts(self) -> None:
        codes = np.random.default_rng(0).integers(0x100, 0xD800, size=1_000_000)
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        with pytest.raises(RecurraError, match="absurd vocabulary"):
            build("characters", [text], 20_000, 2)

    def test_random_words(self) -> None:
        numbers = np.random.default_rng(0).integers(10**12, size=20_000)
        with pytest.raises(RecurraError, match=r"absurd vocabulary.*words are rarer than `min_count` or beyond"):
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
