"""Text: a recurrent language model of a corpus, which writes, is measured and shows what it sees."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.data.corpus import Texts as Texts
    from recurra.decoding.sampling import Sampling as Sampling
    from recurra.tasks.text.config import Config as Config
    from recurra.tasks.text.model import Model as Model
    from recurra.tasks.text.training import train as train
    from recurra.tasks.text.writing import Writer as Writer

__all__ = ["Config", "Model", "Sampling", "Texts", "Writer", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Config": "recurra.tasks.text.config",
        "Model": "recurra.tasks.text.model",
        "Sampling": "recurra.decoding.sampling",
        "Texts": "recurra.data.corpus",
        "Writer": "recurra.tasks.text.writing",
        "train": "recurra.tasks.text.training",
    },
)
