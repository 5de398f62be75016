"""A text, and what may come next in it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from recurra.arrays import IntArray
from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import Tokenizer
from recurra.decoding.sampling import Sampling, TokenStep, read, sample_tokens


class WrittenToken(NamedTuple):
    """A token of written text: its text, empty where a character is not complete yet, and its log-probability, nats."""

    text: str
    token: int
    log_prob: float


class Steps(Protocol):
    """What a text model is here: its tokens, and its network one step at a time."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back."""

    @property
    def compiled(self) -> bool:
        """Whether tokens are drawn with compiled code."""

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step, and its state before any input."""


class GrowingText:
    """A text that a model has read, and that grows token by token.

    Args:
        model: what knows which tokens may come next.
        prompt: what the text begins with.
    """

    def __init__(self, model: Steps, prompt: str) -> None:
        self.tokenizer, self._compiled = model.tokenizer, model.compiled
        self._step, state = model.stream_step()
        start = tokenizers.read_prompt(self.tokenizer, prompt)
        self._logits, self._state = read(self._step, [int(token) for token in start.tokens], state)
        self._suppressed: IntArray = start.suppressed
        self._prompt, self._held, self._written = prompt, len(start.held), b""

    @property
    def text(self) -> str:
        """What stands so far."""
        return self._prompt + self._after(b"")

    def candidates(self, count: int) -> list[WrittenToken]:
        """The most probable next tokens, the most probable first; an end of the document has no text."""
        logits = self._logits.astype(np.float64)
        own = logits - np.logaddexp.reduce(logits)
        own[self._suppressed] = -np.inf
        best = [int(token) for token in np.argsort(-own, kind="stable")[:count] if np.isfinite(own[token])]
        stands = len(self._after(b""))
        return [
            WrittenToken(self._after(self.tokenizer.piece(token))[stands:], token, float(own[token])) for token in best
        ]

    def draw(self, sampling: Sampling, generator: np.random.Generator) -> int:
        """A next token, drawn; the text stays as it is."""
        drawn = sample_tokens(
            self._step, self._logits, self._state, sampling, generator, lambda _: self._suppressed, self._compiled
        )
        return next(drawn).token

    def add(self, token: int) -> None:
        """Go on by a token."""
        self._written += self.tokenizer.piece(token)
        self._logits, self._state = self._step(token, self._state)
        unknown = self.tokenizer.unknown
        self._suppressed = np.array([] if unknown is None else [unknown], dtype=np.int64)

    def _after(self, piece: bytes) -> str:
        """What was written after the prompt and `piece`, as far as its characters are complete."""
        return tokenizers.decoder(self._held)(self._written + piece)
