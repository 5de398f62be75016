"""Requests whose answer is searched for by beam search: its options, within what a server gives anybody."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from recurra.config import Range
from recurra.decoding.beam_search import BeamSearch
from recurra.serve.fields import Request

WIDEST = 100
"""A wider beam than this is not for a server."""

LONGEST = 1000
"""Nor is a longer output, in tokens."""


@dataclass(frozen=True, kw_only=True)
class Searched(BeamSearch, Request):
    """A request for what a search finds."""

    beam_size: Annotated[int, Range(1, WIDEST)] = BeamSearch.beam_size
    """How many unfinished outputs are kept at each step; 1 is greedy search."""
    n_best: Annotated[int, Range(1, WIDEST)] = BeamSearch.n_best
    """How many outputs are given, the best first; at most `beam_size`."""
    min_length: Annotated[int, Range(0, LONGEST)] = BeamSearch.min_length
    """Shortest output, in tokens."""
    max_length: Annotated[int | None, Range(0, LONGEST)] = BeamSearch.max_length
    """Longest output, in tokens; a limit that suits each input if not given."""

    def search(self) -> BeamSearch:
        """How to search."""
        return BeamSearch(**{field.name: getattr(self, field.name) for field in fields(BeamSearch)})
