"""Recordings as samples on disk and numbers of symbols, a part of them kept for validation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.data.tokenizer import Tokens
from recurra.errors import OptionError, RecurraError
from recurra.progress import bar
from recurra.tasks.speech.audio import fault, unheard
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.features import FilterBank, Normalization, RunningMean, normalized, stacked
from recurra.tasks.speech.recordings import Recording, Recordings, Sounds, open_recordings, require_none
from recurra.tasks.speech.symbols import Symbols

Count = TypeVar("Count", int, IntArray)

MIN_RECORDINGS = 10
"""Fewer are refused: there is nothing to learn from, and nothing to validate on."""

VALIDATION_SHARE = 0.1
"""What is drawn for validation if nothing is given for that ..."""

MAX_VALIDATION = 200
"""... but not more recordings than this."""

MOST_WORDS, OFTEN = 100, 5
"""Transcripts of so few different words, each so often at least, are made of words if nothing is said."""

MEASURED = 1000
"""Recordings that mean and variance of the features are measured on, at most."""


@dataclass(frozen=True)
class Part:
    """Recordings, ready to be learned from or scored.

    Attributes:
        name: what a person would call them.
        sounds: their samples.
        symbols: their transcripts, each `(length,)`.
        texts: likewise, as text.
        frames: of each, `(recordings,)`.
    """

    name: str
    sounds: Sounds
    symbols: list[Tokens]
    texts: list[str]
    frames: IntArray

    def __len__(self) -> int:
        return len(self.symbols)


@dataclass(frozen=True)
class Data:
    """What a run learns from.

    Attributes:
        train: to learn from.
        validation: to choose the best weights on.
        symbols: what transcripts are made of.
        normalization: of the features.
        seconds: of the recordings to learn from, all together.
        skipped: what was left out, for the user.
        digest: tells whether a resumed run has the same data.
    """

    train: Part
    validation: Part
    symbols: Symbols
    normalization: Normalization
    seconds: float
    skipped: list[str]
    digest: str


def frames_in(samples: int, config: Config) -> int:
    """Frames of so many samples; none if they do not fill a window."""
    options = config.features
    window, step = (round(options.rate * length / 1000) for length in (options.window_ms, options.step_ms))
    return 0 if samples < window else 1 + (samples - window) // step


def steps_in(frames: Count, config: Config) -> Count:
    """Steps of so many frames; the last one may be filled up."""
    return -(-frames // config.features.stack)


def steps_needed(symbols: Tokens) -> int:
    """Steps that CTC needs for symbols, at least: one for each, and a blank between two that are the same."""
    return len(symbols) + int((symbols[1:] == symbols[:-1]).sum())


def read_data(
    data: Sequence[Any],
    validation: Sequence[Any],
    config: Config,
    folder: Path,
    vocabulary: tuple[Symbols, Normalization] | None = None,
) -> Data:
    """Read recordings.

    Args:
        data: see `open_recordings`.
        validation: what to validate on, likewise; if empty, a part is drawn.
        config: with its features.
        folder: where the samples go.
        vocabulary: of a run to go on with, or a model to begin from; None makes it.

    Raises:
        RecurraError: if recordings cannot be read or learned from; all of these are named together.
    """
    found = open_recordings(data, config.encoding, config.columns, config.header, strict=False)
    if len(found.items) < MIN_RECORDINGS:
        raise RecurraError(f"{found.name} has {len(found.items)} recordings; at least {MIN_RECORDINGS} are needed")
    found = _without_rare(found, config)
    if validation:
        rest = found
        kept = open_recordings(validation, config.encoding, config.columns, config.header, strict=False)
    else:
        rest, kept = _divided(found, config.seed)
    seen = rest.items if validation else found.items
    symbols = vocabulary[0] if vocabulary else _symbols([item.text for item in seen], config)
    train = read_part(rest, symbols, config, folder / "train.bin")
    held = read_part(kept, symbols, config, folder / "validation.bin")
    return Data(
        train=train,
        validation=held,
        symbols=symbols,
        normalization=vocabulary[1] if vocabulary else measure(train.sounds, config),
        seconds=sum(item.seconds for item in rest.items),
        skipped=[*rest.skipped, *(kept.skipped if validation else [])],
        digest=digest_of(train, held),
    )


def _without_rare(found: Recordings, config: Config) -> Recordings:
    """Without the recordings that have a symbol seen less often than `min_count`.

    Raises:
        OptionError: if none is left.
    """
    if config.min_count == 1:
        return found
    symbols = _symbols([item.text for item in found.items], config)
    counts = Counter(symbol for item in found.items for symbol in symbols.split(item.text))
    rare = {symbol for symbol, count in counts.items() if count < config.min_count}
    items = [item for item in found.items if not rare.intersection(symbols.split(item.text))]
    if not items:
        raise OptionError(f"every recording has a symbol seen less than `min_count` {config.min_count} times; lower it")
    names = ", ".join(map(repr, sorted(rare)[:8]))
    left = f"{len(found.items) - len(items):,} recordings with symbols seen less than {config.min_count} times: {names}"
    return replace(found, items=items, skipped=[*found.skipped, left] if rare else found.skipped)


def _symbols(transcripts: Sequence[str], config: Config) -> Symbols:
    """What transcripts are made of.

    Raises:
        OptionError: if symbols of several letters are asked for, and words.
    """
    if config.symbols and config.tokens == "words":
        raise OptionError("`symbols` adds to characters; leave it out, or `tokens` words")
    found = Symbols.of_words(transcripts, config.lowercase)
    counts = Counter(word for text in transcripts for word in found.split(text))
    few = len(counts) <= MOST_WORDS and min(counts.values(), default=0) >= OFTEN and not config.symbols
    if config.tokens == "words" or (config.tokens is None and few):
        return found
    return Symbols.of(transcripts, config.lowercase, config.symbols.split())


def _divided(found: Recordings, seed: int) -> tuple[Recordings, Recordings]:
    """A part drawn for validation, and the rest."""
    count = min(int(np.ceil(VALIDATION_SHARE * len(found.items))), MAX_VALIDATION)
    chosen = set(np.random.default_rng(seed).choice(len(found.items), count, replace=False).tolist())
    kept = [item for number, item in enumerate(found.items) if number in chosen]
    rest = [item for number, item in enumerate(found.items) if number not in chosen]
    name = f"{count:,} recordings of {found.name}, drawn at random"
    return Recordings(found.name, rest, found.skipped, found.faults), Recordings(name, kept, [])


def read_part(
    recordings: Recordings, symbols: Symbols, config: Config, path: Path, labels: list[Tokens] | None = None
) -> Part:
    """Recordings on disk, checked.

    Args:
        recordings: to be read.
        symbols: of their transcripts.
        config: with its features.
        path: where the samples go.
        labels: what stands for each transcript, if not its symbols; then it need not fit the recording, which may be
            clipped.

    Raises:
        RecurraError: if recordings cannot be read or learned from; these are named together.
    """
    numbers = [symbols.encode(item.text) for item in recordings.items] if labels is None else labels
    faults = list(recordings.faults)
    frames: list[int] = []

    def samples() -> Iterator[FloatArray]:
        with bar("reading") as shown:
            for number, item in enumerate(recordings.items):
                try:
                    loaded = item.load(config.features.rate)
                except RecurraError as error:
                    faults.append(str(error))
                    loaded = np.zeros(0, np.float32)
                else:
                    if labels is None:
                        reason = fault(loaded) or _fault(item, loaded, numbers[number], symbols, config)
                    else:
                        reason = unheard(loaded)
                    faults.extend([f"{item.name}: {reason}"] if reason else [])
                frames.append(frames_in(len(loaded), config))
                shown.update((number + 1) / len(recordings.items), f"{number + 1:,} recordings")
                yield loaded

    sounds = Sounds.write(path, samples())
    require_none(faults, recordings.name)
    return Part(recordings.name, sounds, numbers, [symbols.clean(i.text) for i in recordings.items], np.array(frames))


def _fault(item: Recording, samples: FloatArray, numbers: Tokens, symbols: Symbols, config: Config) -> str | None:
    """Why the transcript of a recording cannot be learned; None if it can."""
    if unknown := symbols.unknown_in(item.text):
        return f"its transcript has {unknown[0]!r}, which the model has no symbol for"
    if not len(numbers):
        return "its transcript is empty"
    steps = steps_in(frames_in(len(samples), config), config)
    needed = steps_needed(numbers) if config.by_ctc else 1
    if steps < needed:
        return (
            f"it is too short for its transcript: {steps} steps of {1000 * config.features.step_seconds:.0f} ms, and "
            f"its {len(numbers)} symbols need {needed}"
        )
    return None


def log_mel(samples: FloatArray, config: Config) -> FloatArray:
    """The frames of a whole recording, not normalised, `(F, M)`."""
    return FilterBank(config.features).feed(samples)


def steps_of(samples: FloatArray, config: Config, normalization: Normalization) -> FloatArray:
    """The steps of a whole recording as a network reads them, `(S, I)`."""
    return stacked(normalized(log_mel(samples, config), config.features, normalization), config.features.stack)


def lengths_of(part: Part, config: Config) -> IntArray:
    """Steps and symbols of each recording, `(recordings, 2)`."""
    steps = steps_in(part.frames, config)
    return np.stack([steps, np.array([len(symbols) for symbols in part.symbols])], axis=1)


def measure(sounds: Sequence[FloatArray], config: Config) -> Normalization:
    """Mean of each band over (the first of) the recordings, and variance after the running mean is taken off."""
    count = min(len(sounds), MEASURED)
    frames = [log_mel(sounds[number], config) for number in range(count)]
    mean = np.concatenate(frames).mean(axis=0, dtype=np.float64).astype(np.float32)
    rest = np.concatenate([RunningMean(mean, config.features).take_off(each) for each in frames])
    std = rest.std(axis=0, dtype=np.float64).astype(np.float32)
    return Normalization(mean, np.maximum(std, 1e-3))


def digest_of(*parts: Part) -> str:
    """Tells whether the same recordings and transcripts are read again."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part.frames).tobytes())
        digest.update("\n".join(part.texts).encode())
        for number in range(len(part)):
            digest.update(part.sounds[number].tobytes())
    return digest.hexdigest()


def describe(data: Data) -> tuple[str, ...]:
    """What a person is told of recordings, lines."""
    names = " ".join(name if name.strip() else "(space)" for name in data.symbols.names[:60])
    return (
        *(f"left out: {reason}" for reason in data.skipped),
        f"{data.train.name}: {len(data.train):,} recordings to learn from, {data.seconds / 60:,.1f} minutes; "
        f"{len(data.validation):,} for validation",
        f"{data.symbols.size - 1} symbols: {names}",
    )
