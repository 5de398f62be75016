"""Speech: recordings with transcripts become a recogniser, which transcribes, detects words and shows what it heard."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.tasks.speech.config import Config as Config
    from recurra.tasks.speech.model import Model as Model
    from recurra.tasks.speech.training import train as train
    from recurra.tasks.speech.transcriber import Transcriber as Transcriber

__all__ = ["Config", "Model", "Transcriber", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Config": "recurra.tasks.speech.config",
        "Model": "recurra.tasks.speech.model",
        "Transcriber": "recurra.tasks.speech.transcriber",
        "train": "recurra.tasks.speech.training",
    },
)
