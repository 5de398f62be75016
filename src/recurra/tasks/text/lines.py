"""What a model makes of a text line by line."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import DoubleArray
from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import Tokenizer, Tokens


class ScoredLine(NamedTuple):
    """A line of a text.

    Attributes:
        number: from 1.
        pieces: the text of each token that is predicted, a line end among them; empty where a character is not
            complete, and at the end of a document.
        log_probs: of these tokens, nats.
    """

    number: int
    pieces: list[str]
    log_probs: list[float]

    @property
    def nats(self) -> float:
        """Summed -log p of the tokens."""
        return -sum(self.log_probs)


def by_line(tokenizer: Tokenizer, tokens: Tokens, log_probs: DoubleArray) -> list[ScoredLine]:
    """The tokens of a text by line; the end of a document ends a line too, if there is one.

    Args:
        tokenizer: what made the tokens.
        tokens: `(length,)`; the first is given, not predicted.
        log_probs: of the others, `(length - 1,)`, nats.
    """
    decode = tokenizers.decoder(0)
    first = decode(tokenizer.piece(int(tokens[0])))
    lines = [ScoredLine(1 + first.count("\n"), [], [])]
    for token, log_prob in zip(tokens[1:].tolist(), log_probs.tolist(), strict=True):
        text = decode(tokenizer.piece(token))
        lines[-1].pieces.append(text)
        lines[-1].log_probs.append(log_prob)
        if "\n" in text or (token == tokenizer.boundary and "".join(lines[-1].pieces)):
            lines.append(ScoredLine(lines[-1].number + max(text.count("\n"), 1), [], []))
    return lines if lines[-1].pieces else lines[:-1]
