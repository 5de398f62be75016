"""Sentiment: texts and their labels, of any two classes or more."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.sentiment.classifier import Classifier as Classifier
    from recurra.tasks.sentiment.classifier import Label as Label
    from recurra.tasks.sentiment.config import Config as Config
    from recurra.tasks.sentiment.model import Model as Model
    from recurra.tasks.sentiment.training import train as train

__all__ = ["Classifier", "Config", "Label", "Model", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Classifier": "recurra.tasks.sentiment.classifier",
        "Config": "recurra.tasks.sentiment.config",
        "Label": "recurra.tasks.sentiment.classifier",
        "Model": "recurra.tasks.sentiment.model",
        "train": "recurra.tasks.sentiment.training",
    },
)
