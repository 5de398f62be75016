"""The best outputs of encoder-decoders for any number of sources, searched for in batches of similar lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from recurra.data.buckets import pad
from recurra.data.tokenizer import Tokens
from recurra.data.vocabulary import Vocabulary
from recurra.decoding.beam_search import BeamResult, BeamSearch, search
from recurra.decoding.decoder_step import stepper
from recurra.decoding.ensemble import ensemble, join
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.sequence_sampling import sample
from recurra.decoding.step import DecoderStep
from recurra.errors import OptionError
from recurra.models.cells import State
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.models.weight_layout import laid_out

BATCH = 128
"""Sources searched for at once ..."""

ROWS = 640
"""... but not more outputs side by side than this, ..."""

LOOKS = 100_000
"""... which look at no more positions than this, all together: what memory is needed for."""

MOST_WEIGHTS = 2**28
"""Attention weights of one source that a search may have to keep, 4 bytes each; a beam for which it may be more is
refused."""


class Request(NamedTuple):
    """What outputs are asked for.

    Attributes:
        networks: those that write together, by the mean of their probabilities; at least one.
        sources: tokens, each with its end.
        target: what is written.
        limits: the longest output of each source, in tokens.
        prefixes: forced beginning of each output.
    """

    networks: Sequence[EncoderDecoder]
    sources: Sequence[Tokens]
    target: Vocabulary
    limits: Sequence[int]
    prefixes: Sequence[Sequence[int]]

    def asked(self, numbers: Sequence[int]) -> dict[str, Any]:
        """What `beam.search` and `drawing.sample` are told of some of the sources."""
        return {
            "start": self.target.start,
            "end": self.target.end,
            "limits": [self.limits[number] for number in numbers],
            "positions": [len(self.sources[number]) for number in numbers],
            "prefixes": [self.prefixes[number] for number in numbers],
            "suppressed": self.target.unwritable,
        }


def search_all(request: Request, options: BeamSearch, trees: bool = False) -> list[BeamResult]:
    """The best outputs of each source; see `beam.search`.

    Raises:
        OptionError: if a beam is too wide for a source as long.
    """
    if any(network.decoder.attention for network in request.networks):
        for source, limit in zip(request.sources, request.limits, strict=True):
            require_room(len(source), limit, options.beam_size)
    request = _for_many(request)
    found: dict[int, BeamResult] = {}
    for numbers in _batches([len(source) for source in request.sources], options.beam_size):
        step, state = _begin(request, numbers)
        results = search(step, state, options=options, trees=trees, **request.asked(numbers))
        found.update(zip(numbers, results, strict=True))
    return [found[number] for number in range(len(request.sources))]


def require_room(length: int, limit: int, beam_size: int) -> None:
    """Refuse a beam that looks at a source of `length` tokens with more weights than can be kept.

    Raises:
        OptionError: if it does, should an output be as long as its `limit`.
    """
    steps = limit + 1
    widest = max(MOST_WEIGHTS // (length * steps), 1)
    if beam_size > widest:
        raise OptionError(
            f"--beam-size {beam_size} takes too much memory for a source of {length:,} tokens and outputs of "
            f"up to {steps:,}; at most {widest} will do, or a --max-length"
        )


def draw_all(request: Request, options: BeamSearch, sampling: Sampling, indices: Sequence[int]) -> list[Hypothesis]:
    """An output of each source, drawn at random; see `drawing.sample`.

    Args:
        request: what is asked for.
        options: of these the least length and the repetition of tokens count.
        sampling: how to draw.
        indices: the number of each source among all that are drawn for with this seed.
    """
    request = _for_many(request)
    drawn: dict[int, Hypothesis] = {}
    for numbers in _batches([len(source) for source in request.sources], 1):
        step, state = _begin(request, numbers)
        results = sample(
            step,
            state,
            sampling=sampling,
            min_length=options.min_length,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            numbers=[indices[number] for number in numbers],
            **request.asked(numbers),
        )
        drawn.update(zip(numbers, results, strict=True))
    return [drawn[number] for number in range(len(request.sources))]


def _for_many(request: Request) -> Request:
    """The same request, with networks that are worth getting ready where there is more than one batch."""
    if len(request.sources) <= BATCH:
        return request
    return request._replace(networks=[laid_out(network) for network in request.networks])


def _batches(lengths: Sequence[int], beam_size: int) -> Iterator[list[int]]:
    """The numbers of sources that are searched for together, the shortest first."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        rows = (len(batch) + 1) * beam_size
        if batch and (len(batch) == BATCH or rows > ROWS or rows * lengths[number] > LOOKS):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _begin(request: Request, numbers: Sequence[int]) -> tuple[DecoderStep, State]:
    """The step of one or several networks before a batch of sources, and its first state."""
    padded = pad([request.sources[number] for number in numbers])
    steps, states = [], []
    with torch.no_grad():
        for network in request.networks:
            device = network.decoder.output.weight.device
            tokens, mask = (torch.from_numpy(array).to(device) for array in (padded.tokens, padded.mask))
            step, state = stepper(network.decoder, network.encode(tokens, mask))
            steps.append(step)
            states.append(state)
    if len(steps) == 1:
        return steps[0], states[0]
    return ensemble(steps, [len(state) for state in states]), join(states)
