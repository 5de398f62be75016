"""Translation: an encoder reads a sentence, a decoder that attends to it writes another."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.decoding.beam_search import BeamSearch as BeamSearch
    from recurra.decoding.sampling import Sampling as Sampling
    from recurra.tasks.translation.config import Config as Config
    from recurra.tasks.translation.model import Model as Model
    from recurra.tasks.translation.training import train as train
    from recurra.tasks.translation.translator import Translator as Translator

__all__ = ["BeamSearch", "Config", "Model", "Sampling", "Translator", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "BeamSearch": "recurra.decoding.beam_search",
        "Config": "recurra.tasks.translation.config",
        "Model": "recurra.tasks.translation.model",
        "Sampling": "recurra.decoding.sampling",
        "Translator": "recurra.tasks.translation.translator",
        "train": "recurra.tasks.translation.training",
    },
)
