"""Sentiment: texts and their labels, of any two classes or more."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.sentiment.config import Config as Config
    from recurra.tasks.sentiment.model import Label as Label
    from recurra.tasks.sentiment.model import Model as Model
    from recurra.tasks.sentiment.training import train as train

__all__ = ["Config", "Label", "Model", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Config": "recurra.tasks.sentiment.config",
        "Label": "recurra.tasks.sentiment.model",
        "Model": "recurra.tasks.sentiment.model",
        "train": "recurra.tasks.sentiment.training",
    },
)
