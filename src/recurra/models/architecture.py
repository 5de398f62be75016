"""What can be chosen about a recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Options, Range, required
from recurra.runtime.cells import AttentionCell, CellName
from recurra.runtime.ngrams import Ngrams


@dataclass(frozen=True)
class RecurrentArchitecture(Options):
    """What any recurrent network is made of; what is not given (None) is chosen by preset and data."""

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
class Architecture(RecurrentArchitecture):
    """What a language model is made of; one that says nothing of n-grams has none."""

    group: ClassVar[str] = "network"

    ngrams: Annotated[int | None, Range(0, 8)] = None
    """Embed the last 2, 3, ... up to so many tokens together too, hashed into tables; 0 for none."""
    ngram_rows: Annotated[int | None, Range(2, 2**24)] = None
    """Rows of the table of each length of n-gram."""
    ngram_size: Annotated[int | None, Range(1, 16384)] = None
    """Features of such a row; other than --embedding-size, they are brought there by a linear map."""

    ngram_dropout: Annotated[float | None, Range(0.0, 0.95)] = None
    """Share of the features of such rows that is zeroed in training."""

    def tables(self) -> Ngrams | None:
        """The tables of n-grams, if there are any."""
        if self.ngrams is None or self.ngrams < 2:
            return None
        return Ngrams(self.ngrams, required(self.ngram_rows, "ngram_rows"), required(self.ngram_size, "ngram_size"))


NO_NGRAMS: dict[str, Any] = dict(ngrams=0, ngram_rows=16_384, ngram_dropout=0.5)
"""What a network that is given none of their options has of n-grams; rows have the size of the embedding."""


@dataclass(frozen=True)
class EncoderDecoderArchitecture(RecurrentArchitecture):
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
