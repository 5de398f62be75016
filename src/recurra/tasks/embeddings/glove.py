"""GloVe."""

from pathlib import Path

from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Data


class Glove:
    def __init__(self, config: Config, data: Data, folder: Path) -> None: ...
