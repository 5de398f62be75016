"""What can be chosen about a translation model, and what is chosen if nothing is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from recurra.config import Range, fill_in, required
from recurra.data.buckets import Buckets
from recurra.data.columns import Header
from recurra.data.placeholders import AUTO
from recurra.data.tokenizer import TokenKind
from recurra.data.vocabulary import Sequences
from recurra.errors import OptionError
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.training.options import PairTraining, limited

MAX_TOKENS = 1000
"""A sentence of more tokens than this is not translated: it is not one."""

MAX_EPOCHS = 200
"""More passes over the pairs than this only make a model learn them by heart; a run that is given more time ends
earlier."""

SPARE = 20
"""An output may have so many tokens more than `max_ratio` allows."""

UNUSUAL = 3.0
"""A pair whose target is more than so many times as long as is usual is taken for a mistake in the data, and does not
make all outputs longer."""

_EXACT = dict(hidden_size=128, embedding_size=64, dropout=0.0, word_dropout=0.0, label_smoothing=0.0)

_RECIPES: dict[TokenKind, dict[str, Any]] = {
    "characters": _EXACT,
    "bytes": _EXACT,
    "words": dict(hidden_size=256, embedding_size=128, dropout=0.2, word_dropout=0.0, label_smoothing=0.0),
    "subwords": dict(
        hidden_size=256,
        embedding_size=256,
        dropout=0.25,
        word_dropout=0.0,
        label_smoothing=0.1,
        learning_rate=2e-3,
    ),
}
"""Subwords are for vocabularies, of which one never sees enough; letters are for what can be learned to the last
one."""


@dataclass(frozen=True)
class Config(EncoderDecoderArchitecture, PairTraining):
    """Everything that can be chosen about a translation model."""

    group: ClassVar[str] = "data"

    tokens: TokenKind = "subwords"
    """What sentences are made of."""
    target_tokens: TokenKind | None = None
    """What the target is made of, if not the same: --target-tokens words for sounds that spaces part."""
    joint: bool | None = None
    """One vocabulary and embedding for both sides; the default if both are of subwords or of bytes."""
    vocabulary_size: Annotated[int | None, Range(2, 2**20)] = None
    """Largest number of tokens in a vocabulary; the rarest become the unknown one."""
    min_count: Annotated[int, Range(1, 2**31)] = 2
    """What occurs less often than this on a side becomes the unknown token."""
    longest: Annotated[int, Range(1, MAX_TOKENS)] = 200
    """Pairs with more tokens than this on a side are not trained on."""
    max_ratio: Annotated[float | None, Range(0.0, 1000.0)] = None
    """Longest output, in tokens for each source token, plus 20; chosen by the pairs if not given."""
    keep: str = AUTO
    """What is copied as it is, a regular expression; auto: numbers, %s, {name}, tags, URLs if the pairs do; none."""
    copy_words: bool = False
    """Copy words that were never seen too; learned by hiding a part of the words that both sides share."""
    encoding: str = "utf-8"
    """How the files of pairs encode text."""
    columns: str = ""
    """Columns or keys of a table to read as source,target: names or numbers, joined with a plus."""
    header: Header = "auto"
    """Whether the first line of a table names its columns; judged by its contents if not given."""
    freeze_embeddings: bool = False
    """Keep the vectors that --embeddings gave as they are."""
    freeze_target_embeddings: bool = False
    """Keep the vectors that --target-embeddings gave as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.joint and self.target_tokens not in (None, self.tokens):
            raise OptionError(
                f"`joint` is one vocabulary for both sides, but `tokens` is {self.tokens} and `target_tokens` is "
                f"{self.target_tokens}; leave one of them out"
            )


def resolve(config: Config, pairs: Sequences) -> Config:
    """Fill in what was not given, by the pairs.

    Args:
        config: with the vocabularies' options, as `read_data` gives it.
        pairs: to train on.
    """
    lengths = pairs.lengths()
    usual = lengths[:, 1].sum() / lengths[:, 0].sum()
    largest = ((lengths[:, 1] - SPARE) / lengths[:, 0]).max()
    ratio = float(np.clip(largest, usual, UNUSUAL * usual))
    recipe: dict[str, Any] = dict(num_layers=1, forget_bias=0.0, learning_rate=4e-3, weight_decay=0.01)
    recipe |= dict(tied=not config.freeze_target_embeddings)
    recipe |= dict(batch_size=1000, max_ratio=math.ceil(10 * ratio) / 10)
    config = fill_in(config, **recipe | _RECIPES[config.tokens])
    config = fill_in(config, attention_size=config.hidden_size)
    buckets = Buckets(lengths, required(config.batch_size, "batch_size"))
    return limited(config, MAX_EPOCHS * buckets.steps_per_epoch)
