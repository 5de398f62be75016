"""Word vectors for the tokens of a tokenizer, where a task begins from an embeddings model."""

from __future__ import annotations

from pathlib import Path

from recurra.data.tokenizer import Tokenizer
from recurra.errors import OptionError
from recurra.models.pretrained import Pretrained


def word_vectors(folder: str | Path, tokenizer: Tokenizer) -> Pretrained:
    """The vectors of an embeddings model for the tokens of a tokenizer of words.

    Raises:
        OptionError: if its tokens are not words.
        RecurraError: see `Pretrained.read`.
    """
    if tokenizer.kind != "words":
        raise OptionError(
            f"`embeddings` are vectors of words, and the tokens are {tokenizer.kind}; take `tokens` words"
        )
    pieces = (tokenizer.piece(token) for token in range(tokenizer.size))
    return Pretrained.read(folder, [piece.decode("utf-8", "replace").strip(" ") for piece in pieces])


def require_fresh(embeddings: object, from_model: object) -> None:
    """Refuse vectors to begin from beside a whole model to begin from."""
    if embeddings is not None and from_model is not None:
        raise OptionError("`embeddings` gives a new model its vectors, and `from` all of its weights; give one of them")
