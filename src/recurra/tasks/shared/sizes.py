"""The sizes of networks that are used without PyTorch, by their configurations."""

from __future__ import annotations

from recurra.config import required
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.runtime.decoder import DecoderSizes


def decoder_sizes(architecture: EncoderDecoderArchitecture, vocabulary_size: int, value_size: int) -> DecoderSizes:
    """What a decoder is made of.

    Args:
        architecture: a resolved one.
        vocabulary_size: number of tokens.
        value_size: features of an annotation.
    """
    hidden_size = required(architecture.hidden_size, "hidden_size")
    return DecoderSizes(
        cell=architecture.cell,
        vocabulary_size=vocabulary_size,
        embedding_size=required(architecture.embedding_size, "embedding_size"),
        hidden_size=hidden_size,
        num_layers=required(architecture.num_layers, "num_layers"),
        value_size=value_size,
        attention=architecture.attention,
        attention_size=architecture.attention_size or hidden_size,
        tied=required(architecture.tied, "tied"),
    )
