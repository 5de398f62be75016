"""What can be chosen about a text model, and what is chosen if nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Range, fill_in
from recurra.data.corpus import Documents
from recurra.data.tokenizer import TokenKind
from recurra.models.architecture import NO_NGRAMS, Architecture
from recurra.training.options import DEFAULT_MINUTES, StreamTraining, fit_streams

MAX_EPOCHS = 60
"""More passes over a text than this only make a model learn it by heart; a run that is given more time ends earlier."""

Preset = Literal["tiny", "small", "medium", "large"]

_RECIPES: dict[Preset, dict[str, Any]] = {
    "tiny": dict(
        hidden_size=160, embedding_size=32, dropout=0.0, batch_size=16, sequence_length=24, learning_rate=1e-2
    ),
    "small": dict(
        hidden_size=256, embedding_size=32, dropout=0.0, batch_size=32, sequence_length=64, learning_rate=8e-3
    ),
    "medium": dict(
        hidden_size=384, embedding_size=64, dropout=0.25, batch_size=32, sequence_length=64, learning_rate=6e-3
    ),
    "large": dict(
        hidden_size=640, embedding_size=64, dropout=0.4, batch_size=32, sequence_length=128, learning_rate=4e-3
    ),
}
"""What is best for a megabyte of text and seconds, a minute, five minutes and half an hour on two cores."""

_WITH_NGRAMS: dict[Preset, dict[str, Any]] = {
    "tiny": dict(ngram_dropout=0.2),
    "small": dict(hidden_size=192, batch_size=16),
    "medium": {},
    "large": {},
}
"""What is better with n-grams, which know what the larger network takes a minute to learn."""

MANY_TOKENS = 512
"""A vocabulary beyond this (Chinese, words, subwords) gets larger embeddings, which are the output layer too."""

NGRAMS = 4
"""The longest n-grams embedded of characters and bytes of a text that is not small; longer ones cost more than they
bring, and of larger vocabularies too many are rare."""

SMALL, LARGE = 200_000, 5_000_000
"""Texts of fewer tokens than the first are learned by heart without more dropout; of more than the second, never."""

VOCABULARY_SIZES: dict[TokenKind, int] = {"characters": 20_000, "bytes": 256, "words": 30_000, "subwords": 4_000}


@dataclass(frozen=True)
class Config(Architecture, StreamTraining):
    """Everything that can be chosen about a text model."""

    group: ClassVar[str] = "data"

    preset: Preset | None = None
    """Defaults for training and network, from fast to good; chosen by --minutes if not given."""
    tokens: TokenKind = "characters"
    """What text is made of."""
    vocabulary_size: Annotated[int | None, Range(2, 2**20)] = None
    """Largest number of tokens; the rarest become the unknown one."""
    min_count: Annotated[int, Range(1, 2**31)] = 2
    """What occurs less often than this becomes the unknown token."""
    encoding: str = "utf-8"
    """How the corpus encodes text."""
    documents: Documents = "auto"
    """What is a document, with an end of its own; auto: rows of JSONL, files if there are several."""
    columns: str = ""
    """The key of the text in JSONL; found by what it is called if not given."""
    freeze_embeddings: bool = False
    """Keep the vectors that --embeddings gave as they are."""


def resolve(config: Config, length: int, vocabulary_size: int) -> Config:
    """Fill in what was not given, by preset and data.

    Args:
        config: as the user gave it.
        length: tokens to train on.
        vocabulary_size: distinct tokens.
    """
    preset = config.preset or _preset_for(config)
    recipe = _RECIPES[preset] | NO_NGRAMS
    if length >= SMALL and vocabulary_size <= MANY_TOKENS and config.ngrams not in (0, 1):
        recipe |= {"ngrams": NGRAMS} | _WITH_NGRAMS[preset]
    if vocabulary_size > MANY_TOKENS:
        recipe |= {"embedding_size": 256, "learning_rate": min(recipe["learning_rate"], 4e-3)}
    if length < SMALL:
        few = {"hidden_size": min(recipe["hidden_size"], 256), "dropout": max(recipe["dropout"], 0.4)}
        recipe |= few | {"batch_size": 8}
    elif length > LARGE:
        recipe |= {"dropout": 0.0, "ngram_dropout": 0.0}
    tied = vocabulary_size > MANY_TOKENS and not config.freeze_embeddings
    recipe |= dict(preset=preset, num_layers=1, forget_bias=-1.0, weight_decay=0.1, tied=tied)
    config = fill_in(config, **recipe, vocabulary_size=VOCABULARY_SIZES[config.tokens])
    config = fill_in(config, ngram_size=config.embedding_size)
    return fit_streams(config, length, MAX_EPOCHS)


def _preset_for(config: Config) -> Preset:
    """By the time there is; a run of a given number of steps is taken for one of the default length."""
    minutes = config.minutes or DEFAULT_MINUTES
    return "tiny" if minutes <= 0.25 else "small" if minutes <= 2 else "medium" if minutes <= 15 else "large"
