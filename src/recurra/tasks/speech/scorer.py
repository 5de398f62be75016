"""Language models as a prefix search asks them: what may come next after many prefixes at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.decoding.sampling import TokenStep
from recurra.errors import OptionError


class Stream(NamedTuple):
    """A language model of text, for one stream of tokens.

    Attributes:
        step: from a token and a state to the next token's logits `(size,)` and the new state.
        first: the state before any token.
        size: tokens there are.
    """

    step: TokenStep[Any]
    first: Any
    size: int


class Scorer(Protocol):
    """A language model of symbols. A state is whatever it likes, and is never changed.

    Scores are log-probabilities in nats, -inf for what cannot come; nothing demands that they add up to 1. A model of
    words gives 0 for the symbols within a word, and what it thinks of the word at the separator and at the end.
    """

    def start(self) -> tuple[DoubleArray, Any]:
        """Of each symbol that may come first, `(symbols,)`, and the state before it."""

    def extend(self, states: Sequence[Any], symbols: IntArray) -> tuple[DoubleArray, Sequence[Any]]:
        """Go on from each state by one symbol, `(count,)`.

        Returns:
            Of each symbol that may come next, `(count, symbols)`, and the new states.
        """

    def finish(self, states: Sequence[Any]) -> DoubleArray:
        """Of the text's end after each state, `(count,)`."""


def log_softmax(logits: FloatArray) -> DoubleArray:
    """The log-probabilities of logits, `(tokens,)`, nats."""
    shifted: DoubleArray = logits.astype(np.float64) - float(logits.max())
    return shifted - math.log(np.exp(shifted).sum())


class _Read(NamedTuple):
    """Where `LanguageScorer` stands.

    Attributes:
        state: the model's.
        log_probs: of the next token, `(tokens,)`, nats.
        owed: what the symbol before costs for all its tokens but the first, nats.
    """

    state: Any
    log_probs: DoubleArray
    owed: float


class LanguageScorer:
    """A recurrent language model of text, asked for symbols.

    A symbol may be several tokens ("ch" is c and h). What the first of them costs is known before; what the others
    cost is charged with the next symbol, or at the end, so that a whole text has its right score. A symbol that the
    model has no tokens for costs as much as an even chance among all tokens, and is not read.

    Args:
        model: the language model.
        tokens: the tokens of each symbol; those of the blank are not used.
        begin: the token that is read before the text: the one that ends a document, or a line end.
        end: the token that ends the text; None if the end costs nothing.

    Raises:
        OptionError: if there is a token that the model does not have.
    """

    def __init__(self, model: Stream, tokens: Sequence[Sequence[int]], begin: int, end: int | None = None) -> None:
        size = model.size
        for token in [begin, *([] if end is None else [end]), *(token for symbol in tokens for token in symbol)]:
            if not 0 <= token < size:
                raise OptionError(f"the language model has {size} tokens, but a symbol would be token {token}")
        self._step, self._state = model.step, model.first
        self._tokens = tokens
        self._unknown = np.array([not symbol for symbol in tokens])
        self._first = np.array([symbol[0] if symbol else 0 for symbol in tokens], np.int64)
        self._even = -math.log(size)
        self._begin, self._end = begin, end

    def start(self) -> tuple[DoubleArray, Any]:
        """See `Scorer`."""
        read = self._read(self._begin, self._state, 0.0)
        return self._row(read), read

    def extend(self, states: Sequence[Any], symbols: IntArray) -> tuple[DoubleArray, Sequence[Any]]:
        """See `Scorer`."""
        after = [self._after(state, symbol) for state, symbol in zip(states, symbols.tolist(), strict=True)]
        return np.array([self._row(read) for read in after]), after

    def finish(self, states: Sequence[Any]) -> DoubleArray:
        """See `Scorer`."""
        return np.array([read.owed + (0.0 if self._end is None else read.log_probs[self._end]) for read in states])

    def _after(self, read: _Read, symbol: int) -> _Read:
        """The state after one more symbol, whose first token is paid for."""
        read = read._replace(owed=0.0)
        for number, token in enumerate(self._tokens[symbol]):
            owed = read.owed + (float(read.log_probs[token]) if number else 0.0)
            read = self._read(token, read.state, owed)
        return read

    def _read(self, token: int, state: Any, owed: float) -> _Read:
        logits, state = self._step(token, state)
        return _Read(state, log_softmax(logits), owed)

    def _row(self, read: _Read) -> DoubleArray:
        """The scores of the symbols that may come next, `(symbols,)`."""
        row: DoubleArray = read.owed + np.where(self._unknown, self._even, read.log_probs[self._first])
        return row
