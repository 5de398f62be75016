"""A text model as a scorer of what a speech model writes: characters by characters, or word by word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from recurra.arrays import DoubleArray, IntArray
from recurra.data.tokenizer import SPACED, Tokenizer
from recurra.decoding.sampling import TokenStep
from recurra.errors import OptionError
from recurra.tasks.speech.scorer import LanguageScorer, Scorer, Stream, log_softmax
from recurra.tasks.speech.symbols import BLANK, Symbols


class TextModel(Protocol):
    """A model of the text task, whatever it is computed with: its tokenizer, and its steps."""

    vocabulary: Tokenizer

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The step for one stream of tokens, and the state before any."""


def text_scorer(model: TextModel, symbols: Symbols) -> Scorer:
    """What a text model says of symbols, each text read as a line or a document of its own.

    Raises:
        OptionError: if the model's tokens are words and the symbols are characters without a space between words.
    """
    tokenizer = model.vocabulary
    stream = Stream(*model.stream_step(), tokenizer.size)
    begin = _begin(tokenizer)
    if symbols.words:
        tokens = [tokenizer.encode(" " + name).tolist() for name in symbols.names]
    elif tokenizer.kind not in SPACED:
        tokens = [tokenizer.encode(name).tolist() for name in symbols.names]
    elif symbols.space is None:
        raise OptionError(
            f"the language model's tokens are {tokenizer.kind}, and the speech model writes no spaces between words; "
            "take a language model of characters"
        )
    else:
        return WordScorer(stream, tokenizer, symbols, begin)
    known = [[] if tokenizer.unknown in each else each for each in tokens]
    return LanguageScorer(stream, [[], *known], begin, begin)


def _begin(tokenizer: Tokenizer) -> int:
    """The token before a text and after it: the boundary of documents, or a line end.

    Raises:
        OptionError: if there is neither.
    """
    if tokenizer.boundary is not None:
        return tokenizer.boundary
    tokens = tokenizer.encode("\n").tolist()
    if len(tokens) != 1 or tokens[0] == tokenizer.unknown:
        raise OptionError(
            "the language model knows no line ends; train it on a text with a sentence in each line, or with "
            "`documents` lines"
        )
    return int(tokens[0])


class _Spelling(NamedTuple):
    """Where `WordScorer` stands.

    Attributes:
        state: the model's, after the words that are complete.
        log_probs: of the next token, `(tokens,)`, nats.
        letters: of the word that is being spelt.
        after: the same after that word, and what it costs; None for no letters.
    """

    state: Any
    log_probs: DoubleArray
    letters: str
    after: tuple[Any, DoubleArray, float] | None


class WordScorer:
    """A language model of words or subwords, asked for characters: see `Scorer`.

    Within a word all characters cost nothing; the space after it, or the end, costs what the word does. A word that is
    unknown to the model costs as much as the unknown token, spread evenly over as many words as the model knows.

    Args:
        model: the language model.
        tokenizer: its tokens.
        symbols: characters, the space between words among them.
        begin: the token before a text and after it.
    """

    def __init__(self, model: Stream, tokenizer: Tokenizer, symbols: Symbols, begin: int) -> None:
        if symbols.space is None:
            raise ValueError("there is no space between words")
        self._step, self._first = model.step, model.first
        self._tokenizer = tokenizer
        self._symbols = symbols
        self._space = symbols.space
        self._begin = begin

    def start(self) -> tuple[DoubleArray, Any]:
        """See `Scorer`."""
        spelling = _Spelling(*self._read(self._begin, self._first), "", None)
        return self._row(spelling), spelling

    def extend(self, states: Sequence[Any], symbols: IntArray) -> tuple[DoubleArray, Sequence[Any]]:
        """See `Scorer`."""
        after = [self._after(state, symbol) for state, symbol in zip(states, symbols.tolist(), strict=True)]
        return np.array([self._row(spelling) for spelling in after]), after

    def finish(self, states: Sequence[Any]) -> DoubleArray:
        """See `Scorer`."""
        costs = []
        for spelling in states:
            _, log_probs, cost = spelling.after or (None, spelling.log_probs, 0.0)
            costs.append(cost + log_probs[self._begin])
        return np.array(costs)

    def _after(self, spelling: _Spelling, symbol: int) -> _Spelling:
        if symbol == self._space:
            state, log_probs, _ = spelling.after or (spelling.state, spelling.log_probs, 0.0)
            return _Spelling(state, log_probs, "", None)
        letters = spelling.letters + self._symbols.names[symbol - 1]
        return spelling._replace(letters=letters, after=self._word(spelling, letters))

    def _word(self, spelling: _Spelling, letters: str) -> tuple[Any, DoubleArray, float]:
        """The model after a word, and the word's log-probability."""
        state, log_probs, cost = spelling.state, spelling.log_probs, 0.0
        for token in self._tokenizer.encode(" " + letters).tolist():
            cost += float(log_probs[token])
            if token == self._tokenizer.unknown:
                cost -= math.log(self._tokenizer.size)
            log_probs, state = self._read(token, state)[::-1]
        return state, log_probs, cost

    def _read(self, token: int, state: Any) -> tuple[Any, DoubleArray]:
        logits, state = self._step(token, state)
        return state, log_softmax(logits)

    def _row(self, spelling: _Spelling) -> DoubleArray:
        """What the symbols that may come next cost, `(symbols,)`: the space what the word before it does."""
        row = np.zeros(self._symbols.size)
        row[BLANK] = -math.inf
        row[self._space] = spelling.after[2] if spelling.after else 0.0
        return row
