"""Documents: none is glued to the next, cut in two or lost, whatever they come in and whatever tokens they become."""

import gzip
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import corpus as module
from recurra.data import text as text_files
from recurra.data import tokenizer as tokenizers
from recurra.data.corpus import Corpus, Documents, Texts, open_corpus
from recurra.data.streams import encode_beginning, write_tokens
from recurra.data.tokenizer import TokenKind, WithBoundary
from recurra.errors import OptionError, RecurraError

KINDS: tuple[TokenKind, ...] = ("characters", "bytes", "words", "subwords")


def documents_of(corpus: Corpus) -> list[str]:
    """What stands between the marks."""
    blocks = list(corpus.blocks())
    assert blocks[0] is None
    assert blocks[-1] is None
    marks = [place for place, block in enumerate(blocks) if block is None]
    return ["".join(map(str, blocks[begin + 1 : end])) for begin, end in pairwise(marks)]


def opened(sources: list[object], documents: Documents = "auto", **options: object) -> list[str]:
    return documents_of(open_corpus(sources, documents=documents, **options))  # type: ignore[arg-type]


some = st.text(st.sampled_from("ab é🙂\n"), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize("kind", KINDS)
@given(given=st.lists(some, min_size=2, max_size=8))
def test_tokens_between_boundaries_are_the_documents(
    tmp_path_factory: pytest.TempPathFactory, kind: TokenKind, given: list[str]
) -> None:
    corpus = open_corpus([Texts(given)], documents="auto")
    assert corpus.documents == "files"
    plain = tokenizers.build(kind, corpus.text(), 500, 1)
    tokenizer = WithBoundary(plain)
    file = write_tokens(corpus.blocks(), tokenizer, tmp_path_factory.mktemp("tokens") / "tokens.bin")
    tokens = file.open()
    marks = np.flatnonzero(tokens == tokenizer.boundary)
    assert marks[0] == 0
    assert marks[-1] == len(tokens) - 1
    between = [tokens[begin + 1 : end] for begin, end in pairwise(marks)]
    assert file.documents == len(between) == len(given)
    assert [part.tolist() for part in between] == [plain.encode(text).tolist() for text in given]
    assert [tokenizers.decode(tokenizer, part) for part in between] == given
    length = len(tokens) // 2
    assert encode_beginning(corpus.blocks(), tokenizer, length).tolist() == tokens[:length].tolist()


@pytest.mark.parametrize("size", [1, 7, 2**20])
@given(lines=st.lists(st.text(st.sampled_from("ab é\t"), max_size=9), min_size=1, max_size=12), end=st.booleans())
def test_lines_and_paragraphs_are_as_by_regular_expressions(
    tmp_path_factory: pytest.TempPathFactory, size: int, lines: list[str], end: bool
) -> None:
    text = "start\n" + "\n".join(lines) + "\n" * end
    path = tmp_path_factory.mktemp("lines") / "corpus.txt"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK_BYTES", size)
        patch.setattr(module, "BLOCK_BYTES", size)
        for raw in (False, True):
            assert opened([path], "lines", raw=raw) == re.findall(r"^.*\S.*$", text, re.MULTILINE)
            paragraphs = re.findall(r"(?:^.*\S.*(?:\n|\Z))+", text, re.MULTILINE)
            assert opened([path], "paragraphs", raw=raw) == [part.removesuffix("\n") for part in paragraphs]


def test_a_line_longer_than_a_block_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 8)
    monkeypatch.setattr(module, "BLOCK_BYTES", 8)
    long = "one two three four five six seven"
    (tmp_path / "c.txt").write_text(f"{long}\n{long}\n\n\n{long}")
    assert opened([tmp_path / "c.txt"], "lines") == [long] * 3
    assert opened([tmp_path / "c.txt"], "paragraphs") == [f"{long}\n{long}", long]


def test_files_of_a_folder_are_documents_as_they_are(tmp_path: Path) -> None:
    texts = {"a.txt": "no line end", "b.txt": "one\n\n", "c.txt": "\n two\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert opened([tmp_path]) == list(texts.values())
    assert opened([tmp_path / "c.txt", tmp_path / "a.txt"]) == [texts["c.txt"], texts["a.txt"]]
    corpus = open_corpus([tmp_path], documents="none")
    # As one text they are not glued together either.
    assert "".join(map(str, corpus.blocks())) == "no line end\none\n\n\n two\n"
    assert "".join(corpus.text()) == "no line end\none\n\n\n two\n"


def test_one_text_alone_has_no_boundaries_unless_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    for source in (tmp_path, tmp_path / "a.txt", Texts(["text\n"])):
        corpus = open_corpus([source], documents="auto")
        assert corpus.documents == "none"
        assert list(corpus.blocks()) == ["text\n"]
        assert opened([source], "files") == ["text\n"]
    assert open_corpus(["sample:pydocs"], documents="auto").documents == "none"
    assert len(opened(["sample:pydocs"], "paragraphs")) > 1000


ROWS = [
    {"id": 7, "text": " First,\r\nin two lines.\n", "meta": {"source": "web"}},
    {"id": 8, "text": "long " * 50_000, "meta": {"source": "book"}},
    {"id": 9, "text": "", "meta": {"source": "book"}},
    {"id": 10, "text": "第三", "meta": {"source": "web"}},
]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson.gz"])
def test_rows_of_jsonl_are_documents(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    corpus = open_corpus([path], documents="auto")
    assert documents_of(corpus) == [" First,\nin two lines.\n", "long " * 50_000, "第三"]
    assert any("line 3" in reason for reason in corpus.skipped)
    assert opened([path], columns="meta.source") == ["web", "book", "book", "web"]
    (tmp_path / "more.txt").write_text("more")
    assert opened([path, tmp_path / "more.txt"])[2:] == ["第三", "more"]
    (tmp_path / "one.jsonl").write_text(json.dumps(ROWS[3]))
    assert opened([tmp_path / "one.jsonl"]) == ["第三"]
    # Whatever a document is, the text is that of the rows.
    assert "".join(map(str, open_corpus([path], documents="none").blocks())) == (
        " First,\nin two lines.\n" + "long " * 50_000 + "\n第三"
    )
    assert opened([path], "lines") == [" First,", "in two lines.", "long " * 50_000, "第三"]


@pytest.mark.parametrize("key", ["text", "content", "body", "Article", "doc.text", "lyrics"])
def test_the_key_of_the_text_is_found_by_its_name(tmp_path: Path, key: str) -> None:
    outer, _, inner = key.partition(".")
    rows = [{"title": f"T{n}", outer: {inner: f"text {n}"} if inner else f"text {n}", "url": "x"} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert opened([tmp_path / "rows.jsonl"]) == ["text 0", "text 1", "text 2"]


def test_a_key_that_is_not_known_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"aa": "one {n}", "bb": "two {n}"}}\n' for n in range(3)))
    with pytest.raises(RecurraError, match=r"does not say which .*'one 0'.*; name it with `columns`"):
        open_corpus([tmp_path / "rows.jsonl"], documents="auto")
    (tmp_path / "rows.jsonl").write_text("plain words\n" * 3)
    with pytest.raises(RecurraError, match=r"rows\.jsonl, line 1: this is not JSON"):
        open_corpus([tmp_path / "rows.jsonl"], documents="auto")


def test_given_texts_that_are_none_are_left_out_and_told() -> None:
    corpus = open_corpus([Texts(["one\r\ntwo", " \n", 3, "a\0b", "\ud800", "good"])], documents="auto")  # type: ignore[list-item]
    assert documents_of(corpus) == ["one\ntwo", "good"]
    told = "; ".join(corpus.skipped)
    for reason in ("index 1: nothing is there", "index 2: this is not a text but int", "indices 3, 4: there is a zero"):
        assert reason in told
    assert corpus.name == "6 given texts"
    with pytest.raises(OptionError, match="there is no text; name a file"):
        open_corpus([])
    with pytest.raises(OptionError, match="list is neither a file's name nor Texts"):
        open_corpus([["a.txt"]])  # type: ignore[list-item]
    with pytest.raises(RecurraError, match="Texts has no row with text"):
        open_corpus([Texts([])])
    with pytest.raises(RecurraError, match=r"several texts; put the one into a list: Texts\(\[\.\.\.\]\)"):
        Texts("a text")


@pytest.mark.parametrize("text", ["It was a dark and stormy night; the rain fell", "春眠不觉晓，" * 9, "a\nb"])
def test_a_text_where_a_name_is_expected_is_told_so_in_short(text: str) -> None:
    with pytest.raises(RecurraError, match=r"no file or folder '.*'; to give the text itself, wrap it: Texts") as error:
        open_corpus([text])
    assert repr(text[:37])[1:-1] in str(error.value)
    assert len(str(error.value)) < 130


@pytest.mark.parametrize("name", ["missing", "my books.txt", "a/" * 30 + "missing", "missing.jsonl"])
def test_a_name_of_nothing_is_told_as_a_name(name: str) -> None:
    with pytest.raises(RecurraError, match="; check the name"):
        open_corpus([name])
