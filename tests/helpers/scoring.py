"""A small language model and a sequence to score with it."""

import numpy as np
import torch

from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel

CPU = torch.device("cpu")
ARCHITECTURE = Architecture(hidden_size=12, num_layers=1, embedding_size=6, dropout=0.5, forget_bias=0.0, tied=False)


def small_model() -> LanguageModel:
    """Seven tokens, weights as drawn, the same each time."""
    torch.manual_seed(0)
    return LanguageModel(7, ARCHITECTURE)


def repeating_tokens() -> np.ndarray:
    """A sequence that repeats, with a fault now and then: there is something to learn on the way."""
    chance = np.random.default_rng(0)
    sequence = np.tile([1, 4, 2, 6, 3], 300)
    sequence[chance.random(len(sequence)) < 0.05] = 0
    return sequence.astype(np.uint8)
