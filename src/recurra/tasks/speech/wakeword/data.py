"""Recordings of a word and of other sound, for a detector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.tokenizer import Tokens
from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.data import Data, Part, digest_of, measure, read_part
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.recordings import Recording, Recordings, open_recordings
from recurra.tasks.speech.symbols import Symbols
from recurra.tasks.speech.wakeword.detection import WORD, with_floor
from recurra.tasks.speech.wakeword.streams import Mixer

MIN_WORDS = MIN_OTHERS = 10
"""Fewer recordings with the word, or without it, are refused."""

MIN_VALIDATION = 3
"""So many of either are kept for validation, at least ..."""

VALIDATION_SHARE = 0.15
"""... and this share: a threshold is chosen on them, which is worth more than a few recordings to learn from."""

MEASURED_STREAMS = 24
"""Streams that mean and variance of the features are measured on."""

LISTED = 8
"""So many words are named where the one asked for is not among them."""


def read_detector_data(
    data: Sequence[Any],
    validation: Sequence[Any],
    config: Config,
    folder: Path,
    vocabulary: tuple[Symbols, Normalization] | None = None,
) -> Data:
    """Read recordings for a detector: `read_data`'s twin, whose transcripts only say which are of the word.

    Args:
        data: see `open_recordings`; a folder `_background_noise_` among those of words holds noise.
        validation: what to choose the threshold on, likewise; if empty, a part is drawn.
        config: resolved but for the length of the run.
        folder: where the samples go.
        vocabulary: of a run to go on with, or a model to begin from; None makes it.

    Raises:
        RecurraError: if recordings cannot be read or learned from, or too few are of the word or of others.
    """
    symbols = vocabulary[0] if vocabulary else word_symbols(config)
    found = of_word_or_not(_opened(data, config), symbols)
    if validation:
        rest, kept = found, of_word_or_not(_opened(validation, config), symbols)
        require_enough(rest, symbols, MIN_WORDS, MIN_OTHERS)
        require_enough(kept, symbols, 1, 1)
    else:
        require_enough(found, symbols, MIN_WORDS, MIN_OTHERS)
        rest, kept = _divided(found, symbols, config.seed)
    train, held = (
        read_part(each, symbols, config, folder / f"{name}.bin", numbers(each.items, symbols))
        for name, each in (("train", rest), ("validation", kept))
    )
    return Data(
        train=train,
        validation=held,
        symbols=symbols,
        normalization=vocabulary[1] if vocabulary else _measured(train, config),
        seconds=sum(item.seconds for item in rest.items),
        skipped=[*rest.skipped, *(kept.skipped if validation else [])],
        digest=digest_of(train, held),
    )


def word_symbols(config: Config) -> Symbols:
    """The only symbol of a detector: its word."""
    word = Symbols((), config.lowercase).clean(config.detect)
    if not word:
        raise OptionError("`detect` is blank; give a word that is among the transcripts")
    return Symbols((word,), config.lowercase, words=True)


def _opened(data: Sequence[Any], config: Config) -> Recordings:
    return open_recordings(data, config.encoding, config.columns, config.header, noise=True)


def of_word_or_not(found: Recordings, symbols: Symbols) -> Recordings:
    """Recordings without those in which the word is one among others: when it ends there is not known."""
    word = symbols.names[0]
    unclear = [item for item in found.items if _among(word, symbols.clean(item.text))]
    if not unclear:
        return found
    told = f"{len(unclear):,} recordings that say {word!r} among other words, as {unclear[0].name}: when it ends in "
    rest = [item for item in found.items if not _among(word, symbols.clean(item.text))]
    return Recordings(found.name, rest, [*found.skipped, f"{told}them is not known"])


def _among(word: str, text: str) -> bool:
    return word != text and f" {word} " in f" {text} "


def is_word(item: Recording, symbols: Symbols) -> bool:
    """Whether a recording is of the word alone."""
    return symbols.clean(item.text) == symbols.names[0]


def numbers(items: Sequence[Recording], symbols: Symbols) -> list[Tokens]:
    """What stands for each transcript: the word's number, or nothing."""
    return [np.full(int(is_word(item, symbols)), WORD, np.int32) for item in items]


def require_enough(found: Recordings, symbols: Symbols, words: int, others: int) -> None:
    """Refuse recordings of which too few are of the word, or are not.

    Raises:
        RecurraError: if so.
    """
    word = symbols.names[0]
    count = sum(is_word(item, symbols) for item in found.items)
    if not count:
        texts = Counter(symbols.clean(item.text) for item in found.items)
        names = [repr(text[:40]) for text, _ in texts.most_common(LISTED) if text]
        more = f" and {len(texts) - LISTED:,} more" if len(texts) > LISTED else ""
        raise RecurraError(
            f"none of the {len(found.items):,} recordings of {found.name} is of {word!r}; they are of "
            f"{', '.join(names) or 'noise'}{more}; name one of these, or add recordings of it"
        )
    if count < words:
        raise RecurraError(f"{found.name} has {count} recordings of {word!r}; at least {words} are needed")
    if len(found.items) - count < others:
        raise RecurraError(
            f"{found.name} has {len(found.items) - count} recordings without {word!r}; at least {others} are needed to "
            "tell it from other sound: add folders of other words, of what resembles it, or of noise"
        )


def _divided(found: Recordings, symbols: Symbols, seed: int) -> tuple[Recordings, Recordings]:
    """A part drawn for validation, of the word and of others alike, and the rest."""
    random, held = np.random.default_rng(seed), set[int]()
    for wanted in (True, False):
        group = [number for number, item in enumerate(found.items) if is_word(item, symbols) == wanted]
        count = max(MIN_VALIDATION, round(VALIDATION_SHARE * len(group)))
        held |= set(random.choice(group, count, replace=False).tolist())
    rest = [item for number, item in enumerate(found.items) if number not in held]
    kept = [item for number, item in enumerate(found.items) if number in held]
    name = f"{len(kept):,} recordings of {found.name}, drawn at random"
    return Recordings(found.name, rest, found.skipped), Recordings(name, kept, [])


def _measured(train: Part, config: Config) -> Normalization:
    """Mean and variance of the features of streams, which are what the network hears."""
    mixer = Mixer(train, config)
    randoms = [np.random.default_rng([config.seed, number]) for number in range(MEASURED_STREAMS)]
    return measure([with_floor(mixer.draw(random).samples, 0) for random in randoms], config)


def describe_detector(data: Data) -> tuple[str, ...]:
    """What a person is told of recordings, lines."""
    words, others = (sum(bool(len(s)) == wanted for s in data.train.symbols) for wanted in (True, False))
    return (
        *(f"left out: {reason}" for reason in data.skipped),
        f"{data.train.name}: {words:,} recordings of {data.symbols.names[0]!r} and {others:,} others to learn from, "
        f"{data.seconds / 60:,.1f} minutes; {len(data.validation):,} for validation",
    )
