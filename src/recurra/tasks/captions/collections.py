"""Pictures with captions out of what people have: COCO's and Karpathy's JSON, tables, a folder with one of them."""

from __future__ import annotations

import csv
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from recurra.data.columns import Header, Wanted
from recurra.data.sources import called, sample_named
from recurra.data.tables import TABLES, Row, Table, collect, ending, read_lines, read_tables
from recurra.data.text import encoding_of, read_blocks, require_encoding
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.tasks.captions.pictures import SUFFIXES, open_picture, shown

if TYPE_CHECKING:
    from PIL import Image

WANTED = Wanted(
    (
        "file,caption",
        "image,caption",
        "filename,caption",
        "file_name,caption",
        "image_name,caption",
        "image_path,caption",
        "filepath,caption",
        "path,caption",
        "img,caption",
        "picture,caption",
        "photo,caption",
        "image_name,comment",
        "image,comment",
        "file,text",
        "image,text",
        "filename,text",
        "file_name,text",
        "path,text",
        "image,sentence",
        "file,sentence",
        "image,description",
        "file,description",
        "filename,description",
    ),
    ", or COCO's or Karpathy's JSON",
)
"""What tables of pictures call their columns."""

WHOLE = replace(WANTED, whole=True)
"""Of JSON: a file's name may have line ends in it."""

CAPTIONS = (
    "dataset.json",
    "captions.json",
    "captions.jsonl",
    "captions.tsv",
    "captions.csv",
    "captions.txt",
    "metadata.jsonl",
    "metadata.csv",
    "results.csv",
    "Flickr8k.token.txt",
)
"""What the file with the captions is called in a folder of pictures; the first that is there is read."""

FOLDERS = ("", "images", "Images", "Flicker8k_Dataset", "flickr30k_images")
"""Where the pictures that a file names are looked for, beside it."""

MAX_JSON = 2**28
"""Bytes of JSON, unpacked, that are read: four times COCO's largest file. In memory they take several times that."""

LISTED = 3
"""So many of what is wrong are said; the rest are counted."""

_SPLITS = {
    "restval": "train",
    "training": "train",
    "dev": "val",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}
"""Other names of the three parts; Karpathy's `restval` is what is left of the validation pictures, to train on."""

_NUMBERED = re.compile(r"(?P<file>.+)#\d+")
"""How Flickr8k names a caption: the picture's file, and which of its captions this is."""


@dataclass(frozen=True)
class Captioned:
    """A picture and what is said of it.

    Attributes:
        name: the file as its collection names it.
        captions: each on one line, without white space around it; at least one.
        split: the part its collection puts it in: train, val, test; None if it says nothing.
        open: gives the picture, upright and of mode RGB; raises `RecurraError` if it cannot be read.
    """

    name: str
    captions: tuple[str, ...]
    split: str | None
    open: Callable[[], Image.Image]


@dataclass(frozen=True)
class Collection:
    """Pictures to learn from or to be measured on.

    Attributes:
        name: what a person would call them, for notes and the model card.
        items: each of them.
        skipped: sentences for the user on what was left out.
    """

    name: str
    items: list[Captioned]
    skipped: list[str]


@dataclass(frozen=True)
class _Said:
    """What a captions file says: a file and a caption in each row."""

    files: Sequence[str]
    captions: Sequence[str]
    skipped: list[str]
    splits: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Sequence[Table], splits: dict[str, str] | None = None) -> _Said:
        """What tables of a file and a caption say, one after another."""
        files, captions = ([cell for table in tables for cell in table.columns[index]] for index in (0, 1))
        skipped = dict.fromkeys(sentence for table in tables for sentence in table.skipped)
        return cls(files, captions, list(skipped), splits or {})


def open_collection(
    data: Sequence[Any],
    *,
    encoding: str = "utf-8",
    columns: str = "",
    header: Header = "auto",
    images: str = "",
    split: str = "",
) -> Collection:
    """Find pictures and their captions; no picture is opened.

    Args:
        data: captions files (COCO's or Karpathy's .json; a .tsv, .csv, .txt, .jsonl or .json with a picture and a
            caption in each row, where a picture may come again), folders with one of these inside, one `sample:NAME`,
            or pairs (file, caption or list of captions).
        encoding: how the files encode text.
        columns: which columns of a table hold file and caption, see `parse_columns`; more than one caption may follow.
        header: whether the first line of a table names its columns.
        images: the folder the pictures are in; beside the captions file, or in `images` there, if not given.
        split: take only the pictures of this part: train, val or test.

    Raises:
        RecurraError: if there is nothing; if a file is of another form, names pictures outside the folder, or most of
            the pictures are missing: these are named together.
        OptionError: if `images` or `split` does not fit.
    """
    require_encoding(encoding)
    if images and not os.path.isdir(images):
        raise OptionError(f"`images` {shown(images)} is not a folder; name the one with the pictures")
    names = [str(each) for each in data if isinstance(each, str | Path)]
    if len(names) < len(data):
        parts = [_given(data, images)]
    elif sample := sample_named(names, "sample of pictures"):
        if images:
            raise OptionError(f"`images` is for captions files; {names[0]} draws its pictures itself")
        parts = [Collection(names[0], sample(), [])]
    else:
        read = partial(_read, encoding=encoding, columns=columns, header=header)
        parts = [_opened(Path(name), images, read) for name in names]
    if not parts:
        raise RecurraError("there are no pictures; name a captions file, or a folder with one inside")
    name = parts[0].name if len(parts) == 1 else called(names)
    whole = Collection(name, [i for part in parts for i in part.items], [s for part in parts for s in part.skipped])
    return _part(whole, split) if split else whole


def unreadable(faults: Sequence[str], count: int, name: str) -> str:
    """One sentence on pictures that were left out of a collection of `count`, from the sentence on each."""
    return f"{name}: {len(faults):,} of {count:,} picture(s) cannot be read: {_first(faults, '; ')}"


def _first(texts: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(texts) - LISTED:,} more" if len(texts) > LISTED else ""
    return between.join(texts[:LISTED]) + more


def _part(collection: Collection, split: str) -> Collection:
    """The pictures of one split."""
    wanted = _split(split)
    items = [item for item in collection.items if item.split == wanted]
    if not items:
        known = sorted({item.split for item in collection.items if item.split})
        has = f"it has {', '.join(known)[:100]}" if known else "it says nothing of parts; leave it out"
        raise OptionError(f"`split` {shown(split)}: {collection.name} has no such pictures; {has}")
    return replace(collection, items=items)


def _split(name: str) -> str:
    return _SPLITS.get(name.strip().lower(), name.strip().lower())


def _given(data: Sequence[Any], images: str) -> Collection:
    """Pairs that were given in Python."""
    rows: list[Row] = []
    for index, pair in enumerate(data):
        match pair:
            case (str() | Path() as file, str(caption)):
                rows.append((index, [str(file), caption]))
            case (str() | Path() as file, [*captions]) if all(isinstance(caption, str) for caption in captions):
                rows += [(index, [str(file), caption]) for caption in captions]
            case _:
                raise RecurraError(f"pictures given in Python, index {index}: give (file, caption or list of captions)")
    table = collect("pictures", "pictures given in Python", WHOLE, rows, unit="index")
    return _found("pictures given in Python", _Said.of([table]), [Path(images)], inside=False)


def _opened(path: Path, images: str, read: Callable[[Path], _Said]) -> Collection:
    """The pictures of one captions file, or of a folder with one."""
    with os_errors("reading", shown(str(path))):
        if not path.exists():
            raise RecurraError(f"there is no file or folder {shown(str(path))}; check the name")
        if path.is_dir():
            file, told = _captions_file(path)
            said = read(file)
            found = _found(path.absolute().name, replace(said, skipped=told + said.skipped), _roots(file, images))
            return replace(found, skipped=found.skipped + _unsaid(Path(images or path), found.items))
    if path.suffix.lower() in (*SUFFIXES, ".zip"):
        raise RecurraError(
            f"{shown(str(path))} is not a captions file; name one, or an unpacked folder with one inside"
        )
    return _found(path.name, read(path), _roots(path, images))


def _roots(file: Path, images: str) -> list[Path]:
    return [Path(images)] if images else [file.parent / inner for inner in FOLDERS]


def _captions_file(folder: Path) -> tuple[Path, list[str]]:
    """The file with the captions in a folder, and a sentence if there are others of such names."""
    there = [folder / name for name in CAPTIONS if (folder / name).is_file()]
    if not there:
        there = sorted(path for path in folder.iterdir() if path.suffix in (*TABLES, ".txt") and path.is_file())
        if len(there) != 1:
            raise RecurraError(
                f"the folder {shown(str(folder))} does not say which file has the captions; call it captions.tsv or "
                "dataset.json, or name the file itself"
            )
    others = ", ".join(path.name for path in there[1:])
    return there[0], [f"{folder}: {there[0].name} is read, and {others} is not"] if others else []


def _read(path: Path, encoding: str, columns: str, header: Header) -> _Said:
    """What a captions file of any form says."""
    if ending(path) == ".json":
        document = _document(path, encoding)
        if isinstance(document, dict) and ("images" in document or "annotations" in document):
            return _said_by(path, document)
    elif rows := _lines(path, encoding, header) if not columns else None:
        return _Said.of([collect(path.name, str(path), WANTED, rows)])
    file, *captions = columns.split(",")
    choices = [f"{file},{caption}" for caption in captions] or [columns]
    return _Said.of([read_tables([path], WANTED, choice, header, encoding) for choice in choices])


def _lines(path: Path, encoding: str, header: Header) -> list[Row] | None:
    """The rows of a text file as Flickr's captions come: a bar or, in a .txt, a comma after the file; None of others.

    With a comma the caption is the rest of the line, whether or not it is in quotes; with bars it is the last part.
    """
    if ending(path) not in (".txt", ".csv"):
        return None
    lines = read_lines(path, encoding)
    first = next(line for line in lines if line.strip())
    between = min((mark for mark in "\t|," if mark in first), key=first.index, default="\t")
    if between == "\t" or (between == "," and ending(path) == ".csv"):
        return None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            cells = line.split("|") if between == "|" else _file_and_rest(line)
            rows.append((number, [cells[0], cells[-1]] if len(cells) > 1 else "there is only one column"))
    names = {name for pair in WANTED.known for name in pair.split(",")}
    is_header = header == "yes" or (header == "auto" and first.split(between)[0].strip().lower() in names)
    return rows[1:] if is_header else rows


def _file_and_rest(line: str) -> list[str]:
    try:
        cells = next(csv.reader([line], strict=True))
    except csv.Error:
        cells = line.split(",")
    return [cells[0], ",".join(cells[1:])] if len(cells) > 1 else cells


def _document(path: Path, encoding: str) -> Any:
    """What is in a JSON file; None if it is one of several objects in lines."""
    data = bytearray()
    for block in read_blocks(path):
        data += block
        if len(data) > MAX_JSON:
            raise RecurraError(f"{path} holds more than {MAX_JSON:,} bytes of JSON; give a part of it, or a table")
    codec = encoding_of(bytes(data[:4]), encoding)
    try:
        return json.loads(data.decode(codec).removeprefix("\ufeff"))
    except UnicodeError as error:
        raise RecurraError(f"{path} is not {codec}; name the right `encoding`") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" or not data.strip():
            return None
        raise RecurraError(f"{path}, line {error.lineno}: this is not JSON ({error.msg}); correct it there") from error
    except (ValueError, RecursionError) as error:
        raise RecurraError(f"{path} is not JSON that can be read; its numbers or nesting are too large") from error


def _said_by(path: Path, document: dict[str, Any]) -> _Said:
    """What COCO's or Karpathy's JSON says."""
    pictures, annotations = document.get("images"), document.get("annotations")
    if not isinstance(pictures, list) or not isinstance(annotations, list | None):
        raise RecurraError(
            f"{path} is neither COCO's captions (`images` with file_name, `annotations` with caption) nor Karpathy's "
            "(`images` with filename, sentences); correct its lists"
        )
    if annotations is None:
        rows, splits = _karpathy(path, pictures)
        return _Said.of([collect(path.name, str(path), WHOLE, rows, unit="picture")], splits)
    files = _coco_files(path, pictures)
    said = _Said.of([collect(path.name, str(path), WHOLE, _coco(files, annotations), unit="annotation")])
    bare = sorted(map(shown, set(files.values()).difference(said.files)))
    told = [f"{path}: {len(bare):,} picture(s) without a caption: {_first(bare)}"] if bare else []
    return replace(said, skipped=said.skipped + told)


def _coco_files(path: Path, pictures: list[Any]) -> dict[str, str]:
    """The file of each picture by its ID.

    Raises:
        RecurraError: if two files have the same ID: whose the captions are is then not known.
    """
    files = dict[str, str]()
    for number, picture in enumerate(pictures, 1):
        match picture:
            case {"id": int() | str() as key, "file_name": str(file)}:
                if files.setdefault(str(key), file) != file:
                    raise RecurraError(
                        f"{path}, picture {number}: another has the ID {shown(str(key))} too; correct it"
                    )
            case _:
                raise RecurraError(f"{path}, picture {number}: there is no id or no file_name; correct it")
    return files


def _coco(files: dict[str, str], annotations: list[Any]) -> Iterable[Row]:
    for number, annotation in enumerate(annotations, 1):
        match annotation:
            case {"image_id": int() | str() as key, "caption": str(caption)}:
                yield number, [files[str(key)], caption] if str(key) in files else "no picture has its image_id"
            case _:
                yield number, "there is no image_id or no caption"


def _karpathy(path: Path, pictures: list[Any]) -> tuple[list[Row], dict[str, str]]:
    """Rows by the number of the picture; and the split of each file.

    Raises:
        RecurraError: if a file is in two parts: what is learned from would be measured on.
    """
    rows, splits = list[Row](), dict[str, str]()
    for number, picture in enumerate(pictures, 1):
        match picture:
            case {"filename": str(name), "sentences": [_, *_] as sentences}:
                folder, split = picture.get("filepath"), picture.get("split")
                file = f"{folder}/{name}" if isinstance(folder, str) and folder else name
                if isinstance(split, str) and splits.setdefault(file, _split(split)) != _split(split):
                    raise RecurraError(f"{path}, picture {number}: {shown(file)} is in two splits; leave one of them")
                for sentence in sentences:
                    caption = _sentence(sentence)
                    rows.append((number, "a sentence has no raw and no tokens" if caption is None else [file, caption]))
            case {"filename": str(), "sentences": []}:
                rows.append((number, "it has no sentences"))
            case _:
                rows.append((number, "there is no filename or no sentences"))
    return rows, splits


def _sentence(sentence: Any) -> str | None:
    match sentence:
        case {"raw": str(raw)}:
            return raw
        case {"tokens": [*tokens]} if all(isinstance(token, str) for token in tokens):
            return " ".join(tokens)
    return None


def _found(name: str, said: _Said, roots: Sequence[Path], inside: bool = True) -> Collection:
    """The pictures that a captions file names.

    Raises:
        RecurraError: if it names some that need not be `inside` the folder of pictures, or most of which are missing.
    """
    places, missing = dict[str, Path](), dict[str, None]()
    alike = Counter(PurePosixPath(file).name for file in set(said.files))
    for file in dict.fromkeys(said.files):
        if inside:
            _require_inside(file, name)
        place = _place(roots, file, alike[PurePosixPath(file).name] == 1)
        if place is None:
            missing[shown(_unnumbered(file))] = None
        else:
            places[file] = place
    sentence = f"{name}: {len(missing):,} picture(s) missing: {_first(list(missing))}"
    if len(missing) > len(set(places.values())):
        raise RecurraError(f"{sentence}; name the folder they are in with `images`")
    return _joined(name, replace(said, skipped=said.skipped + [sentence] * bool(missing)), places)


def _unsaid(folder: Path, items: Sequence[Captioned]) -> list[str]:
    """A sentence on pictures in a folder that its captions file does not name, if there are any."""
    named = {PurePosixPath(item.name).name for item in items}
    with os_errors("reading", shown(str(folder))):
        there = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        bare = sorted(shown(path.name) for path in there if path.name not in named)
    return [f"{folder}: {len(bare):,} picture(s) without a caption: {_first(bare)}"] if bare else []


def _require_inside(file: str, name: str) -> None:
    """Refuse a name that leads out of the folder of pictures, on this system or another."""
    for path in (PurePosixPath(file), PureWindowsPath(file)):
        if path.anchor or ".." in path.parts:
            raise RecurraError(
                f"{name} names {shown(file)}, which may lie outside the folder of pictures; write names within it, and "
                "name the folder with `images`"
            )


def _place(roots: Sequence[Path], file: str, alone: bool) -> Path | None:
    """Where a picture is: as it is named, without Flickr's number, or without its folder if its name is `alone`."""
    last = PurePosixPath(file).name if alone else file
    for name in dict.fromkeys((file, _unnumbered(file), last)):
        for root in roots:
            place = os.path.join(root, name)
            if os.path.exists(place):
                return Path(place)
    return None


def _unnumbered(file: str) -> str:
    match = _NUMBERED.fullmatch(file)
    return match["file"] if match else file


def _joined(name: str, said: _Said, places: dict[str, Path]) -> Collection:
    """A collection of the pictures that are there, each with all its captions, in the order of their first ones."""
    captions, names, bare = dict[Path, list[str]](), dict[Path, str](), list[str]()
    for file, caption in zip(said.files, said.captions, strict=True):
        place, text = places.get(file), " ".join(caption.split())
        if place is None:
            continue
        if not _says_something(text):
            bare.append(shown(text))
            continue
        names.setdefault(place, file if place.name == PurePosixPath(file).name else _unnumbered(file))
        captions.setdefault(place, []).append(text)
    items = [
        Captioned(names[place], tuple(texts), said.splits.get(names[place]), partial(open_picture, place, names[place]))
        for place, texts in captions.items()
    ]
    told = [f"{name}: {len(bare):,} caption(s) of nothing but punctuation: {_first(bare)}"] if bare else []
    if not items:
        raise RecurraError(f"{name} has no picture with a caption{': ' if told else ''}{''.join(told)}; give some")
    return Collection(name, items, said.skipped + told)


def _says_something(caption: str) -> bool:
    """Whether there is anything but punctuation in a caption; an emoji is."""
    return any(unicodedata.category(character)[0] not in "PZC" for character in caption)
