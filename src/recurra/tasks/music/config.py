"""What can be chosen about a music model, and what is chosen if nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Range, fill_in
from recurra.errors import OptionError
from recurra.models.architecture import NO_NGRAMS, Architecture
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.notation import MARGIN
from recurra.tasks.music.pieces import TICKS
from recurra.training.options import DEFAULT_MINUTES, StreamTraining, fit_streams

TokenKind = Literal["notes", "frames", "performance"]
"""See `notation` and `performance`."""

MAX_EPOCHS = 1000
"""More passes over the pieces than this only make a model learn them by heart."""

SMALL, LARGE = 200_000, 500_000
"""Collections of fewer tokens than the first need more dropout; of more than the second, no copies in other keys."""

TINY_MINUTES = 0.5
"""A run this short gets the smallest model."""


@dataclass(frozen=True)
class Config(Reading, Architecture, StreamTraining):
    """Everything that can be chosen about a music model."""

    group: ClassVar[str] = "data"

    tokens: TokenKind = "notes"
    """How music is written down: every note once, frame by frame (piano rolls), or as played, to the hundredth of a
    second (performance)."""
    frame: Annotated[int, Range(1, 48)] = TICKS
    """Length of a frame in twelfths of a quarter note: 12 is a quarter, 6 an eighth, 3 a sixteenth."""
    tracks: bool = True
    """Tell tracks (voices, instruments) apart; all play as one if not."""
    velocity: bool = False
    """Learn how loud each note is too."""
    transpose: Annotated[int | None, Range(0, MARGIN)] = None
    """Learn from copies transposed by up to this many semitones either way too."""
    lookback: Annotated[int | None, Range(0, 64)] = None
    """Show the network what stood 1, 2, 4 ... up to so many bars before, and what followed the last passage alike, so
    that pieces repeat themselves; 0 for none, which is best where the training pieces hardly do."""
    stretch: Annotated[float, Range(0, 0.5)] = 0.05
    """By how much copies of performances are played faster and slower, where there are transposed ones; 0 for none."""


def require_effect(config: Config) -> None:
    """Refuse options that would do nothing.

    Raises:
        OptionError: for the first of them.
    """
    if config.velocity and config.tokens == "frames":
        raise OptionError("`velocity` does nothing for `tokens` frames, which hold no loudness; take notes")
    if config.lookback and config.tokens == "performance":
        raise OptionError("`lookback` does nothing for `tokens` performance, which have no bars; leave it out")
    if config.stretch != Config.stretch and config.tokens != "performance":
        raise OptionError(f"`stretch` does nothing for `tokens` {config.tokens}; leave it out, or take performance")


def resolve(config: Config, length: int) -> Config:
    """Fill in what was not given, by the time there is and the amount of music.

    Args:
        config: as the user gave it.
        length: tokens to train on.
    """
    minutes = config.minutes or DEFAULT_MINUTES
    recipe: dict[str, Any] = dict(hidden_size=256, embedding_size=128, learning_rate=5e-3, dropout=0.3)
    recipe |= (
        dict(batch_size=16, sequence_length=128, transpose=0)
        if length >= LARGE
        else dict(batch_size=8, sequence_length=96)
    )
    if length < SMALL:
        recipe["dropout"] = 0.5
    elif length >= 2 * LARGE:
        recipe["dropout"] = 0.2
    if minutes <= TINY_MINUTES:
        recipe |= {"hidden_size": 128, "embedding_size": 64, "dropout": 0.2}
    config = fill_in(
        config,
        **dict(num_layers=1, forget_bias=0.0, weight_decay=0.1, tied=False, transpose=MARGIN) | recipe | NO_NGRAMS,
    )
    config = fill_in(config, ngram_size=config.embedding_size)
    return fit_streams(config, length, MAX_EPOCHS)
