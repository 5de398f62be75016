"""Sentence pairs as tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.config import fill_in, required
from recurra.data.tables import Pairs, open_pairs, split_validation
from recurra.data.tokenizer import TokenKind
from recurra.data.vocabulary import Sequences, VocabularyPair
from recurra.errors import RecurraError
from recurra.tasks.translation.config import MAX_TOKENS, Config

MIN_PAIRS = 10
"""Fewer pairs are refused: there is nothing to learn from them, and nothing to validate on."""

_VOCABULARY_SIZES: dict[TokenKind, int] = {"characters": 5_000, "bytes": 256, "words": 30_000}


def _vocabulary_size(kind: TokenKind, pairs: int) -> int:
    """The more pairs there are, the rarer the words that can be learned whole."""
    if kind == "subwords":
        return 4000 if pairs >= 5_000 else 2000
    return _VOCABULARY_SIZES[kind]


@dataclass(frozen=True)
class Data:
    """Sentence pairs as tokens.

    Attributes:
        name: where they came from.
        config: as it was given, with what decides on the vocabularies filled in.
        vocabularies: what made the tokens.
        train: to learn from.
        validation: to choose the best weights on.
        validation_name: what the validation part is, for the model card.
        left_out: sentences on what was left out.
    """

    name: str
    config: Config
    vocabularies: VocabularyPair
    train: Sequences
    validation: Sequences
    validation_name: str
    left_out: list[str]

    @property
    def digest(self) -> str:
        """Of all tokens, in their order."""
        digest = hashlib.sha256()
        for side in (*self.train, *self.validation):
            digest.update(np.concatenate(side).tobytes())
        return digest.hexdigest()


def read_data(
    sources: Sequence[str | Path],
    validation: Sequence[str | Path],
    config: Config,
    vocabularies: VocabularyPair | None = None,
) -> Data:
    """Read sentence pairs.

    Args:
        sources: a table, two parallel files, or a sample, see `open_pairs`.
        validation: likewise, to validate on; nothing cuts a part off.
        config: which tokens.
        vocabularies: existing ones, for a resumed run; None builds them.

    Raises:
        RecurraError: if the pairs cannot be read or are too few.
    """
    pairs = open_pairs(sources, config.encoding)
    if len(pairs) < MIN_PAIRS:
        raise RecurraError(f"there are {len(pairs)} pairs in {pairs.name}; at least {MIN_PAIRS} are needed to train on")
    train, other = (pairs, open_pairs(validation, config.encoding)) if validation else split_validation(pairs)
    name = other.name if validation else f"{len(other):,} pairs drawn from it"
    kind = config.tokens
    size = _vocabulary_size(kind, len(train))
    config = fill_in(config, joint=kind in ("subwords", "bytes"), vocabulary_size=size)
    if vocabularies is None:
        limit, joint = required(config.vocabulary_size, "vocabulary_size"), required(config.joint, "joint")
        vocabularies = VocabularyPair.build(kind, train.sources, train.targets, joint, limit, config.min_count)
    learned, long = encode_pairs(train, vocabularies, config.longest)
    kept, other_long = encode_pairs(other, vocabularies, MAX_TOKENS)
    left_out = [*pairs.skipped, *(other.skipped if validation else ())]
    if long:
        left_out.append(f"{long:,} pair(s) of more than {config.longest} {kind} a side (--longest)")
    if other_long:
        left_out.append(f"{other_long:,} validation pair(s) of more than {MAX_TOKENS} {kind} a side")
    return Data(pairs.name, config, vocabularies, learned, kept, name, left_out)


def encode_pairs(pairs: Pairs, vocabularies: VocabularyPair, longest: int) -> tuple[Sequences, int]:
    """Pairs as tokens, and how many were too long; not all may be."""
    sequences, long = vocabularies.encode(pairs.sources, pairs.targets, longest)
    if not sequences.sources:
        kind, remedy = vocabularies.source.tokenizer.kind, "" if longest == MAX_TOKENS else ", or a larger --longest"
        raise RecurraError(f"no pair of {pairs.name} has at most {longest} {kind} a side; give shorter ones{remedy}")
    return sequences, long


def describe(config: Config, data: Data) -> tuple[str, ...]:
    """What a person is told of the pairs, lines."""
    vocabularies, tokens = data.vocabularies, sum(map(len, data.train.targets))
    size = f"{vocabularies.source.size:,}"
    sizes = f"{size} for both sides" if vocabularies.joint else f"{size} and {vocabularies.target.size:,}"
    return (
        *(f"left out: {reason}" for reason in data.left_out),
        f"{data.name}: {len(data.train.sources):,} pairs with {tokens:,} target {config.tokens} to train on, "
        f"{len(data.validation.sources):,} for validation, vocabulary {sizes}",
        *_unknown(config, data),
    )


def _unknown(config: Config, data: Data) -> tuple[str, ...]:
    """How much of the validation pairs the vocabularies do not know; nothing if that is nothing."""
    source = data.vocabularies.source.unknown_share(data.validation.sources)
    target = data.vocabularies.target.unknown_share(data.validation.targets)
    if max(source, target) < 0.0005:
        return ()
    shares = f"{source:.1%} of the sources and {target:.1%} of the targets"
    return (f"read as the unknown token in the validation pairs: {shares} ({config.tokens})",)
