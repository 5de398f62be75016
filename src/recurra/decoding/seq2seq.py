"""Outputs of encoder-decoders for any number of sources, in batches of similar lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from recurra.data.buckets import pad
from recurra.data.tokenizer import Tokens
from recurra.decoding.beam_search import BeamResult, BeamSearch, beam_search
from recurra.decoding.candidates import DecodingProblem
from recurra.decoding.constraints import Required, fewest_tokens
from recurra.decoding.decoder_step import decoder_step
from recurra.decoding.ensemble import ensemble, join
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.sequence_sampling import sample_sequences
from recurra.decoding.step import DecoderStep, StepOutput
from recurra.errors import OptionError
from recurra.models.cells import State
from recurra.models.decoder import Writer
from recurra.models.encoder_decoder import Encoded, EncoderDecoder
from recurra.models.weight_layout import with_contiguous_input_weights

MAX_BATCH = 128
"""Sources decoded at once ..."""

MAX_ROWS = 640
"""... but not more outputs side by side than this, ..."""

MAX_POSITIONS = 100_000
"""... which attend to no more positions than this, all together: what memory is needed for."""

MAX_WEIGHTS = 2**28
"""Attention weights of one source that a search may have to keep, 4 bytes each; a beam for which it may be more is
refused."""


class Target(Protocol):
    """What is written: a vocabulary is one."""

    @property
    def start(self) -> int:
        """The token every output is begun with."""

    @property
    def end(self) -> int:
        """The token that ends it."""

    @property
    def unwritable(self) -> Sequence[int]:
        """Tokens that are never written."""


Encode = Callable[[Any, Sequence[int]], Encoded]
"""A network reads the sources with these indices, all at once."""


class Request(NamedTuple):
    """What outputs are asked for.

    Attributes:
        networks: those that write together, by the mean of their probabilities; at least one.
        positions: length of each source, as the decoder attends to it.
        encode: how a network reads some of the sources.
        target: what is written.
        limits: the longest output of each source, in tokens.
        prefixes: forced beginning of each output.
        required: what must be in each output; None for nothing.
        suppressed: tokens that each output must not have; None for those of the target only.
    """

    networks: Sequence[Writer]
    positions: Sequence[int]
    encode: Encode
    target: Target
    limits: Sequence[int]
    prefixes: Sequence[Sequence[int]]
    required: Sequence[Required] | None = None
    suppressed: Sequence[Sequence[int]] | None = None

    def problem(self, batch: Sequence[int]) -> DecodingProblem:
        """What is to be written for some of the sources."""
        return DecodingProblem(
            start=self.target.start,
            end=self.target.end,
            limits=[self.limits[index] for index in batch],
            positions=[self.positions[index] for index in batch],
            prefixes=[self.prefixes[index] for index in batch],
            suppressed=self.target.unwritable,
            required=None if self.required is None else [self.required[index] for index in batch],
        )

    def widths(self, beam_size: int) -> list[int]:
        """How many unfinished outputs of each source there may be side by side."""
        if self.required is None:
            return [beam_size] * len(self.positions)
        return [beam_size * (1 + fewest_tokens(each)) for each in self.required]


def token_encoder(sources: Sequence[Tokens]) -> Encode:
    """How encoder-decoders read sources that are tokens, each with its end."""

    def encode(network: EncoderDecoder, batch: Sequence[int]) -> Encoded:
        padded = pad([sources[index] for index in batch])
        device = network.decoder.output.weight.device
        return network.encode(torch.from_numpy(padded.tokens).to(device), torch.from_numpy(padded.mask).to(device))

    return encode


def search_all(request: Request, options: BeamSearch, trees: bool = False) -> list[BeamResult]:
    """The best outputs of each source; see `beam_search`.

    Raises:
        OptionError: if a beam is too wide for a source as long.
    """
    widths = request.widths(options.beam_size)
    if any(network.decoder.attention for network in request.networks):
        for positions, limit, width in zip(request.positions, request.limits, widths, strict=True):
            require_room(positions, limit, options.beam_size, width // options.beam_size)
    request = _faster(request)
    found: dict[int, BeamResult] = {}
    for batch in _batches(request.positions, widths):
        step, state = _first_step(request, batch)
        results = beam_search(step, state, request.problem(batch), options, trees=trees)
        found.update(zip(batch, results, strict=True))
    return [found[index] for index in range(len(request.positions))]


def require_room(length: int, limit: int, beam_size: int, banks: int = 1) -> None:
    """Refuse a beam that attends to a source of `length` tokens with more weights than can be kept.

    Args:
        length: of the source.
        limit: of the output.
        beam_size: of each bank.
        banks: how many beams there are, see `constraints`.

    Raises:
        OptionError: if it does, should an output be as long as its `limit`.
    """
    steps = limit + 1
    widest = max(MAX_WEIGHTS // (length * steps * banks), 1)
    if beam_size > widest:
        raise OptionError(
            f"`beam_size` {beam_size} takes too much memory for a source of {length:,} tokens and outputs of "
            f"up to {steps:,}; give at most {widest}, or a `max_length`"
        )


def draw_all(request: Request, options: BeamSearch, sampling: Sampling, indices: Sequence[int]) -> list[Hypothesis]:
    """An output of each source, drawn at random; see `sample_sequences`.

    Args:
        request: what is asked for.
        options: of these the least length and the repetition of tokens count.
        sampling: how to draw.
        indices: of each source among all that are drawn for with this seed.
    """
    request = _faster(request)
    drawn: dict[int, Hypothesis] = {}
    for batch in _batches(request.positions, request.widths(1)):
        step, state = _first_step(request, batch)
        results = sample_sequences(
            step,
            state,
            request.problem(batch),
            sampling,
            min_length=options.min_length,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            indices=[indices[index] for index in batch],
        )
        drawn.update(zip(batch, results, strict=True))
    return [drawn[index] for index in range(len(request.positions))]


def _faster(request: Request) -> Request:
    """The same request, its networks laid out for small batches where that is worth a copy."""
    if len(request.positions) <= MAX_BATCH:
        return request
    return request._replace(networks=[with_contiguous_input_weights(network) for network in request.networks])


def _batches(lengths: Sequence[int], widths: Sequence[int]) -> Iterator[list[int]]:
    """The indices of sources that are decoded together, the shortest first."""
    batch: list[int] = []
    rows = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        rows += widths[index]
        if batch and (len(batch) == MAX_BATCH or rows > MAX_ROWS or rows * lengths[index] > MAX_POSITIONS):
            yield batch
            batch, rows = [], widths[index]
        batch.append(index)
    if batch:
        yield batch


def _first_step(request: Request, batch: Sequence[int]) -> tuple[DecoderStep, State]:
    """The step of one or several networks before a batch of sources, and its first state."""
    steps, states = [], []
    with torch.no_grad():
        for network in request.networks:
            step, state = decoder_step(network.decoder, request.encode(network, batch))
            steps.append(step)
            states.append(state)
    step = steps[0] if len(steps) == 1 else ensemble(steps, [len(state) for state in states])
    if request.suppressed is not None and any(request.suppressed):
        step = _without(step, [request.suppressed[index] for index in batch])
    return step, join(states)


def _without(step: DecoderStep, suppressed: Sequence[Sequence[int]]) -> DecoderStep:
    """The same step, but some tokens cannot come in the outputs of each source; see `decoder_step` for its state."""

    def stepped(tokens: Tensor, state: State) -> StepOutput:
        found = step(tokens, state)
        barred = [(row, token) for row, source in enumerate(state[-1][0].tolist()) for token in suppressed[source]]
        if not barred:
            return found
        index = torch.tensor(barred, device=found.log_probs.device).unbind(dim=1)
        never = torch.tensor(-torch.inf, dtype=found.log_probs.dtype, device=found.log_probs.device)
        return found._replace(log_probs=found.log_probs.index_put(index, never))

    return stepped
