"""Tokens on disk, and batches of them as a pure function of the step, so that a resumed run sees the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.data.corpus import Block
from recurra.data.tokenizer import Tokenizer, Tokens
from recurra.errors import os_errors


@dataclass(frozen=True)
class TokenFile:
    """What was written by `write_tokens`: `(length,)` tokens in a flat binary file, to be mapped into memory.

    Attributes:
        path: the file.
        dtype: NumPy name of the tokens' type, as narrow as the vocabulary allows.
        length: number of tokens.
        unknown: how many of them are the unknown token.
        documents: how many documents they are, each between two boundaries; 0 if these are not told apart.
        sha256: of the file's bytes; tells whether a resumed run has the same data.
    """

    path: Path
    dtype: str
    length: int
    unknown: int
    documents: int
    sha256: str

    def open(self) -> Tokens:
        """The tokens, mapped: nothing is read before it is used."""
        if self.length == 0:
            return np.zeros(0, dtype=self.dtype)
        return np.memmap(self.path, dtype=self.dtype, mode="r", shape=(self.length,))


def encode_beginning(blocks: Iterable[Block], tokenizer: Tokenizer, length: int) -> Tokens:
    """The first so many tokens of a text, fewer if it has not more."""
    parts: list[Tokens] = []
    missing = length
    for block in blocks:
        parts.append(_encode(block, tokenizer)[:missing])
        missing -= len(parts[-1])
        if not missing:
            break
    return np.concatenate(parts)


def _encode(block: Block, tokenizer: Tokenizer) -> Tokens:
    return np.array([tokenizer.boundary]) if block is None else tokenizer.encode(block)


def write_tokens(blocks: Iterable[Block], tokenizer: Tokenizer, path: Path) -> TokenFile:
    """Encode a text block by block into a file; memory does not grow with the text.

    Args:
        blocks: the text, as `Corpus.blocks` gives it.
        tokenizer: has a boundary, if there is a None among the blocks.
        path: the file.
    """
    dtype = "uint8" if tokenizer.size <= 2**8 else "uint16" if tokenizer.size <= 2**16 else "uint32"
    digest = hashlib.sha256()
    length = unknown = boundaries = 0
    with os_errors("writing", path), open(path, "wb") as file:
        for block in blocks:
            tokens = _encode(block, tokenizer).astype(dtype)
            length += len(tokens)
            boundaries += block is None
            if tokenizer.unknown is not None:
                unknown += int((tokens == tokenizer.unknown).sum())
            data = tokens.tobytes()
            digest.update(data)
            file.write(data)
    return TokenFile(path, dtype, length, unknown, max(0, boundaries - 1), digest.hexdigest())


RESTART = 1 / 64
"""Without any restarts a model of a large corpus would never again see the beginning of a text, where every use of it
starts, and can end up in a state that it does not come out of."""


class Batch(NamedTuple):
    """A step's share of the data: `inputs` and `targets` `(rows, sequence_length)`; which rows' state is `carried`,
    `(rows,)`.
    """

    inputs: IntArray
    targets: IntArray
    carried: BoolArray


@dataclass(frozen=True)
class Streams:
    """A long sequence read as `batch_size` streams side by side, a sequence at a time (truncated back-propagation).

    Each row of a batch goes on where the same row of the last batch stopped, so the recurrent state is carried from
    one to the next; at the start of a pass over the data (an epoch), and for a row now and then, it begins afresh. The
    borders of the sequences shift from epoch to epoch.

    Attributes:
        tokens: `(length,)`.
        batch_size: rows of a whole batch, all processes together.
        sequence_length: time steps in a batch.
        seed: of shifts and restarts.
        restart: chance of a row to begin a step from an empty state.
    """

    tokens: Tokens
    batch_size: int
    sequence_length: int
    seed: int = 0
    restart: float = RESTART

    def __post_init__(self) -> None:
        if self.stream_length < 2 * self.sequence_length:
            raise ValueError(
                f"{len(self.tokens)} tokens are too few for {self.batch_size} rows of {self.sequence_length} steps"
            )

    @property
    def stream_length(self) -> int:
        """Predictions in one stream; the last token of all is only ever a target."""
        return (len(self.tokens) - 1) // self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the data."""
        return (self.stream_length - self.sequence_length + 1) // self.sequence_length

    def batch(self, step: int, rows: slice) -> Batch:
        """The batch of one step.

        Args:
            step: counted from 0 over all epochs.
            rows: which rows of the whole batch (a process's share).
        """
        epoch, index = divmod(step, self.steps_per_epoch)
        spare = self.stream_length - self.steps_per_epoch * self.sequence_length
        shift = int(np.random.default_rng([self.seed, epoch]).integers(spare + 1))
        carried = np.random.default_rng([self.seed, step, 1]).random(self.batch_size) >= self.restart
        carried &= index > 0
        starts = np.arange(self.batch_size)[rows] * self.stream_length + shift + index * self.sequence_length
        both = self.cut(starts, epoch)
        return Batch(both[:, :-1], both[:, 1:], carried[rows])

    def cut(self, starts: IntArray, epoch: int) -> IntArray:
        """The tokens from some places on, `(rows, sequence_length + 1)`, as they are in one pass over the data."""
        return np.stack([self.tokens[start : start + self.sequence_length + 1] for start in starts]).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class VariedStreams(Streams):
    """Streams of many pieces, of which each pass reads one of several variants, such as transpositions.

    Attributes:
        begins: where each piece begins, `(pieces,)`, ascending from 0.
        variants: what stands for each token in each variant, `(variants, vocabulary_size)`; all are equally likely.
    """

    begins: IntArray
    variants: IntArray

    def cut(self, starts: IntArray, epoch: int) -> IntArray:
        """As in `Streams`, each piece in the variant that this pass drew for it."""
        chosen = np.random.default_rng([self.seed, epoch, 2]).integers(len(self.variants), size=len(self.begins))
        indices = starts[:, None] + np.arange(self.sequence_length + 1)
        piece = np.searchsorted(self.begins, indices, side="right") - 1
        varied: IntArray = self.variants[chosen[piece], super().cut(starts, epoch)]
        return varied
