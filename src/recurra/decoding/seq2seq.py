"""Outputs of encoder-decoders for any number of sources, in batches of similar lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from recurra.decoding.beam_search import BeamResult, BeamSearch, beam_search
from recurra.decoding.candidates import DecodingProblem
from recurra.decoding.constraints import Required, fewest_tokens
from recurra.decoding.ensemble import Ensemble
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.sequence_sampling import sample_sequences
from recurra.decoding.step import DecoderStep
from recurra.errors import OptionError

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


class Reader(Protocol):
    """A network and the sources it reads, whatever it is computed with."""

    @property
    def attends(self) -> bool:
        """Whether it has attention."""

    def begin(self, batch: Sequence[int]) -> tuple[DecoderStep[Any], Any]:
        """The step before some of the sources, by their indices, and its first state, a row a source."""

    def for_many(self) -> Reader:
        """The same, made ready for many sources where that pays."""


class Request(NamedTuple):
    """What outputs are asked for.

    Attributes:
        readers: those that write together, by the mean of their probabilities; at least one.
        positions: length of each source, as the decoder attends to it.
        target: what is written.
        limits: the longest output of each source, in tokens.
        prefixes: forced beginning of each output.
        required: what must be in each output; None for nothing.
        suppressed: tokens that each output must not have; None for those of the target only.
    """

    readers: Sequence[Reader]
    positions: Sequence[int]
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
            barred=None if self.suppressed is None else [self.suppressed[index] for index in batch],
        )

    def widths(self, beam_size: int) -> list[int]:
        """How many unfinished outputs of each source there may be side by side."""
        if self.required is None:
            return [beam_size] * len(self.positions)
        return [beam_size * (1 + fewest_tokens(each)) for each in self.required]


def search_all(request: Request, options: BeamSearch, trees: bool = False) -> list[BeamResult]:
    """The best outputs of each source; see `beam_search`.

    Raises:
        OptionError: if a beam is too wide for a source as long.
    """
    widths = request.widths(options.beam_size)
    if any(reader.attends for reader in request.readers):
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
    """The same request, its networks made ready for many sources if there are many."""
    if len(request.positions) <= MAX_BATCH:
        return request
    return request._replace(readers=[reader.for_many() for reader in request.readers])


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


def _first_step(request: Request, batch: Sequence[int]) -> tuple[DecoderStep[Any], Any]:
    """The step of one or several networks before a batch of sources, and its first state."""
    steps, states = zip(*(reader.begin(batch) for reader in request.readers), strict=True)
    return (steps[0], states[0]) if len(steps) == 1 else (Ensemble(steps), states)
