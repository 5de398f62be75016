"""Music: a recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from typing import TYPE_CHECKING

from recurra.lazy import attach

if TYPE_CHECKING:
    from recurra.decoding.sampling import Sampling as Sampling
    from recurra.tasks.music.composer import Composer as Composer
    from recurra.tasks.music.config import Config as Config
    from recurra.tasks.music.constraints import Controls as Controls
    from recurra.tasks.music.data import open_pieces as open_pieces
    from recurra.tasks.music.model import Model as Model
    from recurra.tasks.music.pieces import Piece as Piece
    from recurra.tasks.music.render.output import write_piece as write_piece
    from recurra.tasks.music.training import train as train

__all__ = ["Composer", "Config", "Controls", "Model", "Piece", "Sampling", "open_pieces", "train", "write_piece"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Composer": "recurra.tasks.music.composer",
        "Config": "recurra.tasks.music.config",
        "Controls": "recurra.tasks.music.constraints",
        "Model": "recurra.tasks.music.model",
        "Piece": "recurra.tasks.music.pieces",
        "Sampling": "recurra.decoding.sampling",
        "open_pieces": "recurra.tasks.music.data",
        "train": "recurra.tasks.music.training",
        "write_piece": "recurra.tasks.music.render.output",
    },
)
