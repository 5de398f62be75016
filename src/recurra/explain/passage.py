"""What is explained: a sequence of tokens with a label and nameable features for each, and the models that read it.

Tasks make these from their own data; nothing here knows whether the tokens are characters, words or notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.arrays import BoolArray, FloatArray
from recurra.data.tokenizer import Tokens
from recurra.models.language_model import LanguageModel

if TYPE_CHECKING:
    from recurra.explain.measurements import Measured
    from recurra.explain.units import Tracker


class Drawing(Protocol):
    """Draws the pictures of a passage: the module `pictures`, as text, or the `View` that a task gives."""

    def draw_units(self, passage: Passage, values: FloatArray, trackers: Sequence[Tracker], path: Path) -> None:
        """Draw the passage once for each found unit, coloured by it, with marks where its feature holds.

        Args:
            passage: what was read.
            values: activations, `(time, units)`.
            trackers: the units found; may be none.
            path: the PNG to write.
        """

    def draw_surprisal(self, passage: Passage, bits: NDArray[np.floating], path: Path) -> None:
        """Draw the beginning of the passage, coloured by surprisal, as far as that is known.

        Args:
            passage: what was read.
            bits: of every token but the first, `(tokens measured - 1,)`.
            path: the PNG to write.
        """


class View(Drawing, Protocol):
    """How the tokens of a passage are shown where that is not as text, as notes of a piano roll are."""

    def __len__(self) -> int:
        """How many tokens are shown."""

    def beginning(self, length: int) -> View:
        """The view of the first so many tokens."""

    def page_data(self, measured: Measured) -> dict[str, Any]:
        """JSON values of what is shown; the page itself uses `unit`, `groups`, `bits`, `mean` and `scale`.

        `groups` are runs of tokens that are one thing (a `unit`, "note"), each with its `first` and `last`; `bits` is
        what each costs, `mean` their mean (None without any) and `scale` the bits of the strongest colour.
        """

    def script(self) -> str:
        """JavaScript that sets the page's `view`; see `page.html`."""

    def style(self) -> str:
        """What it looks like there, CSS."""


@dataclass(frozen=True)
class Passage:
    """A sequence to explain a model with.

    Attributes:
        tokens: `(time,)`.
        labels: what is shown at each position, `time` strings; may be empty or hold a line end.
        features: nameable things that are so or not after each token is read, by name, each `(time,)`.
        name: how a token of the vocabulary is called where it is one of several possible ones.
        source: where the sequence came from, for captions.
        unit: what one token is called, for axes.
        view: what is drawn instead of the labels; None for text.
    """

    tokens: Tokens
    labels: Sequence[str]
    features: Mapping[str, BoolArray]
    name: Callable[[int], str]
    source: str
    unit: str = "token"
    view: View | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.labels), *(len(values) for values in self.features.values())}
        if self.view is not None:
            lengths.add(len(self.view))
        if lengths != {len(self.tokens)}:
            raise ValueError(f"{len(self.tokens)} tokens with labels and features of lengths {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.tokens)

    def beginning(self, length: int) -> Passage:
        """The first so many tokens."""
        return replace(
            self,
            tokens=self.tokens[:length],
            labels=self.labels[:length],
            features={name: holds[:length] for name, holds in self.features.items()},
            view=self.view.beginning(length) if self.view else None,
        )


@dataclass(frozen=True)
class Subject:
    """A model to be explained.

    Attributes:
        name: what a person calls it.
        network: the model, on the device to use.
        facts: lines for its card, label to text.
    """

    name: str
    network: LanguageModel
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and cell, for legends; the cell alone where the name says no more."""
        cell = self.network.recurrent.cell.upper()
        return cell if self.name.upper() == cell else f"{self.name} ({cell})"


def device_of(model: LanguageModel) -> torch.device:
    """Where a model's weights are."""
    return model.output.weight.device


def to_tensor(tokens: Tokens, device: torch.device) -> torch.Tensor:
    """Tokens of any integer type as a model takes them, same shape."""
    return torch.from_numpy(np.asarray(tokens).astype(np.int64)).to(device)
