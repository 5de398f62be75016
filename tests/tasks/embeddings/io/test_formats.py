"""Vectors of other programs: read as they are, written so that they are read back, refused by line if broken."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vectoring import model_of

from recurra.data import text as text_files
from recurra.data.vectors import CharacterNgrams
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings import Model, import_vectors
from recurra.tasks.embeddings.io import formats
from recurra.tasks.embeddings.io.vector_lines import LineError, read_line, read_lines

Command = Callable[..., Any]

CATS = b"cat 0.5 -1\ndog 2e-1 .25\n"
CATS_ARE = {"cat": [0.5, -1.0], "dog": [0.2, 0.25]}


def binary(words: dict[str, list[float]], end: bytes = b"\n", count: int | None = None) -> bytes:
    """word2vec's binary format."""
    size = len(next(iter(words.values())))
    rows = [word.encode() + b" " + struct.pack(f"<{size}f", *row) + end for word, row in words.items()]
    return f"{len(words) if count is None else count} {size}\n".encode() + b"".join(rows)


def read(folder: Path, content: bytes, name: str = "vectors.txt") -> Model:
    (folder / name).write_bytes(content)
    return import_vectors(folder / name)


def as_dict(model: Model) -> dict[str, list[float]]:
    rows = [row.tolist() for row in model.vectors.matrix]
    return dict(zip(model.vectors.words, rows, strict=True))


def same(found: dict[str, list[float]], expected: dict[str, list[float]]) -> bool:
    return found == {word: [float(np.float32(value)) for value in row] for word, row in expected.items()}


SPELLINGS = {
    "glove": CATS,
    "word2vec": b"2 2\n" + CATS,
    "fasttext": b"2 2 \ncat 0.5 -1 \ndog 2e-1 .25 \n",
    "no last line end": b"2 2\n" + CATS[:-1],
    "carriage returns": b"2 2\r\n" + CATS.replace(b"\n", b"\r\n"),
    "tabs": b"2\t2\n" + CATS.replace(b" ", b"\t"),
    "wide": b"2 2\n" + CATS.replace(b" ", b"  \t"),
    "byte-order mark": b"\xef\xbb\xbf" + CATS,
    "spaces before": b"2 2\n" + CATS.replace(b"cat", b"  cat"),
    "blank lines": b"2 2\n" + CATS.replace(b"\n", b"\n \n\n"),
    "gz": gzip.compress(CATS),
    "bz2": bz2.compress(b"2 2\n" + CATS),
    "xz": lzma.compress(CATS),
    "binary": binary(CATS_ARE),
    "binary of gensim": binary(CATS_ARE, b""),
    "binary packed": gzip.compress(binary(CATS_ARE)),
}


@pytest.mark.parametrize("block", [2**20, 64])
@pytest.mark.parametrize("name", SPELLINGS)
def test_each_format_is_known_by_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, block: int
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    assert same(as_dict(read(tmp_path, SPELLINGS[name], "v.bin")), CATS_ARE)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("block", [40, 41, 57])
def test_lines_and_vectors_across_blocks_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    words = {f"word{number}": [number / 8, -number] for number in range(50)}
    lines = "".join(f"{word} {a} {b}\n" for word, (a, b) in words.items()).encode()
    for content in (lines, b"50 2\n" + lines, binary(words), binary(words, b"")):
        assert same(as_dict(read(tmp_path, content)), words)


@pytest.mark.parametrize("header", [b"", b"41 2\n"])
def test_the_line_at_fault_is_counted_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], header: bytes
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 50)
    lines = header + b"".join(b"w%d 1 2\n" % number for number in range(40))
    at = 42 if header else 41
    for last, message in ((b"x 1\n", "it has 1 numbers"), (b"x nan 1\n", "NaN"), (b"x\0 1 2\n", "it is not text")):
        with pytest.raises(RecurraError, match=f"line {at}: {message}"):
            read(tmp_path, lines + last)
    read(tmp_path, lines + b"w7 1 2\n")
    assert f"line {at}" in capsys.readouterr().err


def test_words_of_glove_may_have_spaces(tmp_path: Path) -> None:
    model = read(tmp_path, b". 1 2\n. . . 3 4\nat name@domain.com 5 6\n7 7 8\n")
    assert list(model.vectors.words) == [".", ". . .", "at name@domain.com", "7"]
    assert model["7"].tolist() == [7, 8]


numbers = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[+-]?\.[0-9]{1,30}", fullmatch=True),
    st.floats(width=32).map(repr),
    st.floats(-10, 10).map(repr),
    st.sampled_from(["0", "-0.0", "1e-46", "3.4028236e38", "340282356779733661637539395458142568448", "1e999", "nan"]),
    # Halfway between two float32, and a little more and less.
    st.floats(2.0**-20, 2.0**20, width=32).map(lambda x: repr((x + float(np.nextafter(np.float32(x), np.inf))) / 2)),
    st.sampled_from(["", "-", ".", "1e", "1e+", "0x1", "1_0", "--1", "1.2.3", "abc", "١"]),
)


@given(st.lists(st.lists(numbers, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(["", " ", "\r"]))
def test_numbers_are_read_as_python_reads_them(rows: list[list[str]], end: str) -> None:
    lines = [f"w{number} {' '.join(row)}{end}".encode() for number, row in enumerate(rows)]
    expected, fault = [], None
    for number, line in enumerate(lines):
        try:
            expected.append(read_line(line, 2, number))
        except LineError as error:
            fault = (str(error), number)
            break
        tokens = [float(token) for token in line.split()[-2:]]
        with np.errstate(over="ignore"):
            assert np.array_equal(expected[-1][1], np.array(tokens).astype(np.float32), equal_nan=True)
    if fault:
        with pytest.raises(LineError) as raised:
            read_lines(b"\n".join(lines), 2)
        assert (str(raised.value), raised.value.number) == fault
    else:
        found = read_lines(b"\n".join(lines), 2)
        assert found.words == [word for word, _ in expected]
        assert found.matrix.tobytes() == np.stack([row for _, row in expected]).tobytes()


def test_numbers_of_many_digits_go_to_the_nearest_float32() -> None:
    values = np.random.default_rng(0).normal(size=300).astype(np.float32)
    middles = (values.astype(np.float64) + np.nextafter(values, np.float32(9))) / 2
    for factor in (1, 1 + 1e-13, 1 - 1e-13, 1 + 2.3e-16, 1 - 2.3e-16, 1e22):
        fields = [f"{value:.25f}" for value in middles * factor]
        (row,) = read_lines(f"w {' '.join(fields)}".encode(), 300).matrix
        assert row.tobytes() == np.array([float(field) for field in fields]).astype(np.float32).tobytes()


words_of_files = st.text(st.characters(codec="utf-8", exclude_characters="\0 \n\r\t\x0b\x0c"), min_size=1)


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin", "v.npy", "v.glove"])
@example(words=["0"], rows=[[float(np.float32(0.02)), 0.0, 0.0]])  # whose first byte is a line end
@given(
    words=st.lists(words_of_files, min_size=1, max_size=8, unique=True),
    rows=st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)),
)
def test_what_is_written_is_read_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str], rows: list[list[float]]
) -> None:
    words = [word for word in words if not word.startswith("\ufeff")]
    matrix = np.array(([*rows, [1.5, -2.5, 1e-40]] * len(words))[: len(words)], np.float32).reshape(len(words), 3)
    if not words:
        return
    out = tmp_path_factory.mktemp("exported") / name
    files = model_of(words, matrix).export(out, "glove" if name == "v.glove" else "auto")
    assert files[0] == out
    assert all(file.exists() for file in files)
    found = import_vectors(out)
    assert list(found.vectors.words) == words
    assert found.vectors.matrix.tobytes() == matrix.tobytes()


def test_an_array_comes_with_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = model_of(["a b", "c"], [[1, 2], [3, 4]]).export(tmp_path / "v.npy")
    assert [file.name for file in files] == ["v.npy", "v.txt"]
    assert (np.load(files[0]) == [[1, 2], [3, 4]]).all()
    assert files[1].read_bytes() == b"a b\nc\n"
    np.save(files[0], np.array([[0.1, 2], [3, 4]]))
    files[1].write_bytes(b"\xef\xbb\xbfa b\r\nc")
    assert same(as_dict(import_vectors(files[0])), {"a b": [0.1, 2], "c": [3, 4]})
    assert "float64 was rounded to float32" in capsys.readouterr().err


def test_oddities_are_told_and_nothing_else_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = b"7 2\na 1 2\nb 0 0\na 3 4\n 5 6\nna\xefve 7 8\nc 0 -0.0\na 5 6\n"
    model = read(tmp_path, content)
    told = capsys.readouterr().err
    assert same(as_dict(model), {"a": [1, 2], "b": [0, 0], "na\ufffdve": [7, 8], "c": [0, 0]})
    assert "2 words that had stood there before; the first vector of each was kept (the first: line 4)" in told
    assert "1 vectors without a word, left out (the first: line 5)" in told
    assert "1 words that are not UTF-8; what does not fit was replaced (the first: line 6)" in told
    assert "2 zero vectors; they were kept, but are near nothing (the first: line 3)" in told
    read(tmp_path, binary({"a": [1, 2], "": [3, 4]}).replace(b"2 2", b"3 2") + b"a \0\0\0\0\0\0\0\0")
    told = capsys.readouterr().err
    assert "had stood there before; the first vector of each was kept (the first: vector 3)" in told
    assert "without a word, left out (the first: vector 2)" in told
    assert "zero" not in told


def npy(array: np.ndarray, cut: int | None = None, pickled: bool = False) -> Callable[[Path], None]:
    """Writes an array, and the words a and b beside it."""

    def write(path: Path) -> None:
        np.save(path.with_suffix(".npy"), array, allow_pickle=pickled)
        if cut:
            data = path.with_suffix(".npy").read_bytes()
            path.with_suffix(".npy").write_bytes(data[:cut])
        path.with_suffix(".txt").write_bytes(b"a\nb\n")

    return write


TWO = {"cat": [1.5, 2.5], "dog": [3.5, 4.5]}

HOSTILE: dict[str, tuple[bytes | Callable[[Path], None], str]] = {
    "empty": (b"", "is empty"),
    "header only": (b"2 2\n", "line 1: it tells of 2 vectors, but there are 0; correct it"),
    "no vectors": (b"0 2\n", "holds no vectors"),
    "fewer than told": (b"3 2\n" + CATS, "line 1: it tells of 3 vectors, but there are 2; correct it, or fetch"),
    "more than told": (b"1 2\n" + CATS, "line 1: it tells of 1 vectors, but there are 2"),
    "other dimensions than told": (b"2 3\n" + CATS, "line 2: it has 2 numbers after its word, not 3"),
    "fewer numbers": (CATS + b"cow 1\n", "line 3: it has 1 numbers after its word, not 2"),
    "more numbers": (CATS + b"cow 1 2 3\n", "line 3: it has 3 numbers after its word, not 2"),
    "no numbers": (b"just some text\nand more\n", "line 1: there are no numbers after a word; give a file of vectors"),
    "not a number": (b"2 2\ncat 1 x\ndog 1 2\n", "line 2: 'x' is no"),
    "an underscore": (CATS + b"cow 1 1_0\n", "line 3: '1_0' is no"),
    "no exponent": (CATS + b"cow 1 1e\n", "line 3: '1e' is no"),
    "an exponent of a sign": (CATS + b"cow 1 1e-\n", "line 3: '1e-' is no"),
    "NaN": (CATS + b"cow 1 nan\n", "line 3: NaN, infinity or a number too large for float32"),
    "infinity": (CATS + b"cow -inf 1\n", "line 3: NaN, infinity"),
    "too large": (b"4 2\n" + CATS + b"cow 1 1e39\nox 1 1\n", "line 4: NaN, infinity or a number too large"),
    "zero byte": (CATS + b"cow 1 2\0\n", "neither text nor word2vec's binary format"),
    "huge dimensions": (
        b"2 99999999999\ncat 1\n",
        "line 1: its vectors have 99,999,999,999 dimensions, not 1 to 4,096",
    ),
    "no dimensions": (b"2 0\ncat\n", "line 1: its vectors have 0 dimensions"),
    "huge count": (b"999999999999999999 2\n" + CATS, "it tells of 999,999,999,999,999,999 vectors, but there are 2"),
    "an endless line": (b"cat 1 2\n" + b"x" * (2**20 + 2**21), "line 2: it is longer than"),
    "binary cut in a vector": (binary(TWO)[:-5], "vector 2: the file ends here, of 2 vectors"),
    "binary cut in a word": (binary(TWO)[:16], "vector 2: the file ends here, of 2 vectors"),
    "binary with fewer": (binary(TWO, count=3), "vector 3: the file ends here, of 3 vectors"),
    "binary with more": (binary(TWO, count=1), "vector 1: more follows than the first line tells of"),
    "binary NaN": (binary({"cat": [1, 2], "dog": [1, float("nan")]}), "vector 2: NaN, infinity"),
    "binary without words": (b"2 2\ncat \0\0\0\0\0\0\0\0" + b"x" * 2**17, "vector 2: there is no word before it"),
    "binary dimensions": (binary(TWO).replace(b"2 2", b"2 5000"), "its vectors have 5,000 dimensions"),
    "a pickle": (b"\x80\x04\x95\0\0", "pickled, which is not read; save it with gensim's save_word2vec_format"),
    "fasttext's model": (struct.pack("<ii", 793712314, 12), "take the .vec file beside it"),
    "damaged gz": (gzip.compress(CATS * 100)[:-9], "is a damaged .gz file"),
    "npy of objects": (npy(np.array([["a", None]] * 2, object), pickled=True), "is damaged"),
    "npy cut": (npy(np.eye(2), cut=140), "is damaged"),
    "npy header cut": (npy(np.eye(2), cut=30), "is damaged"),
    "npy of one axis": (npy(np.ones(2)), "is float64 of shape (2,), not numbers in rows"),
    "npy of whole numbers": (npy(np.ones((2, 2), int)), "is int64 of shape (2, 2), not numbers in rows"),
    "npy too long": (npy(np.eye(3)), "has 2 words, but"),
    "npy NaN": (npy(np.full((2, 2), np.nan)), "line 1: NaN, infinity"),
    "npy too large": (npy(np.array([[1, 2], [1, 1e300]])), "line 2: NaN, infinity"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_file_is_refused_by_line(tmp_path: Path, refused: Callable[..., str], name: str) -> None:
    content, message = HOSTILE[name]
    path = tmp_path / "v.txt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
        path = path.with_suffix(".npy")
    before = sorted(tmp_path.iterdir())
    said = refused("embeddings", "import", path, "--out", tmp_path / "m")
    assert message in said
    assert ";" in said, "says what to do"
    assert sorted(tmp_path.iterdir()) == before, "nothing half made is left"


def test_what_is_not_there_is_named(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "there is no file" in refused("embeddings", "import", tmp_path / "x", "--out", tmp_path / "m")
    np.save(tmp_path / "v.npy", np.eye(2))
    assert f"there is no {tmp_path / 'v.txt'}: put the words of v.npy there" in refused(
        "embeddings", "import", tmp_path / "v.npy", "--out", tmp_path / "m"
    )


def test_another_model_is_not_replaced_unasked(tmp_path: Path, recurra: Command, refused: Callable[..., str]) -> None:
    (tmp_path / "v.txt").write_bytes(CATS)
    command = ("embeddings", "import", tmp_path / "v.txt", "--out", tmp_path / "m")
    assert recurra(*command).status == 0
    assert "exists already; replace it with --overwrite" in refused(*command)
    (tmp_path / "v.txt").write_bytes(b"cow 1 2\n")
    assert recurra(*command, "--overwrite").status == 0
    assert as_dict(Model.load(tmp_path / "m")) == {"cow": [1, 2]}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    assert "folder of something else" in refused(*command[:-1], tmp_path / "other", "--overwrite")


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("new york", ["text", "binary"]),
        ("new\tyork", ["text", "binary", "glove"]),
        ("new\nyork", ["text", "binary", "glove", "npy"]),
        ("route 66", ["text", "binary", "glove"]),
        (" york", ["text", "binary", "glove"]),
        ("new\0york", ["text", "glove"]),
    ],
)
def test_a_word_that_would_be_read_as_another_is_not_written(tmp_path: Path, word: str, kinds: list[str]) -> None:
    model = model_of([word, "b"], [[1, 2], [3, 4]])
    for kind in ("text", "binary", "glove", "npy"):
        out = tmp_path / f"{kind}.npy"
        if kind in kinds:
            with pytest.raises(
                RecurraError, match=r" files cannot hold the word .*, for its white space; (write|leave)"
            ):
                model.export(out, kind)  # type: ignore[arg-type]
            assert not out.exists()
        else:
            model.export(out, kind)  # type: ignore[arg-type]
            assert list(import_vectors(out).vectors.words) == [word, "b"]


def test_the_name_or_the_format_says_what_is_written(tmp_path: Path, refused: Callable[..., str]) -> None:
    model = model_of(["a"], [[1, 2]])
    model.save(tmp_path / "m")
    for options in (["x.vectors"], ["x.txt", "--format", "npy"]):
        said = refused("embeddings", "export", tmp_path / "m", "--out", tmp_path / options[0], *options[1:], status=2)
        assert "must end in .txt, .vec, .bin, .npy, or --format must say what to write" in said
    assert "is a folder" in refused("embeddings", "export", tmp_path / "m", "--out", tmp_path, status=2)
    model.export(tmp_path / "x.vectors", "glove")
    assert (tmp_path / "x.vectors").read_bytes() == b"a 1 2\n"
    model.export(tmp_path / "y.VEC")
    assert (tmp_path / "y.VEC").read_bytes() == b"1 2\na 1 2\n"


def test_what_is_left_out_of_an_export_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model_of(["a"], [[1, 2]], ngrams=CharacterNgrams(3, 4, 9)).export(tmp_path / "v.txt")
    assert "those of character n-grams are left out" in capsys.readouterr().err
    with pytest.raises(RecurraError, match="the vectors are not finite numbers"):
        model_of(["a"], [[1, np.nan]]).export(tmp_path / "w.txt")
    assert not (tmp_path / "w.txt").exists()


def test_an_imported_model_says_so(tmp_path: Path, recurra: Command) -> None:
    (tmp_path / "v.txt").write_bytes(CATS + b". 1 1\n")
    assert recurra("embeddings", "import", tmp_path / "v.txt", "--out", tmp_path / "m").status == 0
    model = Model.load(tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "# m\n\nAn embeddings model made with Recurra" in card
    assert "- imported from: v.txt, GloVe text\n- vectors: imported, 3 words x 2\n" in card
    assert repr(model) == "<embeddings model 'm': imported, 3 words x 2>"
    assert model.vectors.counts.tolist() == [0, 0, 0]
    assert (model.config.embedding_size, model.config.lowercase, model.config.punctuation) == (2, True, True)
    assert "CAT" in model
    read(tmp_path, b"Cat 1 2\ndog 1 2\n", "w.txt")
    other = import_vectors(tmp_path / "w.txt")
    assert (other.config.lowercase, other.config.punctuation) == (False, False)
    assert "cat" not in other
    with pytest.raises(OptionError, match="odd one"):
        other.odd_one_out(["Cat", "dog"])


def test_a_line_may_be_as_long_as_vectors_are(tmp_path: Path) -> None:
    row = np.random.default_rng(0).normal(size=formats.LARGEST)
    content = ("word " + " ".join(map(repr, row.tolist())) + "\n").encode()
    assert (read(tmp_path, content)["word"] == row.astype(np.float32)).all()
