"""Translation: an encoder reads a sentence, a decoder that looks back at it writes another."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.translation.model import Config as Config
    from recurra.tasks.translation.model import Model as Model
    from recurra.tasks.translation.model import train as train

__all__ = ["Config", "Model", "train"]

__getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "recurra.tasks.translation.model"))
