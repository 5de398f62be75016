"""Music: a recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.music.model import Config as Config
    from recurra.tasks.music.model import Model as Model
    from recurra.tasks.music.model import train as train

__all__ = ["Config", "Model", "train"]

__getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "recurra.tasks.music.model"))
