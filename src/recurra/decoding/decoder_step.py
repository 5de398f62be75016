"""The step of a decoder, for search and sampling: what each row belongs to goes along in its state."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.decoding.step import DecoderStep, StepOutput
from recurra.models.cells import State
from recurra.models.decoder import Decoder, Looked
from recurra.models.encoder_decoder import Encoded

NARROW = 0.75
"""The share of the sources looked at that must still be asked for, or the others are left out."""


def stepper(decoder: Decoder, encoded: Encoded) -> tuple[DecoderStep, State]:
    """A decoder that has a batch of sources before it.

    Args:
        decoder: what writes.
        encoded: what it looks at, and its state before the first token.

    Returns:
        The step, and the first state, a row a source. Its last part, `(1, rows)`, is the number of the source of each
        row; rows of one source must stay side by side, in the order of the sources.
    """
    looked, begin = encoded
    narrowed = None if looked is None else _Narrowed(looked)

    def step(tokens: Tensor, state: State) -> StepOutput:
        seen, rows = (None, None) if narrowed is None else narrowed.of(state[-1][0])
        features, weights, after = decoder.step(tokens, state[:-1], seen, rows)
        log_probs = torch.log_softmax(decoder.output(features).float(), dim=-1)
        return StepOutput(log_probs, (*after, state[-1]), weights)

    rows = torch.arange(begin[0].shape[1], device=begin[0].device)
    return step, (*begin, rows[None])


class _Narrowed:
    """What a decoder looks at, now and then without the sources that no row belongs to any more.

    What it keeps between two steps saves time and changes nothing: a source that is asked for again is there again.

    Args:
        looked: of all sources.
    """

    def __init__(self, looked: Looked) -> None:
        self._all = self._kept = looked
        self._place = torch.arange(len(looked.values), device=looked.values.device)

    def of(self, rows: Tensor) -> tuple[Looked, Tensor]:
        """What rows of these sources, `(rows,)` and ascending, look at, and where their sources are in it."""
        if len(self._all.values) == 1:
            return self._all, rows
        sources = torch.unique_consecutive(rows)
        if len(sources) <= NARROW * len(self._kept.values) or bool((self._place[sources] < 0).any()):
            self._kept = self._all.at(sources)
            self._place = torch.full_like(self._place, -1)
            self._place[sources] = torch.arange(len(sources), device=sources.device)
        return self._kept, self._place[rows]
