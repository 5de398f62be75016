from collections.abc import Callable

import numpy as np
import pytest
import torch

from recurra.data.tokenizer import Characters
from recurra.explain.passage import Passage
from recurra.explain.text_features import passage
from recurra.models.cells import CellName
from recurra.models.language_model import Architecture, LanguageModel

MakeModel = Callable[..., LanguageModel]

TEXT = 'He said: "Well (if so), go 12 miles."\nAnd then </script><b>she</b> & "I" left.\n\nTHE END [of it]\n'


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A language model with random weights, large enough to depend on what it reads."""

    def make(
        vocabulary: int = 7,
        cell: CellName = "lstm",
        hidden: int = 6,
        layers: int = 2,
        embedding: int = 5,
        seed: int = 0,
    ) -> LanguageModel:
        torch.manual_seed(seed)
        model = LanguageModel(
            vocabulary,
            Architecture(
                cell=cell,
                hidden_size=hidden,
                num_layers=layers,
                embedding_size=embedding,
                dropout=0.0,
                forget_bias=1.0,
                tied=False,
            ),
        )
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
                if "weight_hh" in name:
                    parameter.mul_(0.6)  # or a rectifier's state explodes
        return model

    return make


@pytest.fixture(scope="session")
def symbols() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 7, size=90).astype(np.uint8)


@pytest.fixture(scope="session")
def text_passage() -> Passage:
    text = TEXT * 9
    tokenizer = Characters.build([text], 100, 1)
    return passage(tokenizer, tokenizer.encode(text), "a <b>text</b>")
