"""What can be chosen about an encoder-decoder."""

from dataclasses import dataclass
from typing import Literal

from recurra.config import AUTO, check_range
from recurra.models.attention_loop import AttentionCell


@dataclass(frozen=True)
class Architecture:
    """What an encoder-decoder is made of; what is not given is chosen by the size of the data."""

    cell: AttentionCell = "lstm"
    """The recurrent cell."""
    attention: Literal["additive", "multiplicative", "none"] = "additive"
    """How the decoder looks back at the source; none: it only knows where the encoder has ended."""
    hidden_size: int = AUTO
    """Units in a layer: of the decoder, and of the encoder in each direction."""
    num_layers: int = AUTO
    """Recurrent layers of encoder and decoder, one on top of the other."""
    embedding_size: int = AUTO
    """Features of a token where it enters."""
    dropout: float = AUTO
    """Share of features zeroed in training before, between and after the layers."""
    word_dropout: float = AUTO
    """Share of tokens hidden from the network in training."""
    forget_bias: float = AUTO
    """Where the forget gates of an LSTM start: the higher, the longer it remembers at first."""
    tied: bool = AUTO
    """Use the embedding as the output layer too (Press and Wolf 2017)."""

    def __post_init__(self) -> None:
        check_range("hidden_size", self.hidden_size, 1, 16384)
        check_range("num_layers", self.num_layers, 1, 32)
        check_range("embedding_size", self.embedding_size, 1, 16384)
        check_range("dropout", self.dropout, 0.0, 0.95)
        check_range("word_dropout", self.word_dropout, 0.0, 0.95)
        check_range("forget_bias", self.forget_bias, -20.0, 20.0)
