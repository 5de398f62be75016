"""The step of a decoder, for search and sampling: what each row belongs to goes along in its state."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.decoding.step import Step, Stepped
from recurra.models.cells import State
from recurra.models.decoder import Decoder
from recurra.models.encoder_decoder import Encoded


def stepper(decoder: Decoder, encoded: Encoded) -> tuple[Step, State]:
    """A decoder that has a batch of sources before it.

    Args:
        decoder: what writes.
        encoded: what it looks at, and its state before the first symbol.

    Returns:
        The step, and the first state, a row a source. Its last part, `(1, rows)`, is the number of the source of each
        row; rows of one source must stay side by side, in the order of the sources.
    """
    looked, begin = encoded

    def step(symbols: Tensor, state: State) -> Stepped:
        features, weights, after = decoder.step(symbols, state[:-1], looked, state[-1][0])
        log_probs = torch.log_softmax(decoder.output(features).float(), dim=-1)
        return Stepped(log_probs, (*after, state[-1]), weights)

    rows = torch.arange(begin[0].shape[1], device=begin[0].device)
    return step, (*begin, rows[None])
