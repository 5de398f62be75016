"""Music: a recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.decoding.sampling import Sampling as Sampling
    from recurra.tasks.music.config import Config as Config
    from recurra.tasks.music.constraints import Controls as Controls
    from recurra.tasks.music.model import Model as Model
    from recurra.tasks.music.pieces import Piece as Piece
    from recurra.tasks.music.training import train as train

__all__ = ["Config", "Controls", "Model", "Piece", "Sampling", "train"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Config": "recurra.tasks.music.config",
        "Controls": "recurra.tasks.music.constraints",
        "Model": "recurra.tasks.music.model",
        "Piece": "recurra.tasks.music.pieces",
        "Sampling": "recurra.decoding.sampling",
        "train": "recurra.tasks.music.training",
    },
)
