"""The step of a decoder in PyTorch, for search and sampling; nothing else in this package knows what a tensor is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.data.buckets import pad
from recurra.data.tokenizer import Tokens
from recurra.decoding.memories import ActiveMemories
from recurra.decoding.step import StepOutput
from recurra.models.attention_loop import AttentionMemory
from recurra.models.cells import State
from recurra.models.decoder import Decoder, Writer
from recurra.models.encoder_decoder import Encoded, EncoderDecoder
from recurra.models.weight_layout import with_contiguous_input_weights

BLOCK = 64
"""Tokens of which `most_probable` first considers the largest only."""


class TensorLogProbs:
    """Log-probabilities in a tensor, `(rows, vocabulary_size)`; see `step.LogProbs`."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @property
    def vocabulary_size(self) -> int:
        """Tokens of each row."""
        return self.tensor.shape[1]

    def without(self, rows: IntArray, tokens: IntArray) -> TensorLogProbs:
        """See `LogProbs`."""
        if not len(rows):
            return self
        index = tuple(torch.from_numpy(part).to(self.tensor.device) for part in (rows, tokens))
        never = torch.tensor(-torch.inf, dtype=self.tensor.dtype, device=self.tensor.device)
        return TensorLogProbs(self.tensor.index_put(index, never))

    def largest(self, count: int, named: IntArray) -> tuple[DoubleArray, IntArray]:
        """See `LogProbs`; most of a row stays where it is."""
        of_named = self.tensor.gather(1, torch.from_numpy(named).to(self.tensor.device))
        top, indices = most_probable(self.tensor, count)
        return torch.cat([of_named, top], dim=1).to("cpu", torch.float64).numpy(), indices.cpu().numpy()

    def numpy(self) -> FloatArray:
        """See `LogProbs`."""
        array: FloatArray = self.tensor.to("cpu", torch.float32).numpy()
        return array

    def mean(self, others: Sequence[TensorLogProbs]) -> TensorLogProbs:
        """See `LogProbs`."""
        stacked = torch.stack([self.tensor, *(other.tensor for other in others)])
        return TensorLogProbs((stacked.logsumexp(dim=0) - math.log(len(stacked))).clamp(max=0))


def most_probable(log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row, the largest first, and where they are: `torch.topk`, but faster on a CPU.

    The largest are in the `count` blocks whose own largest are the largest, so most of a row is read only once.
    Which of several equal ones are taken depends on their row alone.

    Args:
        log_probs: `(rows, vocabulary_size)`.
        count: at most `vocabulary_size`.

    Returns:
        Values and indices, `(rows, count)` each.
    """
    rows, size = log_probs.shape
    blocks = size // BLOCK
    if log_probs.device.type != "cpu" or blocks < 4 * count:
        top = log_probs.topk(count)
        return top.values, top.indices
    view = log_probs.unfold(1, BLOCK, BLOCK)
    chosen = view.amax(dim=2).topk(count).indices
    inside = view[torch.arange(rows)[:, None], chosen].flatten(1)
    rest = log_probs[:, blocks * BLOCK :]
    values, positions = torch.cat([inside, rest], dim=1).topk(count)
    block = chosen.gather(1, (positions // BLOCK).clamp(max=count - 1))
    indices = torch.where(
        positions < count * BLOCK, block * BLOCK + positions % BLOCK, positions + (blocks - count) * BLOCK
    )
    return values, indices


class Stepped(NamedTuple):
    """What a function says of the next tokens; see `step.StepOutput`.

    Attributes:
        log_probs: `(rows, vocabulary_size)`.
        state: tensors whose dimension 1 is the rows.
        weights: `(rows, positions)`, or None.
    """

    log_probs: Tensor
    state: State
    weights: Tensor | None


class TensorStep:
    """A function of tensors as a `step.DecoderStep`; its state is a tuple of tensors whose dimension 1 is the rows.

    Args:
        function: takes the last tokens, `(rows,)` int64, and the state before them.
    """

    def __init__(self, function: Callable[[Tensor, State], Stepped]) -> None:
        self._function = function

    @torch.no_grad()
    def __call__(self, tokens: IntArray, state: State) -> StepOutput[State]:
        """See `DecoderStep`."""
        device = state[0].device if state else torch.device("cpu")
        log_probs, state, weights = self._function(torch.from_numpy(tokens).to(device), state)
        attended = None if weights is None else weights.float().cpu().numpy()
        return StepOutput(TensorLogProbs(log_probs), state, attended)

    def select(self, state: State, rows: IntArray) -> State:
        """See `DecoderStep`."""
        return tuple(part.index_select(1, torch.from_numpy(rows).to(part.device)) for part in state)


def decoder_step(decoder: Decoder, encoded: Encoded) -> tuple[TensorStep, State]:
    """A decoder before a batch of sources.

    Args:
        decoder: what writes.
        encoded: what it attends to, and its state before the first token.

    Returns:
        The step, and the first state, a row a source. Its last part, `(1, rows)`, is the index of each row's source;
        rows of one source must stay side by side, in the order of the sources.
    """
    memory, initial_state = encoded
    active = None if memory is None else ActiveMemories(_Selectable(memory), len(memory.keys))
    device = initial_state[0].device

    def step(tokens: Tensor, state: State) -> Stepped:
        kept, sources = None, None
        if active is not None:
            selected, index = active.of(state[-1][0].cpu().numpy())
            kept, sources = selected.memory, torch.from_numpy(index).to(device)
        features, weights, after = decoder.step(
            tokens, state[:-1], kept, sources
        )  # (rows, features), (rows, positions)
        log_probs = torch.log_softmax(decoder.output(features).float(), dim=-1)  # (rows, vocabulary_size)
        return Stepped(log_probs, (*after, state[-1]), weights)

    return TensorStep(step), (*initial_state, torch.arange(initial_state[0].shape[1], device=device)[None])


class _Selectable(NamedTuple):
    """Memories in tensors, chosen among by an array."""

    memory: AttentionMemory

    def select(self, indices: IntArray) -> _Selectable:
        return _Selectable(self.memory.select(torch.from_numpy(indices).to(self.memory.keys.device)))


Encode = Callable[[Any, Sequence[int]], Encoded]
"""A network reads the sources with these indices, all at once."""


@dataclass(frozen=True)
class TensorReader:
    """A network in PyTorch, and the sources it reads; see `seq2seq.Reader`.

    Attributes:
        network: what writes.
        encode: how it reads some of the sources.
    """

    network: Writer
    encode: Encode

    @property
    def attends(self) -> bool:
        """Whether it has attention."""
        return self.network.decoder.attention is not None

    def begin(self, batch: Sequence[int]) -> tuple[TensorStep, State]:
        """The step before some of the sources, and its first state."""
        with torch.no_grad():
            return decoder_step(self.network.decoder, self.encode(self.network, batch))

    def for_many(self) -> TensorReader:
        """The same, laid out for small batches, which is worth a copy where there are many."""
        return TensorReader(with_contiguous_input_weights(self.network), self.encode)


def token_encoder(sources: Sequence[Tokens]) -> Encode:
    """How encoder-decoders read sources that are tokens, each with its end."""

    def encode(network: EncoderDecoder, batch: Sequence[int]) -> Encoded:
        padded = pad([sources[index] for index in batch])
        device = network.decoder.output.weight.device
        return network.encode(torch.from_numpy(padded.tokens).to(device), torch.from_numpy(padded.mask).to(device))

    return encode
