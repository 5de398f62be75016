"""What is explained: a sequence of tokens with a label and nameable features for each, and the models that read it.

Tasks make these from their own data; nothing else here knows whether the tokens are characters, words or notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.tokenizer import Tokens
from recurra.models.language_model import LanguageModel
from recurra.tasks.music.lanes import Roll

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Passage:
    """A sequence to look at a model with.

    Attributes:
        tokens: `(time,)`.
        labels: what is shown at each position, `time` strings; may be empty or hold a line end.
        features: nameable things that are so or not after each token is read, by name, each `(time,)`.
        name: how a token of the vocabulary is called where it is one of several possible ones.
        source: where the sequence came from, for captions.
        unit: what one token is called, for axes.
        roll: the tokens as notes, which are then drawn instead of the labels; None if they are no music.
    """

    tokens: Tokens
    labels: Sequence[str]
    features: Mapping[str, BoolArray]
    name: Callable[[int], str]
    source: str
    unit: str = "token"
    roll: Roll | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.labels), *(len(values) for values in self.features.values())}
        if self.roll is not None:
            lengths.add(len(self.roll.times))
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
            roll=self.roll.beginning(length) if self.roll else None,
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
