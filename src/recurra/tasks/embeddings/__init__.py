"""Word embeddings: vectors of words learned from plain text, compared, drawn, and given to other tasks."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.data.corpus import Texts as Texts
    from recurra.tasks.embeddings.config import Config as Config
    from recurra.tasks.embeddings.io.importing import import_vectors as import_vectors
    from recurra.tasks.embeddings.model import Model as Model
    from recurra.tasks.embeddings.training import train as train

__all__ = ["Config", "Model", "Texts", "import_vectors", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Config": "recurra.tasks.embeddings.config",
        "Model": "recurra.tasks.embeddings.model",
        "Texts": "recurra.data.corpus",
        "import_vectors": "recurra.tasks.embeddings.io.importing",
        "train": "recurra.tasks.embeddings.training",
    },
)
