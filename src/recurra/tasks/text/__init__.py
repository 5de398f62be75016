"""Text: a recurrent language model of a corpus, which writes, is measured and shows what it sees."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.text.model import Config as Config
    from recurra.tasks.text.model import Model as Model
    from recurra.tasks.text.model import train as train

__all__ = ["Config", "Model", "train"]

__getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "recurra.tasks.text.model"))
