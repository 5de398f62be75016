"""Lines as they come: the same however the bytes arrive, each as soon as it is there, errors after what came before."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import lines as module
from recurra.data.lines import groups
from recurra.errors import RecurraError


class Arriving(io.RawIOBase):
    """Bytes that come in given parts, and then perhaps a failure."""

    def __init__(self, parts: list[bytes], failure: OSError | None = None) -> None:
        self.parts, self.failure = [part for part in parts if part], failure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self.parts:
            if self.failure:
                raise self.failure
            return 0
        part = self.parts.pop(0)
        buffer[: len(part)] = part
        return len(part)


def cut(data: bytes, borders: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(border for border in borders if border < len(data))})
    return [data[begin:end] for begin, end in pairwise(places)]


def read(stream: BinaryIO, most: int = 3) -> list[str]:
    got = list(groups(stream, most))
    assert all(1 <= len(group) <= most for group in got)
    return list(chain.from_iterable(got))


def lines_of(text: str) -> list[str]:
    """Lines end as Python's own text files have it, but for a carriage return among line feeds."""
    stray = "\ue000"
    if "\n" in text:
        text = re.sub("\r(?!\n)", stray, text)
    lines = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline=None).read().split("\n")
    return [line.replace(stray, "\r") for line in (lines if lines[-1] else lines[:-1])]


def test_a_stream_that_does_not_wait_is_waited_for() -> None:
    parts = [b"one\ntw", None, None, b"o\n", None, b"three"]

    class Hasty(Arriving):
        def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
            if parts and parts[0] is None:
                return parts.pop(0)
            self.parts = [parts.pop(0)] if parts else []
            return super().readinto(buffer)

    assert read(Hasty([])) == ["one", "two", "three"]


letters = st.sampled_from(["\n", "\r\n", "\r", "a", "bc", " ", "é", "春", "🙂", "\ufeff", "\x0b", "\x85", "\u2028"])
texts = st.lists(letters, max_size=25).map("".join).filter(lambda text: not text.startswith("\ufeff"))


@given(
    text=texts,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    borders=st.lists(st.integers(0, 60)),
    most=st.integers(1, 5),
)
def test_any_parts_of_any_lines(text: str, encoding: str, borders: list[int], most: int) -> None:
    data = text.encode(encoding)
    for stream in (io.BufferedReader(Arriving(cut(data, borders))), io.BytesIO(data)):
        assert read(stream, most) == lines_of(text)


def test_line_ends_of_all_systems() -> None:
    assert read(io.BytesIO(b"a\nb\r\nc\n\n\r\ne")) == ["a", "b", "c", "", "", "e"]
    assert read(io.BytesIO(b"a\rb\r\rc")) == ["a", "b", "", "c"]
    assert read(io.BytesIO(b"a\r")) == ["a"]
    assert read(io.BytesIO(b"")) == []


def test_a_carriage_return_among_line_feeds_is_not_a_line_end() -> None:
    # As many lines come out as `wc -l` counts.
    assert read(io.BytesIO(b"a\rb\nc\r\rd\r\n\re\n")) == ["a\rb", "c\r\rd", "\re"]
    assert read(io.BytesIO("a\u2028b\x0cc\x85d\n".encode())) == ["a\u2028b\x0cc\x85d"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    assert read(io.BytesIO("\ufeffdéjà\r\n春\n".encode(encoding))) == ["déjà", "春"]
    got, said = read_until_error(io.BytesIO("\ufeffdéjà\n".encode(encoding) + b"x"))
    assert got == ["déjà"]
    assert said.startswith("line 2 cannot be read")


def test_only_the_first_line_may_have_a_byte_order_mark() -> None:
    assert read(io.BytesIO("\ufeffa\n\ufeffb".encode())) == ["a", "\ufeffb"]


def test_a_file_comes_in_full_groups_when_there_is_time() -> None:
    data = "".join(f"{number}\n" for number in range(1000)).encode()
    got = list(groups(io.BytesIO(data), 64))
    assert list(chain.from_iterable(got)) == [str(number) for number in range(1000)]
    assert len(got) < 1000


@pytest.fixture
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """The end to write to, and the other."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stream:
        yield writing, stream


def test_a_line_is_there_before_the_stream_ends(pipe: tuple[int, BinaryIO]) -> None:
    writing, stream = pipe
    arriving = groups(stream, 8)
    for typed in ("one\n", "two\r\n", "\n", "fo", "ur\nfive\nsi"):
        os.write(writing, typed.encode())
        if typed == "fo":
            continue  # no line yet: asking for one would wait for good
        expected = {"\n": [""], "ur\nfive\nsi": ["four", "five"]}.get(typed, [typed.rstrip()])
        got: list[str] = []
        while len(got) < len(expected):
            got += next(arriving)
        assert got == expected
    os.close(writing)
    assert list(arriving) == [["si"]]


def read_until_error(stream: BinaryIO) -> tuple[list[str], str]:
    """The lines before an error, and what it says."""
    got: list[str] = []
    with pytest.raises(RecurraError) as error:
        got.extend(chain.from_iterable(groups(stream, 4)))
    assert "\n" not in str(error.value)
    return got, str(error.value)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("before", [0, 1, 5, 40])
def test_what_is_no_text_is_told_after_the_lines_before_it(before: int, end: bytes) -> None:
    wanted = [f"é{number}" for number in range(before)]
    data = b"".join(line.encode() + end for line in wanted) + b"caf\xe9" + end + b"more" + end
    got, said = read_until_error(io.BytesIO(data))
    assert got == wanted
    assert said.startswith(f"line {before + 1} cannot be read as UTF-8 text (")


@pytest.mark.parametrize("end", [b"\n", b"\r", b""])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 10)
    monkeypatch.setattr(module, "READ_BYTES", 4)
    assert read(io.BytesIO(b"0123456789\nb\n0123456789")) == ["0123456789", "b", "0123456789"]
    assert read(io.BytesIO(b"0123456789\rb\r0123456789")) == ["0123456789", "b", "0123456789"]
    stream = io.BytesIO(b"a\nb\n0123456789X" + end + b"y" * 1000)
    got, said = read_until_error(stream)
    assert got == ["a", "b"]
    assert said.startswith("line 3 cannot be read as UTF-8 text (it is longer than 10 bytes)")
    assert stream.tell() < 25


def test_many_short_lines_that_end_as_on_old_macs_are_no_long_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 10)
    assert read(io.BytesIO(b"abc\r" * 50)) == ["abc"] * 50


def test_a_stream_that_fails_is_told_after_the_lines_before_it() -> None:
    got, said = read_until_error(io.BufferedReader(Arriving([b"one\ntwo\nth"], OSError(5, "Input/output error"))))
    assert got == ["one", "two"]
    assert said.startswith("line 3 ")
    assert "Input/output error" in said


READER = """
import signal
import sys
from recurra.data.lines import groups
signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
try:
    for group in groups(sys.stdin.buffer, 8):
        print(group, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process there")
def test_a_program_that_waits_for_lines_can_be_interrupted() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"typed\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"['typed']\n"
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    finally:
        process.kill()
    said = process.communicate()[1]
    assert (process.returncode, said) == (130, b"")
