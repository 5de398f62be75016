"""Pictures as pixels on disk and their captions as tokens, a part of them kept for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrays import IntArray
from recurra.config import required
from recurra.data.tokenizer import Tokens
from recurra.data.vocabulary import Vocabulary
from recurra.errors import RecurraError, os_errors
from recurra.progress import bar
from recurra.tasks.captions.collections import Captioned, Collection, open_collection, unreadable
from recurra.tasks.captions.config import Config, resolve
from recurra.tasks.captions.feature_cache import Features, Half, forget
from recurra.tasks.captions.pictures import Pixels, fit

MIN_PICTURES = 10
"""Fewer are refused: there is nothing to learn from, and nothing to validate on."""

VALIDATION_SHARE = 0.1
"""What is drawn for validation if nothing is given for that ..."""

MAX_VALIDATION = 500
"""... but not more pictures than this."""

LONGEST_SCORED = 1000
"""Validation captions with more tokens than this are left out."""


@dataclass
class Part:
    """Pictures with captions, ready to be learned from or scored.

    Attributes:
        name: what a person would call them.
        pixels: `(pictures, image_size, image_size, 3)`, mapped.
        captions: of each picture at least one, each with its end token.
        features: what a frozen backbone has made of the pixels; None as long as there are none.
    """

    name: str
    pixels: Pixels
    captions: list[list[Tokens]]
    features: Features | None = None

    def __len__(self) -> int:
        return len(self.captions)

    def take(self, pictures: IntArray) -> Pixels | Half:
        """What the network is given of some pictures: features `(some, C, h, w)` if there are, else pixels."""
        if self.features is not None:
            return self.features[pictures]
        pixels: Pixels = self.pixels[pictures]
        forget(self.pixels)
        return pixels

    @property
    def caption_count(self) -> int:
        """Captions of all pictures together."""
        return sum(map(len, self.captions))


@dataclass(frozen=True)
class Data:
    """What a run learns from.

    Attributes:
        name: where it came from.
        config: resolved.
        vocabulary: of the captions.
        train: to learn from.
        validation: to choose the best weights on.
        left_out: sentences on what was left out.
        digest: tells whether a resumed run has the same data.
    """

    name: str
    config: Config
    vocabulary: Vocabulary
    train: Part
    validation: Part
    left_out: list[str]
    digest: str


def clean(caption: str, lowercase: bool) -> str:
    """A caption as it is learned from: one space between words, small letters if asked for."""
    text = " ".join(caption.split())
    return text.lower() if lowercase else text


def opened(data: Sequence[Any], config: Config, split: str = "") -> Collection:
    """The pictures that are named, see `open_collection`."""
    return open_collection(
        data,
        encoding=config.encoding,
        columns=config.columns,
        header=config.header,
        images=config.images,
        split=split,
    )


def read_data(
    data: Sequence[Any],
    validation: Sequence[Any],
    config: Config,
    folder: Path,
    vocabulary: Vocabulary | None = None,
) -> Data:
    """Read pictures with captions.

    Args:
        data: see `open_collection`.
        validation: what to validate on, likewise; if empty, what the data call that, else a part is drawn.
        config: as the user gave it.
        folder: where the pixels go.
        vocabulary: of a run to go on with, or a model to begin from; None makes it.

    Raises:
        RecurraError: if pictures cannot be read or are too few.
    """
    found = opened(data, config)
    if validation:
        rest, kept = _without_others(found), opened(validation, config)
    else:
        rest, kept = divided(found, config.seed)
    if vocabulary is None:
        said = [clean(caption, config.lowercase) for item in rest.items for caption in item.captions]
        vocabulary = Vocabulary.build(
            config.tokens, said, limit=config.vocabulary_size, min_count=config.min_count, normalization="NFC"
        )
    left_out = [*rest.skipped, *(kept.skipped if validation else ())]
    train = _part(rest, vocabulary, config, config.longest, folder / "train.bin", left_out)
    held = _part(kept, vocabulary, config, LONGEST_SCORED, folder / "validation.bin", left_out)
    if len(train) < MIN_PICTURES:
        raise RecurraError(f"{found.name} has {len(train)} pictures to learn from; at least {MIN_PICTURES} are needed")
    longest = max(len(caption) for captions in train.captions for caption in captions) - 1
    resolved = resolve(config, len(train), longest)
    return Data(found.name, resolved, vocabulary, train, held, left_out, _digest(train, held))


def divided(found: Collection, seed: int) -> tuple[Collection, Collection]:
    """What to learn from and what to validate on: as the collection says, else a part of the pictures, drawn at random.

    Raises:
        RecurraError: if there are fewer than two pictures.
    """
    rest = _without_others(found)
    kept = [item for item in found.items if item.split == "val"]
    if kept:
        return rest, Collection(f"{len(kept):,} pictures of {found.name} that it calls val", kept, [])
    count = len(rest.items)
    if count < 2:
        raise RecurraError(f"{found.name} has {count} pictures to learn from; at least {MIN_PICTURES} are needed")
    wanted = min(int(np.ceil(VALIDATION_SHARE * count)), MAX_VALIDATION)
    chosen = set(np.random.default_rng(seed).choice(count, wanted, replace=False).tolist())
    name = f"{wanted:,} pictures of {found.name}, drawn at random"
    drawn = [item for number, item in enumerate(rest.items) if number in chosen]
    others = [item for number, item in enumerate(rest.items) if number not in chosen]
    return replace(rest, items=others), Collection(name, drawn, [])


def _without_others(found: Collection) -> Collection:
    """The pictures to learn from, where a collection says which are."""
    items = [item for item in found.items if item.split in (None, "train")]
    test = sum(item.split == "test" for item in found.items)
    told = [f"{test:,} pictures that {found.name} calls test"] if test else []
    return replace(found, items=items, skipped=[*found.skipped, *told])


def _part(
    collection: Collection, vocabulary: Vocabulary, config: Config, longest: int, path: Path, left_out: list[str]
) -> Part:
    """Pictures as pixels on disk, with their captions as tokens; what is left out is added to `left_out`."""
    faults: list[str] = []
    captions: list[list[Tokens]] = []
    long = 0

    def rows() -> Iterator[Pixels]:
        nonlocal long
        with bar("reading pictures") as shown:
            for number, item in enumerate(collection.items):
                tokens = [vocabulary.encode(clean(caption, config.lowercase)) for caption in item.captions]
                short = [each for each in tokens if len(each) <= longest + 1]
                long += len(tokens) - len(short)
                if short:
                    try:
                        yield pixels_of(item, config)
                        captions.append(short)
                    except RecurraError as error:
                        faults.append(str(error))
                shown.update((number + 1) / len(collection.items), f"{number + 1:,} pictures")

    pixels = _written(path, rows(), required(config.image_size, "image_size"))
    if faults:
        left_out.append(unreadable(faults, len(collection.items), collection.name))
    if long:
        left_out.append(f"{long:,} captions of more than {longest} {config.tokens} (`longest`)")
    if not captions:
        raise RecurraError(f"{collection.name}: no picture can be read, or all captions are too long; give others")
    return Part(collection.name, pixels, captions)


def pixels_of(item: Captioned, config: Config) -> Pixels:
    """A picture as the network sees it, `(image_size, image_size, 3)`."""
    size = required(config.image_size, "image_size")
    return fit(item.open(), size, size, config.fit)


def _written(path: Path, rows: Iterator[Pixels], size: int) -> Pixels:
    """Pictures in a file, one after another, mapped."""
    count = 0
    with os_errors("writing", path), open(path, "wb") as file:
        for row in rows:
            file.write(row.tobytes())
            count += 1
    shape = (count, size, size, 3)
    return np.memmap(path, np.uint8, "r", shape=shape) if count else np.zeros(shape, np.uint8)


def _digest(*parts: Part) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr([len(captions) for captions in part.captions]).encode())
        digest.update(np.concatenate([tokens for captions in part.captions for tokens in captions]).tobytes())
        for row in part.pixels:
            digest.update(row)
            forget(row)
    return digest.hexdigest()


def describe(data: Data) -> tuple[str, ...]:
    """What a person is told of the pictures, lines."""
    tokens = [each for captions in data.validation.captions for each in captions]
    unknown = data.vocabulary.unknown_share(tokens)
    lines = (
        *(f"left out: {reason}" for reason in data.left_out),
        f"{data.name}: {len(data.train):,} pictures with {data.train.caption_count:,} captions to learn from, "
        f"{len(data.validation):,} for validation, vocabulary {data.vocabulary.size:,}",
    )
    if unknown < 0.0005:
        return lines
    return (*lines, f"read as the unknown token in the validation captions: {unknown:.1%} ({data.config.tokens})")
