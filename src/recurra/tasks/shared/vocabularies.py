"""Models that are used together: they must read the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from recurra.errors import RecurraError


class Named(Protocol):
    """A model, as far as its vocabulary and its name go."""

    @property
    def vocabulary(self) -> Any:
        """Data to tokens and back; its `to_json` gives all of it."""

    @property
    def name(self) -> str:
        """What to call it."""


def require_same_vocabulary(model: Named, others: Sequence[Named]) -> None:
    """Refuse models of a task that do not read the same tokens as another one.

    Raises:
        RecurraError: if a vocabulary is not that model's.
    """
    own = model.vocabulary.to_json()
    for other in others:
        if type(other.vocabulary) is not type(model.vocabulary) or other.vocabulary.to_json() != own:
            raise RecurraError(
                f"{other.name} and {model.name} do not have the same vocabulary and cannot be used together; train "
                "both on the same data with the same options, each with another `seed`"
            )
