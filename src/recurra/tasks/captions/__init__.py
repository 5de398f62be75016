"""Captions: pictures with captions become a model that says what is in new ones, and where it looked."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.decoding.beam_search import BeamSearch as BeamSearch
    from recurra.tasks.captions.config import Config as Config
    from recurra.tasks.captions.model import Model as Model
    from recurra.tasks.captions.training import train as train

__all__ = ["BeamSearch", "Config", "Model", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "BeamSearch": "recurra.decoding.beam_search",
        "Config": "recurra.tasks.captions.config",
        "Model": "recurra.tasks.captions.model",
        "train": "recurra.tasks.captions.training",
    },
)
