"""SoundFonts made safe for symusic 0.5.9, which crashes on broken ones and ignores overriding root keys."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.errors import RecurraError, os_errors

LARGEST = 2 << 30
"""Bytes of a SoundFont at most."""

_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<u2")])
_MODULATOR = np.dtype("V10")
_RECORDS = {
    b"phdr": np.dtype([("name", "V20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]),
    b"pbag": _BAG,
    b"pmod": _MODULATOR,
    b"pgen": _GENERATOR,
    b"inst": np.dtype([("name", "V20"), ("bag", "<u2")]),
    b"ibag": _BAG,
    b"imod": _MODULATOR,
    b"igen": _GENERATOR,
    b"shdr": np.dtype(
        [("name", "V20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
         ("rate", "<u4"), ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")]
    ),
}  # fmt: skip
"""Of the list `pdta`, by the SoundFont 2.04 specification, section 7."""

_INSTRUMENT = 41
"""The generator that names an instrument (section 8.1.2)."""

_SAMPLE = 53
"""The generator that names a sample."""

_COARSE_TUNE = 51
"""The generator that transposes by semitones."""

_ROOT = 58
"""The generator that says which key a sample sounds, in place of the sample's own header."""

HIGHEST_KEY = 127

MOST_SAMPLES = 1 << 16
"""That a generator can number."""

_LAST_GENERATOR = 60
"""Kinds above it are undefined; symusic takes any for a place in a table of these."""


class _Chunk(NamedTuple):
    """A part of a RIFF file: where its content begins and how long it is."""

    name: bytes
    begin: int
    size: int


@contextmanager
def playable(path: Path) -> Iterator[Path]:
    """A SoundFont that symusic plays in tune: the one given, or a temporary copy with its root keys corrected.

    Raises:
        RecurraError: if it cannot be read or does not hold together.
    """
    data, tables = _read(path)
    mended = in_tune(tables)
    if mended is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with os_errors("writing", copy):
            _write_mended(copy, data, tables.indices, *mended)
        yield copy


def check_soundfont(path: Path) -> None:
    """Make sure that a SoundFont holds together: sizes of its parts, and every place one part names in another.

    Raises:
        RecurraError: if it cannot be read or does not.
    """
    _read(path)


def in_tune(tables: Tables) -> tuple[NDArray[np.void], NDArray[np.void]] | None:
    """The instruments' generators and the samples' headers, with roots and transpositions moved to the headers.

    A sample sounds `key - root + coarse` semitones from its pitch. Where a zone overrides its sample's root or
    transposes it, the header is copied with a root of `root - coarse`, and the zone names the copy and transposes no
    more. Nothing if no zone does.
    """
    generators, headers = tables.of[b"igen"].copy(), tables.of[b"shdr"]
    bags, instruments = tables.of[b"ibag"]["generator"], tables.of[b"inst"]["bag"]
    copies: dict[tuple[int, int], int] = {}
    for first, after in pairwise(instruments.tolist()):
        shared: tuple[int | None, int] = (None, 0)
        for begin, end in pairwise(bags[first : after + 1].tolist()):
            zone = generators[begin:end]
            said = {int(kind): index for index, kind in enumerate(zone["kind"])}
            root = int(zone["amount"][said[_ROOT]]) if _ROOT in said else shared[0]
            coarse = int(zone["amount"][said[_COARSE_TUNE]].astype(np.int16)) if _COARSE_TUNE in said else shared[1]
            zone["amount"][zone["kind"] == _COARSE_TUNE] = 0
            if _SAMPLE not in said:
                shared = (root, coarse)
                continue
            sample = int(zone["amount"][said[_SAMPLE]])
            own = int(headers["pitch"][sample])
            wanted = min(max((own if root is None or root > HIGHEST_KEY else root) - coarse, 0), HIGHEST_KEY)
            if wanted != own:
                number = copies.setdefault((sample, wanted), len(headers) - 1 + len(copies))
                zone["amount"][said[_SAMPLE]] = number
    if not copies or len(headers) + len(copies) > MOST_SAMPLES:
        return None
    added = headers[[sample for sample, _ in copies]]
    added["pitch"] = [root for _, root in copies]
    return generators, np.concatenate([headers[:-1], added, headers[-1:]])


def _write_mended(
    path: Path, data: memoryview, indices: dict[bytes, _Chunk], generators: NDArray[np.void], headers: NDArray[np.void]
) -> None:
    """A SoundFont with other generators, as many as before, and other headers, whatever their number."""
    content = bytearray(data)
    old, table = indices[b"shdr"], indices[b"igen"]
    content[table.begin : table.begin + table.size] = generators.tobytes()
    grown = headers.nbytes - old.size
    content[old.begin : old.begin + old.size] = headers.tobytes()
    for start in (old.begin - 4, indices[b"pdta"].begin - 4, 4):
        size = struct.unpack_from("<I", content, start)[0]
        struct.pack_into("<I", content, start, size + grown)
    path.write_bytes(content)


def _read(path: Path) -> tuple[memoryview, Tables]:
    """A SoundFont's bytes and its tables, looked over."""
    with os_errors("reading the SoundFont", path):
        size = path.stat().st_size
        if size > LARGEST:
            raise RecurraError(f"the SoundFont {path} has more than {LARGEST >> 30} GB; choose a smaller one")
        whole: NDArray[np.uint8] = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)
    try:
        return whole.data, _checked(whole.data)
    except _BrokenError as error:
        raise unplayable(path, str(error)) from None


def unplayable(path: Path, reason: str) -> RecurraError:
    """One sentence for a file that is not a SoundFont."""
    return RecurraError(f"{path} is not a SoundFont that can be played ({reason}); choose another .sf2 or .sf3 file")


class Tables(NamedTuple):
    """The tables of `pdta` by name, and where each part of the file is."""

    of: dict[bytes, NDArray[np.void]]
    indices: dict[bytes, _Chunk]


class _BrokenError(Exception):
    """In what way a SoundFont is broken."""


def _checked(data: memoryview) -> Tables:
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"sfbk":
        raise _BrokenError("it does not begin as one")
    parts: dict[bytes, _Chunk] = {}
    for chunk in _chunks(data, 12, len(data)):
        if chunk.name == b"LIST" and chunk.size >= 4:
            begin, end = chunk.begin + 4, chunk.begin + chunk.size
            parts[bytes(data[chunk.begin : begin])] = chunk
            parts |= {part.name: part for part in _chunks(data, begin, end)}
    tables = {name: _table(data, parts, name, kind) for name, kind in _RECORDS.items()}
    _check_places(tables)
    _check_samples(tables[b"shdr"], parts.get(b"smpl", _Chunk(b"smpl", 0, 0)).size)
    return Tables(tables, parts)


def _chunks(data: memoryview, begin: int, end: int) -> list[_Chunk]:
    chunks = []
    while begin + 8 <= end:
        name, size = bytes(data[begin : begin + 4]), struct.unpack_from("<I", data, begin + 4)[0]
        if begin + 8 + size > end:
            raise _BrokenError("it is cut short")
        chunks.append(_Chunk(name, begin + 8, size))
        begin += 8 + size + size % 2
    return chunks


def _table(data: memoryview, parts: dict[bytes, _Chunk], name: bytes, kind: np.dtype[np.void]) -> NDArray[np.void]:
    if name not in parts:
        raise _BrokenError(f"its part {name.decode()} is missing")
    part = parts[name]
    if part.size % kind.itemsize or part.size < kind.itemsize:
        raise _BrokenError(f"its part {name.decode()} has a wrong length")
    return np.frombuffer(data[part.begin : part.begin + part.size], kind)


def _check_places(tables: dict[bytes, NDArray[np.void]]) -> None:
    """Every index names a thing that is there; the last record of each table only marks its end."""
    for owner, field, owned in (
        (b"phdr", "bag", b"pbag"), (b"inst", "bag", b"ibag"),
        (b"pbag", "generator", b"pgen"), (b"ibag", "generator", b"igen"),
        (b"pbag", "modulator", b"pmod"), (b"ibag", "modulator", b"imod"),
    ):  # fmt: skip
        indices = tables[owner][field].astype(np.int64)
        if (np.diff(indices) < 0).any() or indices[-1] >= len(tables[owned]):
            raise _BrokenError(f"{owner.decode()} points outside {owned.decode()}")
    for owner, generator, owned in ((b"pgen", _INSTRUMENT, b"inst"), (b"igen", _SAMPLE, b"shdr")):
        table = tables[owner][:-1]
        if (table["kind"] > _LAST_GENERATOR).any():
            raise _BrokenError(f"{owner.decode()} has generators that are not defined")
        named = table["amount"][table["kind"] == generator]
        if (named >= len(tables[owned]) - 1).any():
            raise _BrokenError(f"{owner.decode()} points outside {owned.decode()}")


def _check_samples(headers: NDArray[np.void], size: int) -> None:
    compressed = (headers["kind"] & 0x10) != 0
    available = np.where(compressed, size, size // 2)[:-1]
    samples = headers[:-1]
    if (samples["start"] > samples["end"]).any() or (samples["end"] > available).any():
        raise _BrokenError("a sample lies outside smpl")
    looped = samples[~compressed[:-1]]
    if (looped["loop_start"] > looped["loop_end"]).any() or (looped["loop_end"] > size // 2).any():
        raise _BrokenError("a loop lies outside smpl")
