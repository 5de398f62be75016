"""What can be chosen about a captions model, and what is chosen if nothing is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Derived, Range, fill_in, required
from recurra.data.columns import Header
from recurra.data.tokenizer import TokenKind
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.tasks.captions.pictures import How
from recurra.training.options import Training, limited

MAX_EPOCHS = 200
"""More passes over the pictures than this only make a model learn them by heart."""

SPARE = 4
"""A caption may have so many tokens more than the longest that was learned from."""

EncoderName = Literal[
    "small", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "efficientnet-lite0", "transformers"
]

SMALL_SIZE = 64
"""Width and height in pixels that the small encoder reads if nothing is said."""

_RECIPE: dict[str, Any] = dict(
    **dict(hidden_size=128, num_layers=1, embedding_size=64, attention_size=48, forget_bias=0.0, tied=False),
    **dict(image_size=SMALL_SIZE, dropout=0.0, word_dropout=0.0, learning_rate=4e-3, weight_decay=0.01, batch_size=32),
)


@dataclass(frozen=True)
class CaptionTraining(Training):
    """How a captions model is trained: on batches of pictures, one caption of each, drawn anew every time."""

    group: ClassVar[str] = "training"

    batch_size: Annotated[int | None, Range(1, 65536)] = None
    """Pictures in a batch, all processes together."""
    clip_norm: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    average: Annotated[float, Range(0.0, 1.0)] = 0.2
    """Share of the run, at its end, whose evaluated weights are averaged."""
    label_smoothing: Annotated[float, Range(0.0, 0.9)] = 0.0
    """Share of the target probability that is spread evenly over all tokens."""
    tune_rate: Annotated[float, Range(0.0, 1.0)] = 0.03
    """Of the learning rate, what a backbone is tuned with."""
    doubly_stochastic: Annotated[float, Range(0.0, 1000.0)] = 0.0
    """How much it costs that not every position gets the same attention in all; 1 in Show, Attend and Tell."""


@dataclass(frozen=True)
class Config(EncoderDecoderArchitecture, CaptionTraining):
    """Everything that can be chosen about a captions model."""

    group: ClassVar[str] = "data"
    may_be_none: ClassVar[frozenset[str]] = CaptionTraining.may_be_none | {"backbone"}

    encoder: EncoderName = "small"
    """What reads pictures: a small network trained from nothing, or a backbone that others have trained."""
    weights: str = ""
    """File with the weights of the backbone; of transformers the folder of a model."""
    tune: bool = False
    """Train the backbone too; it is frozen if not given, and reads each picture only once."""
    cache: str = ""
    """Folder for the features of a frozen backbone, kept for other runs; the run's own if not given."""
    backbone: Annotated[dict[str, Any] | None, Derived] = None
    """What the backbone is, as `backbones.rebuild` takes it; None for the small encoder."""
    channels: Annotated[int, Range(4, 4096)] = 96
    """Features of a position in the small encoder."""
    summary: bool = False
    """Begin a caption with the mean of all positions, where the decoder attends too; without attention it always is."""
    image_size: Annotated[int | None, Range(16, 1024)] = None
    """Width and height in pixels that pictures are brought to; 64, or as the backbone was trained, if not given."""
    fit: How = "stretch"
    """How: stretch, crop to the middle, or pad with white."""
    tokens: TokenKind = "words"
    """What captions are made of."""
    vocabulary_size: Annotated[int, Range(2, 2**20)] = 10_000
    """Largest number of tokens in the vocabulary; the rarest become the unknown one."""
    min_count: Annotated[int, Range(1, 2**31)] = 2
    """What occurs less often than this becomes the unknown token."""
    lowercase: bool = True
    """Bring captions to small letters."""
    longest: Annotated[int, Range(1, 1000)] = 60
    """Captions with more tokens than this are not trained on."""
    max_tokens: Annotated[int | None, Range(1, 2000)] = None
    """Longest caption that is written; a little more than the longest learned from if not given."""
    images: str = ""
    """Folder with the pictures, where it is not beside the captions file."""
    encoding: str = "utf-8"
    """How the captions file encodes text."""
    columns: str = ""
    """Columns or keys of a table to read as file,caption: names or numbers."""
    header: Header = "auto"
    """Whether the first line of a table names its columns; judged by its contents if not given."""


def resolve(config: Config, pictures: int, longest: int) -> Config:
    """Fill in what was not given.

    Args:
        config: as the user gave it.
        pictures: to learn from.
        longest: of their captions, in tokens.
    """
    config = fill_in(config, **_RECIPE | dict(max_tokens=longest + SPARE))
    size = min(required(config.batch_size, "batch_size"), pictures)
    return limited(replace(config, batch_size=size), MAX_EPOCHS * max(1, pictures // size))
