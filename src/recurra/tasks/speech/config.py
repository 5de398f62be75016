"""What can be chosen about a speech model, and what is chosen if nothing is."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

from recurra.config import Range, fill_in, required
from recurra.data.columns import Header
from recurra.errors import OptionError
from recurra.models.architecture import EncoderDecoderArchitecture, RecurrentArchitecture
from recurra.runtime.cells import AttentionCell
from recurra.tasks.speech.features import FeatureOptions
from recurra.training.options import Training, limited

MAX_EPOCHS = 200
"""More passes over the recordings than this only make a model learn them by heart."""

Preset = Literal["speech", "morse", "detector"]

Tokens = Literal["characters", "words"]

_PRESETS: dict[Preset, dict[str, Any]] = {
    "speech": dict(
        **dict(rate=16_000, window_ms=25.0, mel_bands=40, low_hz=20.0, high_hz=0.0, stack=3),
        **dict(speed=0.1, gain_db=6.0, noise_db=30.0, stretch=0.0, shift_bands=0, mask_bands=6, mask_ms=120.0),
        **dict(batch_seconds=64.0, hidden_size=128, learning_rate=5e-3, curriculum=0.0),
    ),
    "morse": dict(
        **dict(rate=4000, window_ms=40.0, mel_bands=16, low_hz=400.0, high_hz=800.0, stack=4),
        **dict(speed=0.0, gain_db=0.0, noise_db=100.0, stretch=0.0, shift_bands=0, mask_bands=0, mask_ms=0.0),
        **dict(batch_seconds=32.0, hidden_size=96, learning_rate=0.01, dropout=0.1, curriculum=2.5),
    ),
    "detector": dict(
        **dict(rate=16_000, window_ms=25.0, mel_bands=40, low_hz=20.0, high_hz=0.0, stack=3),
        **dict(speed=0.15, gain_db=6.0, noise_db=5.0, stretch=0.0, shift_bands=0, mask_bands=4, mask_ms=0.0),
        **dict(batch_seconds=48.0, hidden_size=64, learning_rate=5e-3, curriculum=0.0),
    ),
}
"""What an ear hears; or a carrier and the noise beside it, with nothing masked: a dot is as short as a mask."""


@dataclass(frozen=True)
class SpeechTraining(Training):
    """How a speech model is trained: on batches of recordings of similar lengths."""

    group: ClassVar[str] = "training"

    batch_seconds: Annotated[float | None, Range(0.01, 1e6)] = None
    """Seconds of sound in a batch, padding included, all processes together."""
    clip_norm: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    average: Annotated[float, Range(0.0, 1.0)] = 0.2
    """Share of the run, at its end, whose evaluated weights are averaged."""
    curriculum: Annotated[float | None, Range(0.0, 1000.0)] = None
    """A run begins with the shortest eighth of the recordings, then the shortest quarter; each of the two stages draws
    as many recordings as so many passes over all of them; 0 begins with all."""
    speed: Annotated[float | None, Range(0.0, 0.5)] = None
    """Recordings are played slower or faster by up to this share in training."""
    gain_db: Annotated[float | None, Range(0.0, 40.0)] = None
    """And louder or softer by up to so many decibels."""
    noise_db: Annotated[float | None, Range(0.0, 100.0)] = None
    """And with white noise, at least so many decibels below them; 100 for none."""
    stretch: Annotated[float | None, Range(0.0, 0.5)] = None
    """And their frames are spread or pressed in time by up to this share, which keeps their pitch."""
    shift_bands: Annotated[int | None, Range(0, 512)] = None
    """And moved up or down by at most so many bands: another voice, another tone."""
    mask_bands: Annotated[int | None, Range(0, 512)] = None
    """Neighbouring bands that are masked twice in each recording, at most (SpecAugment)."""
    mask_ms: Annotated[float | None, Range(0.0, 10_000.0)] = None
    """Stretches of time that are masked twice in each recording, at most, in milliseconds (SpecAugment)."""
    ctc_weight: Annotated[float | None, Range(0.0, 0.99)] = None
    """Share of the loss of CTC in that of --network attention, if it does not find out where to attend; 0."""
    label_smoothing: Annotated[float | None, Range(0.0, 0.9)] = None
    """Share of the target probability that --network attention spreads evenly over all symbols; 0.1."""


@dataclass(frozen=True)
class SpeechArchitecture(RecurrentArchitecture):
    """What a speech model is made of."""

    group: ClassVar[str] = "network"

    network: Literal["ctc", "attention"] = "ctc"
    """A symbol at each step, merged (ctc), or a decoder that writes and attends to what was heard (attention)."""
    decoder_layers: Annotated[int | None, Range(1, 32)] = None
    """Recurrent layers of the decoder of --network attention; 1."""


_OF_ATTENTION: dict[str, Any] = dict(
    ctc_weight=0.0, label_smoothing=0.1, decoder_layers=1, embedding_size=32, tied=False
)
"""What only a network that attends has, and what it is if not given."""

_FILLED_IN = ("embedding_size", "tied")
"""Those of them that models under CTC had a value of too, when they were made by an older version."""


@dataclass(frozen=True)
class Config(SpeechArchitecture, SpeechTraining):
    """Everything that can be chosen about a speech model."""

    group: ClassVar[str] = "data"
    may_be_none: ClassVar[frozenset[str]] = SpeechTraining.may_be_none | _OF_ATTENTION.keys()

    preset: Preset | None = None
    """Defaults for speech, for Morse code, or for a detector of speech; by the data and --detect if not given."""
    detect: str = ""
    """Train a detector of this word instead of a recogniser."""
    false_alarms: Annotated[float, Range(0.0, 1e6)] = 1.0
    """False alarms an hour that the threshold of a detector is chosen for."""
    rate: Annotated[int | None, Range(1000, 192_000)] = None
    """Samples a second that recordings are brought to."""
    window_ms: Annotated[float | None, Range(1.0, 1000.0)] = None
    """Length of the window of a frame, in milliseconds."""
    step_ms: Annotated[float, Range(0.5, 1000.0)] = 10.0
    """Time from a frame to the next, in milliseconds."""
    mel_bands: Annotated[int | None, Range(2, 512)] = None
    """Mel filter bands: features of a frame."""
    low_hz: Annotated[float | None, Range(0.0, 96_000.0)] = None
    """Lower end of the lowest band."""
    high_hz: Annotated[float | None, Range(0.0, 96_000.0)] = None
    """Upper end of the highest band; half the rate if 0."""
    stack: Annotated[int | None, Range(1, 32)] = None
    """Frames that are stacked into one step of the network."""
    memory_seconds: Annotated[float, Range(0.0, 1000.0)] = 3.0
    """How long the running mean remembers that is taken off each band; 0 takes off the training mean only."""
    bidirectional: bool = True
    """Read recordings from both ends; --no-bidirectional for a model that transcribes while it listens. A detector
    is always a GRU that reads from one end."""
    lowercase: bool = True
    """Bring transcripts to small letters."""
    tokens: Tokens | None = None
    """What a model writes one after another: characters, or whole words, which suit commands; words if not given and
    the transcripts have few different ones."""
    symbols: str = ""
    """Symbols of several letters, with spaces between them: "ch sh"; every other symbol is a character."""
    min_count: Annotated[int, Range(1, 2**31)] = 1
    """Recordings with a symbol seen less often than this are left out."""
    columns: str = ""
    """Columns or keys of a table to read as file,transcript: names or numbers."""
    header: Header = "auto"
    """Whether the first line of a table names its columns; judged by its contents if not given."""
    encoding: str = "utf-8"
    """How tables encode text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network == "attention":
            if self.cell not in get_args(AttentionCell):
                raise OptionError(f"`cell` is {self.cell}, but a decoder that attends is an lstm or a gru; give one")
            return
        for name in _OF_ATTENTION.keys() - _FILLED_IN:
            self._require_none(name)

    def require_effect(self) -> None:
        """Refuse options that a person gave and that do nothing.

        Raises:
            OptionError: if there is one.
        """
        for name in _FILLED_IN if self.network == "ctc" else ():
            self._require_none(name)
        if self.preset == "detector" and not self.detect:
            raise OptionError("`preset` detector needs its word; name it with `detect`, or take another preset")

    def _require_none(self, name: str) -> None:
        if getattr(self, name) is not None:
            raise OptionError(f"`{name}` does nothing for `network` ctc; leave it out, or take attention")

    @property
    def by_ctc(self) -> bool:
        """Whether CTC has a part in training: transcripts must then fit into the steps."""
        return self.network == "ctc" or self.ctc_weight != 0

    @property
    def features(self) -> FeatureOptions:
        """How sound becomes features; of a configuration with its preset."""
        return FeatureOptions(
            **{field.name: required(getattr(self, field.name), field.name) for field in fields(FeatureOptions)}
        )


_RECIPE: dict[str, Any] = dict(num_layers=2, dropout=0.2, forget_bias=1.0, weight_decay=0.01)


def with_preset(config: Config, sample: bool) -> Config:
    """The configuration with a preset, and what it stands for where nothing was given.

    Args:
        config: as the user gave it.
        sample: whether the recordings are keyed Morse code.
    """
    preset: Preset = config.preset or ("morse" if sample else "detector" if config.detect else "speech")
    further = _OF_ATTENTION if config.network == "attention" else {}
    return fill_in(replace(config, preset=preset), **_PRESETS[preset], **further)


def resolve(config: Config, seconds: float) -> Config:
    """Fill in what was not given.

    Args:
        config: with its preset.
        seconds: of the recordings to learn from, all together.
    """
    config = fill_in(config, **_RECIPE)
    if config.detect:  # which has to answer while it listens
        if config.network != "ctc":
            raise OptionError(f"a detector has no attention; leave `network` {config.network} or `detect` out")
        config = replace(config, cell="gru", bidirectional=False, tokens="words")
    return limited(config, math.ceil(MAX_EPOCHS * seconds / required(config.batch_seconds, "batch_seconds")))


def decoder_of(config: Config) -> EncoderDecoderArchitecture:
    """What the decoder of a network that attends is made of, by a resolved configuration."""
    return EncoderDecoderArchitecture(
        cell=cast(AttentionCell, config.cell),
        hidden_size=config.hidden_size,
        num_layers=config.decoder_layers,
        embedding_size=config.embedding_size,
        dropout=config.dropout,
        forget_bias=config.forget_bias,
        tied=config.tied,
        word_dropout=0.0,
    )
