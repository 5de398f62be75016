"""The options of the search, whichever of the two a model's network needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from recurra.config import Options, Range, with_options
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError
from recurra.tasks.speech.prefix_search import PrefixSearch

SearchT = TypeVar("SearchT", PrefixSearch, BeamSearch)

NETWORKS = {PrefixSearch: "ctc", BeamSearch: "attention"}
"""Which network has which search."""


@dataclass(frozen=True)
class Search(PrefixSearch, BeamSearch):
    """The options of both as a command takes them; those that only the other network has are refused later."""

    beam_size: Annotated[int | None, Range(1, 100_000)] = None  # type: ignore[assignment]
    """How many texts are kept at each step; 100 for --network ctc, 5 for attention."""
    alpha: Annotated[float | None, Range(0.0, 100.0)] = None  # type: ignore[assignment]
    """Weight of the language model (ctc, 0.5), or exponent of --normalization gnmt (attention, 0.6)."""

    def __post_init__(self) -> None:
        Options.__post_init__(self)  # what the two check is for them to check

    def given(self) -> dict[str, Any]:
        """Those that are not the default."""
        values = {field.name: (getattr(self, field.name), field.default) for field in dataclasses.fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}


def chosen(kind: type[SearchT], search: PrefixSearch | BeamSearch | None, options: Mapping[str, Any]) -> SearchT:
    """The options of a search, with some of them set anew.

    Args:
        kind: the search that the network needs.
        search: its options; None for the defaults.
        options: fields of it.

    Raises:
        OptionError: if these are options of the other search.
    """
    own, other = NETWORKS[kind], next(network for each, network in NETWORKS.items() if each is not kind)
    if not isinstance(search, kind | None):
        raise OptionError(f"`search` is for `network` {other}, and this model has {own}; give a {kind.__name__}")
    names = [{field.name for field in dataclasses.fields(each)} for each in (kind, *NETWORKS)]
    for name in options:
        if name in names[1] | names[2] and name not in names[0]:
            raise OptionError(f"`{name}` is for `network` {other}, and this model has {own}; leave it out")
    return with_options(search or kind(), options)
