"""The packed step on arrays: the names and shapes are a network's, and rounded weights do what they say."""

from itertools import product

import numpy as np
import pytest
import torch

from recurra.errors import OptionError
from recurra.kernels.int8 import Int8Matrix
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.models.packed import pack
from recurra.runtime import packed as packing
from recurra.runtime.cells import CellName
from recurra.runtime.packed import shapes_of

CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn", "rnn-relu")
each_cell = pytest.mark.parametrize("cell", CELLS)


class Parity:
    """Rules that tell whether the number of tokens so far is odd."""

    size = 1
    state_size = 1

    def read(self, tokens: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        counts = (state + np.arange(1, tokens.shape[1] + 1)) % 2
        return counts[:, :, None].astype(np.float32), counts[:, -1:].astype(np.float32)


def model_of(cell: CellName, tied: bool, embedding_size: int, layers: int = 2, rules: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    architecture = Architecture(
        cell=cell,
        hidden_size=10,
        num_layers=layers,
        embedding_size=embedding_size,
        dropout=0.0,
        forget_bias=1.0,
        tied=tied,
    )
    return LanguageModel(7, architecture, Parity() if rules else None)


@each_cell
def test_names_and_shapes_are_those_of_the_network(cell: CellName) -> None:
    for tied, size, layers, rules in product((True, False), (10, 6), (1, 3), (False, True)):
        network = model_of(cell, tied, size, layers, rules)
        wanted = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
        assert shapes_of(cell, 7, size, 10, layers, tied, int(rules)) == wanted


@each_cell
@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize(("tied", "rules"), [(True, False), (False, True)])
@torch.no_grad()
def test_a_step_of_int8_is_that_of_a_network_with_the_rounded_weights(
    cell: CellName, with_table: bool, tied: bool, rules: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MAX_TABLE", packing.MAX_TABLE if with_table else 0)
    network = model_of(cell, tied, 10, rules=rules)
    packed = pack(network, "int8")
    network.output.weight = torch.nn.Parameter(network.output.weight.detach().clone())  # what is read is not rounded
    for name, parameter in network.named_parameters():
        if name == "output.weight" or ("weight_" in name and not (with_table and "layers.0.weight_ih" in name)):
            matrix = Int8Matrix.of(parameter.numpy())
            parameter.copy_(torch.from_numpy(matrix.weight * matrix.scale[:, None]))
    state, packed_state = None, packed.zero_state()
    for token in (3, 0, 6, 6, 1):
        expected, state = network.step(torch.tensor([token]), state)
        logits, packed_state = packed.step(token, packed_state)
        np.testing.assert_allclose(logits, expected[0].numpy(), atol=2e-5)


def test_int8_is_another_network_than_float32_but_a_near_one() -> None:
    network = model_of("lstm", False, 10)
    exact, rounded = pack(network), pack(network, "int8")
    one, other = exact.step(2, exact.zero_state())[0], rounded.step(2, rounded.zero_state())[0]
    assert 0 < np.abs(one - other).max() < 0.03


def test_another_precision_is_refused() -> None:
    with pytest.raises(OptionError, match="`precision` is 'int4', but must be one of float32, int8"):
        pack(model_of("gru", False, 10), "int4")  # type: ignore[arg-type]
