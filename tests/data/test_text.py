"""Text files in: read in blocks as if read whole, whatever the encoding; what is broken is named with its place."""

import codecs
import gzip
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import text as module
from recurra.data.text import Corpus, open_corpus, read_text
from recurra.errors import RecurraError

ENCODINGS = ["utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16-le", "utf_32", "latin-1", "gb18030", "shift_jis", "cp1252"]

SAMPLES = {
    "latin-1": "Où est la naïveté ?\nLà-bas, là-bas, ÿ.\n",
    "cp1252": "“Où” – là-bas… €5\n",
    "shift_jis": "春はあけぼの。\nやうやう白くなりゆく\n",
}
ANY_SCRIPT = "The cat, which…\n春眠不觉晓，\n处处闻啼鸟。\n🙂🏳️‍🌈 e\u0301\u0323 ﷽ \U0001f600\n𝔘𝔫𝔦\n"


def sample(encoding: str) -> str:
    return SAMPLES.get(encoding, ANY_SCRIPT)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 7)


def whole(corpus: Corpus) -> str:
    return "".join(corpus.blocks())


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 2**20])
@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_reading_in_blocks_is_reading_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, size: int, suffix: str
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / f"corpus{suffix}"
    data = sample(encoding).encode(encoding)
    path.write_bytes(gzip.compress(data) if suffix == ".txt.gz" else data)
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
    expected = original.replace("\r\n", "\n").replace("\r", "\n")
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
def test_line_ends_of_every_system_are_one_newline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"\r\none\r\ntwo\nthree\rfour\n\r\nfive\r")
    assert whole(open_corpus([path])) == "\none\ntwo\nthree\nfour\n\nfive\n"


@pytest.mark.parametrize("size", [1, 2, 2**20])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "corpus.txt"
    path.write_bytes(codecs.BOM_UTF8 + "déjà\n".encode())
    for encoding in ("utf-8", "utf_8", "U8", "utf-8-sig"):
        assert whole(open_corpus([path], encoding)) == "déjà\n"


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
        with pytest.raises(RecurraError, match=rf"txt is not utf-8: byte {len(good)} does not fit; .*--encoding"):
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
    with pytest.raises(RecurraError, match=r"corpus\.txt is not utf-16.*--encoding"):
        open_corpus([path], "utf-16")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "undefined", "", "hex", "a\0b"])
def test_an_encoding_that_is_none_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("text")
    for read in (lambda: open_corpus([path], encoding), lambda: read_text(path, encoding)):
        with pytest.raises(RecurraError, match=r"--encoding .*no encoding Python knows; try utf-8"):
            read()


@pytest.mark.parametrize("size", [4, 2**20])
def test_a_binary_file_is_named_with_the_place_of_its_first_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    path = tmp_path / "photo.txt"
    path.write_bytes(b"GIF89a \0\1\0\0")
    for encoding in ("utf-8", "latin-1", "iso8859-16"):
        with pytest.raises(RecurraError, match=r"photo\.txt is not text \(a zero byte at byte 7\).*--tokens bytes"):
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
    with pytest.raises(RecurraError, match=re.escape(source or "''")) as error:
        open_corpus([source])
    assert ";" in str(error.value), "no remedy"


def test_a_pipe_is_refused_because_it_can_be_read_only_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecurraError, match="only once"):
        open_corpus([tmp_path / "pipe"])


def test_damaged_gzip_files_are_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"some text\n" * 1000, mtime=0))
    altered = bytearray(packed)
    altered[len(altered) // 2] ^= 0xFF
    sums = bytearray(packed)
    sums[-6] ^= 0xFF
    cases = {
        "cut": packed[:-12],
        "short": packed[:5],
        "plain": b"this was never packed",
        "altered": altered,
        "checksum": sums,
        "followed": packed + b"rubbish",
    }
    for name, data in cases.items():
        path = tmp_path / f"{name}.txt.gz"
        path.write_bytes(data)
        with pytest.raises(RecurraError, match=rf"{name}\.txt\.gz is a damaged \.gz file .*; fetch or pack it again"):
            open_corpus([path])


def test_several_gzip_members_are_one_text(tmp_path: Path) -> None:
    path = tmp_path / "log.txt.GZ"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert whole(open_corpus([path])) == "one\ntwo\n"


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"a" * 3_000_000))
    assert path.stat().st_size * module.MAX_GZIP_RATIO < 2_000_000
    open_corpus([path])  # packed well, but nothing large
    monkeypatch.setattr(module, "MIN_GZIP_LIMIT", 100_000)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    read = []
    monkeypatch.setattr(module, "_open_gzip", lambda path: _Counting(gzip.GzipFile(path), read))
    with pytest.raises(RecurraError, match=r"bomb\.txt\.gz unpacks to over \d+ bytes"):
        open_corpus([path])
    assert sum(read) < 2_000_000


class _Counting:
    """A file that notes how much is read from it."""

    def __init__(self, file: gzip.GzipFile, read: list[int]) -> None:
        self.file, self.counts = file, read

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.counts.append(len(data))
        return data

    def __enter__(self) -> "_Counting":
        return self

    def __exit__(self, *reason: object) -> None:
        self.file.close()


def test_a_folder_gives_its_text_files_in_order_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.txt").write_text("second\n")
    (tmp_path / "a.TXT").write_text("first\n")
    (tmp_path / "deep" / "er" / "c.txt.gz").write_bytes(gzip.compress(b"third\n"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "notes.md").write_text("no")
    (tmp_path / "broken.txt").write_bytes(b"wrong \xff byte")
    (tmp_path / "empty.txt").write_bytes(b"")
    corpus = open_corpus([tmp_path])
    assert whole(corpus) == "first\nsecond\nthird\n"
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
    assert corpus.files == (good,)
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
    with pytest.raises(RecurraError, match=r"holds no \.txt or \.txt\.gz file"):
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
