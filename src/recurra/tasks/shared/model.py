"""A trained model of any task: loaded, saved, moved to a device, described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import nn

from recurra import modelfile, modelfolder
from recurra.config import from_dict
from recurra.devices import DeviceName, device_named
from recurra.errors import RecurraError
from recurra.tasks.shared.card import Described
from recurra.training import run_folder
from recurra.training.history import HISTORY, Measurement, read_history, write_history


class Jsonable(Protocol):
    """A vocabulary of any task."""

    def to_json(self) -> Any:
        """Everything needed to make it again, as JSON values."""


NetworkT = TypeVar("NetworkT", bound=nn.Module)
VocabularyT = TypeVar("VocabularyT", bound=Jsonable)
ConfigT = TypeVar("ConfigT")


class SavedModel(Described, Generic[NetworkT, VocabularyT, ConfigT]):
    """A trained model.

    A task's `Model` gives the class attributes and the two static methods.

    Attributes:
        config_type: the task's `Config`.
        free_options: what a model that begins from this one may have otherwise, the options of training besides.

    Args:
        network: the weights, on the device to use.
        vocabulary: data to tokens and back.
        config: how it was made, resolved.
        record: how it was trained and how good it is, as JSON values.
        name: what to call it in pictures.
        history: the points of its loss curve.
    """

    config: ConfigT
    config_type: ClassVar[type]
    free_options: ClassVar[tuple[str, ...]] = ("dropout", "preset", "encoding", "columns", "header")

    def __init__(
        self,
        network: NetworkT,
        vocabulary: VocabularyT,
        config: ConfigT,
        record: dict[str, Any],
        name: str = "model",
        history: Sequence[Measurement] = (),
    ) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.config = config
        self.record = record
        self.name = name
        self.history = tuple(history)

    @staticmethod
    def read_vocabulary(values: object, where: str) -> VocabularyT:
        """The vocabulary of JSON values; `where` names their origin in errors."""
        raise NotImplementedError

    @staticmethod
    def build(config: ConfigT, vocabulary: VocabularyT) -> NetworkT:
        """The network of a resolved configuration, with its first weights."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: str | Path, device: DeviceName | torch.device = "cpu") -> Self:
        """Read a model folder.

        Args:
            folder: where.
            device: where to put the weights; auto takes a GPU if there is one.

        Raises:
            RecurraError: if anything about the folder is not as `save` left it; see `modelfile.load`.
        """
        folder, target = Path(folder), device_named(device)
        file = modelfile.load(folder, cls.task)
        where = str(folder / modelfolder.CONFIG)
        config: ConfigT = from_dict(cls.config_type, file.config, where)
        vocabulary = cls.read_vocabulary(file.vocabulary, str(folder / modelfolder.VOCABULARY))
        network = modelfile.restore(lambda: cls.build(config, vocabulary), file, folder)
        model = cls(network.to(target), vocabulary, config, file.record, folder.name, read_history(folder / HISTORY))
        model.read_further(folder)
        return model

    def save(self, folder: str | Path) -> None:
        """Write the model folder, all or nothing; a model that stands there is replaced, with its checkpoint.

        Raises:
            RecurraError: if something else stands there, a weight is not finite, or writing fails.
        """
        self.save_run(Path(folder), None)

    def save_run(self, folder: Path, work: Path | None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        tensors = modelfile.unique_tensors(self.network)
        config, vocabulary = asdict(self.config), self.vocabulary.to_json()  # type: ignore[call-overload]
        file = modelfile.ModelFile(self.task, config, self.record, vocabulary, tensors)
        card = self.card(folder.name)
        run_folder.finish(lambda further: modelfile.save(folder, file, card, further), work, self._write_rest)

    def _write_rest(self, folder: Path) -> None:
        write_history(self.history, folder / HISTORY)
        self.write_further(folder)

    def read_further(self, folder: Path) -> None:
        """Read what the task keeps in the folder besides."""

    def write_further(self, folder: Path) -> None:
        """Write what the task keeps in the folder besides."""

    def to(self, device: DeviceName | torch.device) -> Self:
        """Move the weights to a device; the model itself is returned."""
        self.network.to(device_named(device))
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where everything is computed."""
        return next(self.network.parameters()).device

    def require_same_vocabulary(self, others: Sequence[SavedModel[Any, Any, Any]]) -> None:
        """Refuse models that do not read the same tokens.

        Raises:
            RecurraError: if a vocabulary is not this model's.
        """
        own = self.vocabulary.to_json()
        for other in others:
            if other.task != self.task or other.vocabulary.to_json() != own:
                raise RecurraError(
                    f"{other.name} and {self.name} do not have the same vocabulary and cannot be used together; train "
                    "both on the same data with the same options, each with another `seed`"
                )

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.network.parameters())
        return f"<{self.task} model {self.name!r}: {self.network_words()}, {count:,} parameters, {self.device}>"
