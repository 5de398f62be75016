"""Language models of model folders that are used without PyTorch."""

from __future__ import annotations

from recurra.config import required
from recurra.models.architecture import Architecture
from recurra.runtime.layers import Precision
from recurra.runtime.packed import PackedLanguageModel, shapes_of
from recurra.runtime.rules import RuleFeatures
from recurra.runtime.stored import StoredModel


def packed_language_model(
    file: StoredModel,
    architecture: Architecture,
    vocabulary_size: int,
    rules: RuleFeatures | None = None,
    precision: Precision = "float32",
    compiled: bool = True,
) -> PackedLanguageModel:
    """The language model of a model folder.

    Args:
        file: what the folder holds.
        architecture: a resolved one.
        vocabulary_size: number of tokens.
        rules: those that it was trained with.
        precision: of the weights of its layers.
        compiled: see `layers.kinds_of`.

    Raises:
        RecurraError: if the weights are not those of this network.
    """
    require_language_model(file, architecture, vocabulary_size, rules)
    return PackedLanguageModel(architecture.cell, file.weights, rules, precision, architecture.tables(), compiled)


def require_language_model(
    file: StoredModel, architecture: Architecture, vocabulary_size: int, rules: RuleFeatures | None = None
) -> None:
    """Refuse a model folder whose weights are not those of the language model it describes.

    Args:
        file: what the folder holds.
        architecture: a resolved one.
        vocabulary_size: number of tokens.
        rules: those that it was trained with.

    Raises:
        RecurraError: if they are not.
    """
    shapes = shapes_of(
        architecture.cell,
        vocabulary_size,
        required(architecture.embedding_size, "embedding_size"),
        required(architecture.hidden_size, "hidden_size"),
        required(architecture.num_layers, "num_layers"),
        required(architecture.tied, "tied"),
        rules.size if rules else 0,
        architecture.tables(),
    )
    file.require_shapes(shapes)
