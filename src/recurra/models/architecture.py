"""What can be chosen about a recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from recurra.config import Options, Range
from recurra.runtime.cells import AttentionCell, CellName


@dataclass(frozen=True)
class Architecture(Options):
    """What a language model is made of; what is not given (None) is chosen by preset and data."""

    group: ClassVar[str] = "network"

    cell: CellName = "lstm"
    """The recurrent cell."""
    hidden_size: Annotated[int | None, Range(1, 16384)] = None
    """Units in a layer, in each direction."""
    num_layers: Annotated[int | None, Range(1, 32)] = None
    """Recurrent layers, stacked."""
    embedding_size: Annotated[int | None, Range(1, 16384)] = None
    """Size of the embedding of a token."""
    dropout: Annotated[float | None, Range(0.0, 0.95)] = None
    """Share of features zeroed in training before, between and after the layers."""
    forget_bias: Annotated[float | None, Range(-20.0, 20.0)] = None
    """Initial bias of the forget gates of an LSTM; the higher, the longer it remembers at first."""
    tied: bool | None = None
    """Use the embedding as the output layer too (Press and Wolf 2017)."""


@dataclass(frozen=True)
class EncoderDecoderArchitecture(Architecture):
    """What an encoder-decoder is made of; encoder and decoder are alike."""

    group: ClassVar[str] = "network"

    cell: AttentionCell = "lstm"
    """The recurrent cell."""
    attention: Literal["additive", "multiplicative", "none"] = "additive"
    """How the decoder attends to the source; none: it only knows the encoder's last state."""
    word_dropout: Annotated[float | None, Range(0.0, 0.95)] = None
    """Share of tokens hidden from the network in training."""
    attention_size: Annotated[int | None, Range(1, 16384)] = None
    """Features in which the attention compares; as many as the hidden layer has if not given."""
