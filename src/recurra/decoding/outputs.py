"""The best outputs of encoder-decoders for any number of sources, searched for in batches of similar lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from recurra.data.buckets import pad
from recurra.data.languages import Language
from recurra.data.tokenizer import Symbols
from recurra.decoding.beam import Found, Search, search
from recurra.decoding.ensemble import ensemble, join
from recurra.decoding.step import Step
from recurra.decoding.stepping import stepper
from recurra.models.cells import State
from recurra.models.encoder_decoder import EncoderDecoder

BATCH = 64
"""Sources searched for at once ..."""

ROWS = 640
"""... but not more outputs side by side than this, ..."""

LOOKS = 100_000
"""... which look at no more positions than this, all together: what memory is needed for."""


def search_all(
    networks: Sequence[EncoderDecoder],
    sources: Sequence[Symbols],
    target: Language,
    options: Search,
    limits: Sequence[int],
    prefixes: Sequence[Sequence[int]],
    trees: bool = False,
) -> list[Found]:
    """Look for the best outputs of each source; see `beam.search`.

    Args:
        networks: those that write together, by the mean of their probabilities; at least one.
        sources: symbols, each with its end.
        target: what is written.
        options: how to search.
        limits: the longest output of each source, in symbols.
        prefixes: forced beginning of each output.
        trees: keep what was considered.
    """
    found: dict[int, Found] = {}
    for numbers in _batches([len(source) for source in sources], options.beam_size):
        step, state = _begin(networks, [sources[number] for number in numbers])
        results = search(
            step,
            state,
            start=target.start,
            end=target.end,
            options=options,
            limits=[limits[number] for number in numbers],
            positions=[len(sources[number]) for number in numbers],
            prefixes=[prefixes[number] for number in numbers],
            banned=target.unwritable,
            trees=trees,
        )
        found.update(zip(numbers, results, strict=True))
    return [found[number] for number in range(len(sources))]


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


def _begin(networks: Sequence[EncoderDecoder], sources: Sequence[Symbols]) -> tuple[Step, State]:
    """The step of one or several networks before a batch of sources, and its first state."""
    padded = pad(sources)
    steps, states = [], []
    with torch.no_grad():
        for network in networks:
            device = network.decoder.output.weight.device
            symbols, mask = (torch.from_numpy(array).to(device) for array in (padded.symbols, padded.mask))
            step, state = stepper(network.decoder, network.encode(symbols, mask))
            steps.append(step)
            states.append(state)
    if len(steps) == 1:
        return steps[0], states[0]
    return ensemble(steps, [len(state) for state in states]), join(states)
