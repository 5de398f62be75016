"""Skip-gram and CBOW by negative sampling."""

from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Data


class Windows:
    def __init__(self, config: Config, data: Data) -> None: ...
