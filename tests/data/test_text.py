"""Text files in: read in blocks as if read whole, whatever the encoding; what is broken is named with its place."""

import bz2
import codecs
import gzip
import lzma
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import text as module
from recurra.data.corpus import Corpus, open_corpus
from recurra.data.tables import read_lines
from recurra.data.text import encoding_of, read_text, with_newlines
from recurra.errors import RecurraError

ENCODINGS = ["utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16-le", "utf_32", "latin-1", "gb18030", "shift_jis", "cp1252"]

SAMPLES = {
    "latin-1": "Où est la naïveté ?\nLà-bas, là-bas, ÿ.\n",
    "cp1252": "“Où” – là-bas… €5\n",
    "shift_jis": "春はあけぼの。\nやうやう白くなりゆく\n",
}
ANY_SCRIPT = "The cat, which…\n春眠不觉晓，\n处处闻啼鸟。\n🙂🏳️‍🌈 e\u0301\u0323 ﷽ \U0001f600\n𝔘𝔫𝔦\n"


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".txt": bytes,
    ".txt.gz": gzip.compress,
    ".txt.bz2": bz2.compress,
    ".txt.xz": lzma.compress,
}


def sample(encoding: str) -> str:
    return SAMPLES.get(encoding, ANY_SCRIPT)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 7)


def whole(corpus: Corpus) -> str:
    return "".join(corpus.blocks())


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 2**20])
@pytest.mark.parametrize("suffix", PACKERS)
def test_reading_in_blocks_is_reading_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, size: int, suffix: str
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / f"corpus{suffix}"
    data = sample(encoding).encode(encoding)
    path.write_bytes(PACKERS[suffix](data))
    assert whole(open_corpus([path], encoding)) == sample(encoding)
    assert read_text(path, encoding) == sample(encoding)


@given(
    parts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))), size=st.integers(1, 9)
)
def test_blocks_are_the_text_cut_after_line_ends(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "corpus.txt"
    original = "start" + "\n".join(parts)
    path.write_bytes(original.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        blocks = list(open_corpus([path]).blocks())
    expected = with_newlines(original)
    assert "".join(blocks) == expected
    assert all(blocks)
    # A line is cut only if it is longer than a block.
    place = 0
    for block in blocks[:-1]:
        place += len(block)
        if expected[place - 1] != "\n":
            line = expected[expected.rfind("\n", 0, place) + 1 : expected.find("\n", place) % (len(expected) + 1)]
            assert len(line.encode()) >= size


@pytest.mark.parametrize("size", [1, 2, 7, 2**20])
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\r\none\r\ntwo\n\r\nthree\n", "\none\ntwo\n\nthree\n"),
        (b"one\r\rtwo\r", "one\n\ntwo\n"),  # old Macs
        (b"one\rstill one\ntwo\r\n\r", "one\rstill one\ntwo\n\r"),
        (b"one\r\r\ntwo", "one\r\ntwo"),
        ("one\u2028one\x0cone\x85\n".encode(), "one\u2028one\x0cone\x85\n"),
    ],
)
def test_line_ends_of_every_system_are_one_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, data: bytes, text: str
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    assert whole(open_corpus([path])) == read_text(path) == text


@given(
    text=st.text(st.sampled_from("a ée\u0301\u0323\u200d가\u1100\u1161\u11a8👩🇫"), min_size=1, max_size=60),
    size=st.integers(1, 9),
)
def test_blocks_of_a_text_without_line_ends_can_be_normalised_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "corpus.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        blocks = list(open_corpus([path]).blocks())
    assert "".join(blocks) == text
    assert "".join(unicodedata.normalize("NFC", block) for block in blocks) == unicodedata.normalize("NFC", text)


def test_a_long_line_is_cut_before_a_word(tmp_path: Path, small_blocks: None) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("the cat  which ate " * 9)
    blocks = list(open_corpus([path]).blocks())
    assert len(blocks) > 9
    assert all(re.match(r" \S", block) for block in blocks[1:])


def test_marks_without_end_are_cut_all_the_same(tmp_path: Path, small_blocks: None) -> None:
    path = tmp_path / "zalgo.txt"
    path.write_text("a" + "\u0301" * 5000)
    blocks = list(open_corpus([path]).blocks())
    assert "".join(blocks) == path.read_text()
    assert max(map(len, blocks)) < 2000


MARKED = {
    "utf-8-sig": "utf-8-sig",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "utf-32-le": "utf-32",
    "utf-32-be": "utf-32",
}


@pytest.mark.parametrize("size", [1, 2, 2**20])
@pytest.mark.parametrize("encoding", MARKED)
def test_a_byte_order_mark_decides_the_encoding_and_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, encoding: str
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "corpus.txt"
    text = "déjà\n春眠\n"
    data = (text if encoding == "utf-8-sig" else "\ufeff" + text).encode(encoding)
    path.write_bytes(data)
    for named in ("utf-8", "utf_8", "U8", "utf-8-sig", "latin-1", "utf-16", "utf-16-be", "gb18030"):
        assert whole(open_corpus([path], named)) == read_text(path, named) == text
    assert encoding_of(data, "latin-1") == MARKED[encoding]
    assert encoding_of(text.encode(), "latin-1") == "iso8859-1"
    if encoding != "utf-8-sig":
        assert whole(open_corpus([path], raw=True)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["Plain words, and more.\r\n" * 9, "春眠不觉晓，处处闻啼鸟。\n" * 9, "Привет, мир\n" * 9]
)
def test_utf_16_without_its_mark_is_named(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode(encoding))
    for named in ("utf-8", "utf-16", "cp1252"):
        with pytest.raises(RecurraError, match=rf"corpus\.txt is not .*probably UTF-16 .*`encoding` {encoding}$"):
            open_corpus([path], named)
    assert whole(open_corpus([path], encoding)) == with_newlines(text)


def test_a_stray_zero_does_not_make_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"plain words\n" * 50 + b"\0" + b"plain words\n" * 50)
    with pytest.raises(RecurraError, match=r"zero byte at byte 600\); give a text file, name its `encoding`, or"):
        open_corpus([path])


def test_a_megabyte_is_a_few_blocks_and_none_is_much_larger(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"a line of text\n" * 300_000)
    blocks = list(open_corpus([path]).blocks())
    assert len(blocks) == 5
    assert max(map(len, blocks)) <= 2 * 2**20
    assert all(block.endswith("\n") for block in blocks)


def test_raw_bytes_pass_as_they_are(tmp_path: Path, small_blocks: None) -> None:
    data = bytes(range(256)) * 3 + b"\r\n" + "春".encode() + "春".encode()[:2]
    path = tmp_path / "anything.bin"
    path.write_bytes(data)
    corpus = open_corpus([path], raw=True)
    assert whole(corpus).encode("utf-8", "surrogateescape") == data


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_data_that_happens_to_begin_as_a_mark_does_passes_as_it_is(tmp_path: Path, mark: bytes) -> None:
    data = mark + bytes(range(256)) * 3 + b"\r\n" + b"\0\xd8" * 3 + b"\xd8\0" * 3
    path = tmp_path / "anything.bin"
    path.write_bytes(data)
    assert whole(open_corpus([path], raw=True)).encode("utf-8", "surrogateescape") == data


def test_bytes_of_text_in_a_named_encoding_are_those_of_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes("forêt\r\npré\r\n".encode("cp1252"))
    assert whole(open_corpus([path], "cp1252", raw=True)) == "forêt\npré\n"
    # Without a name it is just bytes; a wrong name is an error, and not bytes in silence.
    assert whole(open_corpus([path], raw=True)).encode("utf-8", "surrogateescape") == path.read_bytes()
    with pytest.raises(RecurraError, match=r"is not ascii: byte 3 does not fit.*`tokens` bytes and no `encoding`"):
        open_corpus([path], "ascii", raw=True)


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("size", [1, 2, 5, 64, 2**20])
@given(before=st.integers(0, 40), after=st.integers(0, 20))
def test_the_place_of_a_wrong_byte(
    tmp_path_factory: pytest.TempPathFactory, bom: bytes, size: int, before: int, after: int
) -> None:
    path = tmp_path_factory.mktemp("wrong") / "corpus.txt"
    good = bom + ("é春🙂\n" * before).encode()
    path.write_bytes(good + b"\xff" + b"fine\n" * after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        with pytest.raises(RecurraError, match=rf"byte {len(good)} does not fit, in line {before + 1}; .*`encoding`"):
            open_corpus([path])


@pytest.mark.parametrize("size", [2, 7, 2**20])
@pytest.mark.parametrize(
    ("encoding", "bad"),
    [
        ("utf-8", "春".encode()[:2]),
        ("utf-8", b"\xe6\x98a"),
        ("gb18030", b"\x81"),
        ("utf-16-le", b"a"),
        ("ascii", b"\xe9"),
    ],
)
def test_the_place_of_what_is_cut_off_or_wrong_in_other_encodings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, bad: bytes, size: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    good = ("abc\n" * 9).encode(encoding)
    path = tmp_path / "corpus.txt"
    path.write_bytes(good + bad)
    with pytest.raises(RecurraError, match=rf"not {encoding}: byte {len(good)} does not fit"):
        open_corpus([path], encoding)


def test_the_place_of_a_wrong_byte_far_into_a_file(tmp_path: Path) -> None:
    good = ("春眠不觉晓\n" * 150_000).encode()
    assert len(good) > 2 * module.BLOCK_BYTES
    path = tmp_path / "corpus.txt"
    path.write_bytes(good + b"\xff")
    with pytest.raises(RecurraError, match=f"byte {len(good)} does not fit"):
        open_corpus([path])


def test_utf_16_without_its_mark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"plain words\n")
    with pytest.raises(RecurraError, match=r"corpus\.txt is not utf-16.*BOM.*`encoding`"):
        open_corpus([path], "utf-16")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "undefined", "", "hex", "a\0b"])
def test_an_encoding_that_is_none_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("text")
    for read in (lambda: open_corpus([path], encoding), lambda: read_text(path, encoding)):
        with pytest.raises(RecurraError, match=r"`encoding` .*not an encoding that Python knows; try utf-8"):
            read()


@pytest.mark.parametrize("size", [4, 2**20])
def test_a_binary_file_is_named_with_the_place_of_its_first_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "photo.txt"
    path.write_bytes(b"GIF89a \0\1\0\0")
    for encoding in ("utf-8", "latin-1", "iso8859-16"):
        with pytest.raises(RecurraError, match=r"photo\.txt is not text \(a zero byte at byte 7\).*`tokens` bytes"):
            open_corpus([path], encoding)


@pytest.mark.parametrize("name", ["empty.txt", "empty.txt.gz", "mark.txt", "nothing.txt.gz"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    contents = {"empty.txt.gz": gzip.compress(b""), "mark.txt": codecs.BOM_UTF8}
    path.write_bytes(contents.get(name, b""))
    with pytest.raises(RecurraError, match=rf"{name} is empty; give"):
        open_corpus([path])


@pytest.mark.parametrize("source", ["no/such/file.txt", "", "x" * 400, "sample:nothing"])
def test_what_does_not_exist_is_refused(source: str) -> None:
    with pytest.raises(RecurraError, match=re.escape(source[:37] or "''")) as error:
        open_corpus([source])
    assert ";" in str(error.value), "no remedy"
    assert len(str(error.value)) < 150


def test_a_pipe_is_refused_because_it_can_be_read_only_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecurraError, match="only once"):
        open_corpus([tmp_path / "pipe"])


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_damaged_packed_files_are_refused(tmp_path: Path, suffix: str) -> None:
    packed = bytearray(PACKERS[f".txt{suffix}"](b"some text\n" * 1000))
    altered = bytearray(packed)
    altered[len(altered) // 2] ^= 0xFF
    cases = {"cut": packed[:-12], "short": packed[:11], "altered": altered}
    if suffix == ".gz":
        cases["followed"] = packed + b"rubbish"
    for name, data in cases.items():
        path = tmp_path / f"{name}.txt"
        path.write_bytes(data)
        with pytest.raises(RecurraError, match=rf"{name}\.txt is a damaged \{suffix} file .*; fetch or pack it again"):
            open_corpus([path])


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files_are_known_by_content_and_not_by_name(tmp_path: Path, suffix: str) -> None:
    text = "BZh9 is how some files begin, and some texts\n"
    for name in ("plain.txt", "c.txt.gz", "c.txt.bz2", "c.txt.xz"):
        path = tmp_path / name
        path.write_bytes(PACKERS[suffix](text.encode()))
        assert whole(open_corpus([path])) == text


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_several_packed_parts_are_one_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "log.txt"
    pack = PACKERS[f".txt{suffix}"]
    path.write_bytes(pack(b"one\n") + pack(b"two\n"))
    assert whole(open_corpus([path])) == "one\ntwo\n"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = tmp_path / f"bomb.txt{suffix}"
    path.write_bytes(PACKERS[f".txt{suffix}"](b"a" * 3_000_000))
    assert path.stat().st_size * module.MAX_UNPACKED_RATIO < 2_000_000
    open_corpus([path])  # packed well, but nothing large
    monkeypatch.setattr(module, "MIN_UNPACKED_LIMIT", 100_000)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    read: list[int] = []
    with pytest.raises(RecurraError, match=rf"bomb\.txt\{suffix} unpacks to over \d+ bytes"):
        read.extend(map(len, module.read_blocks(path)))
    assert 100_000 <= sum(read) < 2_000_000


def test_a_folder_gives_its_text_files_in_order_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.txt").write_text("second\n")
    (tmp_path / "a.TXT").write_text("first\n")
    (tmp_path / "deep" / "er" / "c.txt.gz").write_bytes(gzip.compress(b"third\n"))
    (tmp_path / "deep" / "er" / "d.txt.bz2").write_bytes(bz2.compress(b"fourth\n"))
    (tmp_path / "deep" / "er" / "e.txt.xz").write_bytes(lzma.compress(b"fifth\n"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "notes.md").write_text("no")
    (tmp_path / "broken.txt").write_bytes(b"wrong \xff byte")
    (tmp_path / "empty.txt").write_bytes(b"")
    corpus = open_corpus([tmp_path])
    assert whole(corpus) == "first\nsecond\nthird\nfourth\nfifth\n"
    assert len(corpus.skipped) == 3
    assert any("2 file(s)" in reason for reason in corpus.skipped)
    assert any("broken.txt is not utf-8: byte 6" in reason for reason in corpus.skipped)
    assert any("empty.txt is empty" in reason for reason in corpus.skipped)
    assert corpus.name == tmp_path.name


def test_broken_files_among_good_ones_are_skipped_and_counted(tmp_path: Path) -> None:
    good, binary, cut = tmp_path / "good.txt", tmp_path / "binary.txt", tmp_path / "cut.txt.gz"
    good.write_text("good\n")
    binary.write_bytes(b"\0\0")
    cut.write_bytes(gzip.compress(b"text" * 100)[:-9])
    corpus = open_corpus([binary, good, cut])
    assert [file.path for file in corpus.files] == [good]
    assert len(corpus.skipped) == 2
    assert corpus.name == "binary.txt and 2 more"


def test_nothing_good_is_an_error_that_gives_a_reason(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(b"")
    (tmp_path / "two.txt").write_bytes(b"\0")
    with pytest.raises(RecurraError, match=r"no readable text in .*: .*one\.txt is empty"):
        open_corpus([tmp_path])


def test_a_missing_file_among_good_ones_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good\n")
    with pytest.raises(RecurraError, match=r"no file or folder .*missing\.txt"):
        open_corpus([tmp_path / "good.txt", tmp_path / "missing.txt"])


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(RecurraError, match=r"holds no \.txt, \.txt\.gz, \.txt\.bz2 or \.txt\.xz file"):
        open_corpus([tmp_path])


def test_this_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    assert open_corpus(["."]).name == tmp_path.name


def test_the_sample_is_pythons_own_reference() -> None:
    text = whole(open_corpus(["sample:pydocs"]))
    assert len(text) > 300_000
    assert "lambda" in text
    with pytest.raises(RecurraError, match="give it alone"):
        open_corpus(["sample:pydocs", "sample:pydocs"])


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"PK\x03\x04\x14\0\x06\0", "a ZIP archive or an office document"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "an office document"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"SQLite format 3\0", "a database"),
        (b"{\\rtf1\\ansi The cat}", "rich text"),
    ],
)
def test_files_of_programs_are_named(tmp_path: Path, beginning: bytes, kind: str) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(beginning + b"more\n" * 20)
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(RecurraError, match=f"{re.escape(str(path))} is {kind}.*, not text; save it as plain text"):
            open_corpus([path], encoding)
        with pytest.raises(RecurraError, match=f"is {kind}"):
            read_lines(path, encoding)
    assert open_corpus([path], raw=True).files  # a model of bytes reads anything
