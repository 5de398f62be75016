"""Skip-gram with the full softmax."""

from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Data


class Softmax:
    def __init__(self, config: Config, data: Data) -> None: ...
