"""Recordings with transcripts out of what people have: tables, LJSpeech and Common Voice, a folder for each word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.data.columns import Header, Wanted
from recurra.data.sources import called, sample_named
from recurra.data.tables import Row, collect, read_lines, read_tables
from recurra.errors import RecurraError, os_errors
from recurra.tasks.speech.audio import SUFFIXES, read_sound, sound_info

WANTED = Wanted(
    (
        "file,transcript",
        "path,sentence",
        "file,text",
        "path,text",
        "path,transcript",
        "audio,text",
        "audio,transcription",
        "audio,sentence",
        "audio_filepath,text",
        "file_name,transcription",
        "file_name,text",
        "wav,text",
        "wav,transcript",
        "filename,transcript",
        "filename,text",
        "file,word",
        "file,label",
        "path,label",
    ),
    ", or a folder for each word",
)
"""What tables of recordings call their columns."""

FOLDERS = ("", "clips", "wavs", "wav", "audio")
"""Where the files that a table names are looked for, beside it."""

LISTED = 5
"""So many faults are said in full; the rest are counted."""


@dataclass(frozen=True)
class Recording:
    """A recording and its transcript.

    Attributes:
        name: what a person would call it; a file's path for one.
        text: what is said.
        seconds: how long it is.
        path: the file; None if it is made on the machine, ...
        make: ... by this function of a rate in Hz, which gives samples `(samples,)`.
    """

    name: str
    text: str
    seconds: float
    path: Path | None = None
    make: Any = None

    def load(self, rate: int) -> FloatArray:
        """The samples at a rate in Hz, `(samples,)`, from -1 to 1."""
        samples: FloatArray = read_sound(self.path, rate) if self.path else self.make(rate)
        return samples


@dataclass(frozen=True)
class Recordings:
    """Recordings to learn from or to be measured on.

    Attributes:
        name: what a person would call them, for notes and the model card.
        items: each of them.
        skipped: sentences for the user on what was left out, with file and line.
        faults: sentences on files that are missing or are not sound, which are not among `items`.
    """

    name: str
    items: list[Recording]
    skipped: list[str]
    faults: list[str] = field(default_factory=list)


def open_recordings(
    data: Sequence[Any],
    encoding: str = "utf-8",
    columns: str = "",
    header: Header = "auto",
    noise: bool = False,
    strict: bool = True,
) -> Recordings:
    """Find recordings and their transcripts.

    Args:
        data: tables of file and transcript (.tsv, .csv, .jsonl, .json; Common Voice's among them), LJSpeech's folder,
            folders with a folder of recordings for each word, one `sample:NAME`, or pairs (file, transcript).
        encoding: how tables encode text.
        columns: which columns of a table hold file and transcript, see `parse_columns`.
        header: whether the first line of a table names its columns.
        noise: whether the recordings of a folder `_background_noise_` are wanted, with empty transcripts.
        strict: refuse files that are missing or are not sound; else they are told with all other faults later.

    Raises:
        RecurraError: if there is nothing, or files are missing; these are named together.
    """
    names = [str(each) for each in data if isinstance(each, str | Path)]
    if len(names) < len(data):
        return _checked(_given(data), strict)
    if sample := sample_named(names, "sample of recordings"):
        return Recordings(names[0], sample(), [])
    parts = [_opened(Path(name), encoding, columns, header, noise) for name in names]
    items, faults = [item for part in parts for item in part.items], [each for part in parts for each in part.faults]
    found = Recordings(called(names), items, [sentence for part in parts for sentence in part.skipped], faults)
    if not items and not faults:
        raise RecurraError("there are no recordings; name a table, or a folder with a folder for each word")
    return _checked(found, strict)


def _checked(found: Recordings, strict: bool) -> Recordings:
    if strict or not found.items:
        require_none(found.faults, found.name)
    return found


def _given(data: Sequence[Any]) -> Recordings:
    rows: list[Row] = []
    for index, pair in enumerate(data):
        match pair:
            case (str() | Path() as path, str(text)):
                rows.append((index, [str(path), text]))
            case _:
                raise RecurraError(f"recordings given in Python, index {index}: give (file, transcript)")
    table = collect("recordings", "recordings given in Python", WANTED, rows, unit="index")
    return _found(table.name, Path(), table.columns[0], table.columns[1], table.skipped)


def _opened(path: Path, encoding: str, columns: str, header: Header, noise: bool) -> Recordings:
    with os_errors("reading", path):
        if not path.exists():
            raise RecurraError(f"there is no file or folder {str(path)!r}; check the name")
        is_folder = path.is_dir()
    if is_folder:
        metadata = path / "metadata.csv"
        return _opened(metadata, encoding, columns, header, noise) if metadata.is_file() else _folder(path, noise)
    if rows := _ljspeech(path, encoding):
        files, texts = zip(*rows, strict=True)
        return _found(path.absolute().parent.name, path.parent, files, texts, [])
    table = read_tables([path], WANTED, columns, header, encoding)
    return _found(table.name, path.parent, table.columns[0], table.columns[1], table.skipped)


def _ljspeech(path: Path, encoding: str) -> list[tuple[str, str]] | None:
    """The rows of a table in LJSpeech's form, `id|transcript|transcript in words`; None if it is another."""
    if path.suffix.lower() not in (".csv", ".txt"):
        return None
    lines = [line.split("|") for line in read_lines(path, encoding) if line.strip()]
    if not lines or any(len(cells) not in (2, 3) or not all(cells[:2]) for cells in lines):
        return None
    return [(cells[0], cells[-1] or cells[1]) for cells in lines]


def _folder(folder: Path, noise: bool) -> Recordings:
    """A folder with a folder of recordings for each word, as Speech Commands has them."""
    files, texts, others = [], [], 0
    with os_errors("reading", folder):
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            for path in sorted(inner.iterdir()):
                if path.suffix.lower() not in SUFFIXES:
                    others += 1
                elif noise or not inner.name.startswith("_"):
                    files.append(str(path.relative_to(folder)))
                    texts.append("" if inner.name.startswith("_") else inner.name)  # _background_noise_
    if not files:
        raise RecurraError(f"{folder} holds no folders with recordings; name a table of files and transcripts")
    skipped = [f"{folder}: {others} file(s) that are not sound"] if others else []
    return _found(folder.name, folder, files, texts, skipped)


def _found(name: str, folder: Path, files: Sequence[str], texts: Sequence[str], skipped: list[str]) -> Recordings:
    """The recordings of a table, and what is wrong with files that are missing or are not sound."""
    items, faults = [], []
    for file, text in zip(files, texts, strict=True):
        path = _place(folder, file)
        if path is None:
            faults.append(f"{file}: there is no such file")
            continue
        try:
            items.append(Recording(str(path), text, sound_info(path).seconds, path))
        except RecurraError as error:
            faults.append(str(error))
    return Recordings(name, items, skipped, faults)


def _place(folder: Path, file: str) -> Path | None:
    """The file that a table means; its name may lack its ending, and its folder."""
    for inner in FOLDERS:
        for ending in ("", ".wav", ".flac", ".mp3"):
            path = folder / inner / f"{file}{ending}"
            if path.is_file():
                return path
    return None


def require_none(faults: Sequence[str], name: str) -> None:
    """Refuse recordings with faults, all in one sentence.

    Raises:
        RecurraError: if there are any.
    """
    if faults:
        more = f"; and {len(faults) - LISTED:,} more" if len(faults) > LISTED else ""
        raise RecurraError(
            f"{len(faults):,} recordings of {name} are at fault: {'; '.join(faults[:LISTED])}{more}; mend "
            "them or take them out of the table"
        )


class Sounds(Sequence[FloatArray]):
    """Samples of many recordings in one file, 16 bits each, mapped: reading one costs nothing but that.

    Args:
        samples: of all recordings, one after another, `(samples,)`.
        ends: where each ends, `(recordings,)`.
    """

    def __init__(self, samples: Any, ends: Any) -> None:
        self._samples = samples
        self._ends = ends

    @classmethod
    def write(cls, path: Path, recordings: Iterable[FloatArray]) -> Sounds:
        """Put recordings into a file, in order; they are taken one at a time."""
        ends, total = [], 0
        with os_errors("writing", path), open(path, "wb") as file:
            for samples in recordings:
                file.write(np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16).tobytes())
                total += len(samples)
                ends.append(total)
        mapped = np.memmap(path, np.int16, "r", shape=(total,)) if total else np.zeros(0, np.int16)
        return cls(mapped, np.array(ends, np.int64))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        begin = int(self._ends[index - 1]) if index else 0
        return np.asarray(self._samples[begin : self._ends[index]], np.float32) / 32767
