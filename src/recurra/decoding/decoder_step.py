"""The step of a decoder, for search and sampling: the index of each row's source goes along in the state."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.decoding.step import DecoderStep, StepOutput
from recurra.models.attention_loop import AttentionMemory
from recurra.models.cells import State
from recurra.models.decoder import Decoder
from recurra.models.encoder_decoder import Encoded

NARROW = 0.75
"""Where this share of the memories kept, or less, is still asked for, the others are left out."""


def decoder_step(decoder: Decoder, encoded: Encoded) -> tuple[DecoderStep, State]:
    """A decoder before a batch of sources.

    Args:
        decoder: what writes.
        encoded: what it attends to, and its state before the first token.

    Returns:
        The step, and the first state, a row a source. Its last part, `(1, rows)`, is the index of each row's source;
        rows of one source must stay side by side, in the order of the sources.
    """
    memory, initial_state = encoded
    active = None if memory is None else _ActiveMemories(memory)

    def step(tokens: Tensor, state: State) -> StepOutput:
        kept, sources = (None, None) if active is None else active.of(state[-1][0])
        features, weights, after = decoder.step(
            tokens, state[:-1], kept, sources
        )  # (rows, features), (rows, positions)
        log_probs = torch.log_softmax(decoder.output(features).float(), dim=-1)  # (rows, vocabulary_size)
        return StepOutput(log_probs, (*after, state[-1]), weights)

    sources = torch.arange(initial_state[0].shape[1], device=initial_state[0].device)
    return step, (*initial_state, sources[None])


class _ActiveMemories:
    """The memories of the sources that still have rows: the others are left out now and then.

    What it keeps between two steps saves time and changes nothing: a source that is asked for again is there again.

    Args:
        memory: of all sources.
    """

    def __init__(self, memory: AttentionMemory) -> None:
        self._all = self._kept = memory
        self._index = torch.arange(len(memory.keys), device=memory.keys.device)  # of each source in `_kept`, or -1

    def of(self, sources: Tensor) -> tuple[AttentionMemory, Tensor]:
        """The memories of rows of these sources, `(rows,)` and ascending, and the index of each row's in them."""
        if len(self._all.keys) == 1:
            return self._all, sources
        active = torch.unique_consecutive(sources)
        if len(active) <= NARROW * len(self._kept.keys) or bool((self._index[active] < 0).any()):
            self._kept = self._all.select(active)
            self._index = torch.full_like(self._index, -1)
            self._index[active] = torch.arange(len(active), device=active.device)
        return self._kept, self._index[sources]
