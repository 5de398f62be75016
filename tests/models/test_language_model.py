"""The language model and its packed twin: whole sequences and single tokens agree, tied weights are one tensor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra import modelfile
from recurra.errors import OptionError
from recurra.models.architecture import Architecture
from recurra.models.cells import CELLS
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import LanguageModel
from recurra.models.packed import pack
from recurra.runtime import packed as packing
from recurra.runtime.cells import CellName, state_parts

VOCABULARY = 11

each_cell = pytest.mark.parametrize("cell", CELLS)
SMALL = Architecture(hidden_size=6, num_layers=1, embedding_size=6, dropout=0.0, forget_bias=1.0, tied=False)
architectures = st.builds(
    replace,
    st.just(SMALL),
    hidden_size=st.integers(1, 9),
    num_layers=st.integers(1, 3),
    embedding_size=st.integers(1, 9),
    tied=st.booleans(),
)


def make(cell: CellName, architecture: Architecture, vocabulary_size: int = 11, seed: int = 0) -> LanguageModel:
    """A model whose every weight is random, biases too."""
    torch.manual_seed(seed)
    model = LanguageModel(vocabulary_size, replace(architecture, cell=cell))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


@each_cell
@given(architecture=architectures, batch=st.integers(1, 3), time=st.integers(1, 6), seed=st.integers(0, 1000))
def test_step_is_forward(cell: CellName, architecture: Architecture, batch: int, time: int, seed: int) -> None:
    model = make(cell, architecture, seed=seed).double()
    tokens = torch.randint(11, (batch, time))
    logits, end = model(tokens)
    assert logits.shape == (batch, time, 11)
    state = None
    for place in range(time):
        one, state = model.step(tokens[:, place], state)
        torch.testing.assert_close(one, logits[:, place], rtol=1e-10, atol=1e-12)
    assert state is not None
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


@each_cell
@given(architecture=architectures, tokens=st.lists(st.integers(0, 10), min_size=1, max_size=8))
def test_packed_step_is_step(cell: CellName, architecture: Architecture, tokens: list[int]) -> None:
    model = make(cell, architecture)
    packed = pack(model)
    state, packed_state = None, packed.zero_state()
    with torch.no_grad():
        for token in tokens:
            expected, state = model.step(torch.tensor([token]), state)
            logits, packed_state = packed.step(token, packed_state)
            np.testing.assert_allclose(logits, expected[0].numpy(), rtol=1e-5, atol=1e-5)
            assert logits.shape == (11,)
            assert len(packed_state) == architecture.num_layers
            for layer, parts in enumerate(packed_state):
                assert len(parts) == state_parts(cell)
                for part, theirs in zip(parts, state, strict=True):
                    np.testing.assert_allclose(part, theirs[layer, 0].numpy(), rtol=1e-5, atol=1e-5)


@each_cell
def test_packed_step_changes_neither_the_state_it_is_given_nor_what_it_gave(cell: CellName) -> None:
    packed = pack(make(cell, replace(SMALL, num_layers=2)))
    _, state = packed.step(3, packed.zero_state())
    copies = [[part.copy() for part in layer] for layer in state]
    first, _ = packed.step(5, state)
    kept = first.copy()
    packed.step(7, state)
    again, _ = packed.step(5, state)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(again, first)
    for layer, copied in zip(state, copies, strict=True):
        for part, copy in zip(layer, copied, strict=True):
            np.testing.assert_array_equal(part, copy)
    assert all(not part.any() for layer in packed.zero_state() for part in layer)


def test_packed_weights_are_a_copy() -> None:
    model = make("gru", SMALL)
    packed = pack(model)
    before, _ = packed.step(1, packed.zero_state())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    after, _ = packed.step(1, packed.zero_state())
    np.testing.assert_array_equal(before, after)


def test_tied_weights_are_one_tensor_and_learn_as_one() -> None:
    model = make("lstm", replace(SMALL, tied=True))
    assert model.output.weight is model.embedding.weight
    assert model.projection is None
    assert "output.weight" not in dict(model.named_parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.embedding.weight.detach().clone()
    F.cross_entropy(model(torch.tensor([[2, 3]]))[0][0], torch.tensor([4, 5])).backward()
    optimizer.step()
    assert torch.equal(model.output.weight, model.embedding.weight)
    # Row 9 was never an input: its change came through the output layer.
    assert not torch.equal(before[9], model.embedding.weight[9])


def test_tied_weights_of_another_size_go_through_a_projection() -> None:
    model = make("lstm", replace(SMALL, tied=True, hidden_size=8, embedding_size=5))
    assert model.projection is not None
    assert model.projection.weight.shape == (5, 8)
    assert model.output.weight is model.embedding.weight
    outputs = torch.randn(3, 8)
    expected = outputs @ model.projection.weight.T @ model.embedding.weight.T + model.output.bias
    torch.testing.assert_close(model.compute_logits(outputs), expected)


def test_untied_weights_are_two() -> None:
    model = make("lstm", SMALL)
    assert model.projection is None
    assert model.output.weight.data_ptr() != model.embedding.weight.data_ptr()


def test_a_fresh_model_is_near_the_uniform_distribution() -> None:
    torch.manual_seed(0)
    model = LanguageModel(50, replace(SMALL, hidden_size=32, embedding_size=32))
    tokens = torch.randint(50, (8, 30))
    loss = F.cross_entropy(model(tokens[:, :-1])[0].flatten(0, 1), tokens[:, 1:].flatten())
    assert abs(float(loss.detach()) - np.log(50)) < 0.3


def test_dropout_needs_noise_and_reaches_inputs_and_outputs() -> None:
    model = make("gru", replace(SMALL, dropout=0.5, embedding_size=64, hidden_size=64))
    tokens = torch.randint(11, (2, 5))
    plain, _ = model(tokens)
    assert torch.equal(model(tokens)[0], plain)

    def generator(step: int) -> DropoutGenerator:
        return DropoutGenerator.of_step(seed=1, step=step, rows=slice(0, 2), batch_size=2)

    noisy, _ = model(tokens, generator=generator(0))
    assert torch.equal(model(tokens, generator=generator(0))[0], noisy)
    assert not torch.equal(model(tokens, generator=generator(1))[0], noisy)
    # By hand: the first mask on the embeddings, the second on the stack's outputs.
    source = generator(0)
    outputs, _ = model.recurrent(source.drop_units(model.embedding(tokens), 0.5))
    torch.testing.assert_close(noisy, model.compute_logits(source.drop_units(outputs, 0.5)))


@each_cell
@pytest.mark.parametrize("tied", [False, True])
def test_one_batch_can_be_overfitted(cell: CellName, tied: bool) -> None:
    torch.manual_seed(0)
    architecture = replace(SMALL, cell=cell, hidden_size=32, embedding_size=16, tied=tied)
    model = LanguageModel(7, architecture)
    # Random tokens after a first one of their own: to know them all, the state must remember where it is.
    tokens = torch.cat([torch.arange(4)[:, None], torch.randint(7, (4, 12))], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        loss = F.cross_entropy(model(tokens[:, :-1])[0].flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.detach() < 0.05:
            return
    pytest.fail(f"the loss is still {float(loss.detach()):.3f} nats")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 0),
        ("hidden_size", 10**9),
        ("num_layers", 0),
        ("embedding_size", -1),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", float("nan")),
    ],
)
def test_impossible_architectures_are_refused_by_the_options_name(field: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"`{field}` is {value}, but must be between"):
        replace(SMALL, **{field: value})


class Sums:
    """A rules for tests: which tokens were read an odd number of times, and the remainder of their sum by four."""

    size = VOCABULARY + 4
    state_size = VOCABULARY + 1

    def read(
        self, tokens: NDArray[np.int64], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        once = np.concatenate([np.eye(VOCABULARY)[tokens], tokens[..., None]], axis=-1)
        states = state[:, None] + np.cumsum(once, axis=1)
        rule_features = np.concatenate([states[..., :-1] % 2, np.eye(4)[states[..., -1].astype(int) % 4]], axis=-1)
        return rule_features.astype(np.float32), states[:, -1].astype(np.float32)


def make_reading(cell: CellName, architecture: Architecture, seed: int = 0) -> LanguageModel:
    """`make` with rules."""
    torch.manual_seed(seed)
    model = LanguageModel(VOCABULARY, replace(architecture, cell=cell), Sums())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


@each_cell
@given(architecture=architectures, batch=st.integers(1, 3), time=st.integers(1, 6), cut=st.integers(1, 5))
def test_with_a_reader_step_is_forward_and_its_state_is_carried(
    cell: CellName, architecture: Architecture, batch: int, time: int, cut: int
) -> None:
    model = make_reading(cell, architecture).double()
    tokens = torch.randint(VOCABULARY, (batch, time))
    logits, end = model(tokens)
    assert len(end) == state_parts(cell) + 1
    assert end[-1].shape == (1, batch, Sums.state_size)
    torch.testing.assert_close(end[-1][0, :, -1], tokens.sum(1).float())
    state = None
    for place in range(time):
        one, state = model.step(tokens[:, place], state)
        torch.testing.assert_close(one, logits[:, place], rtol=1e-10, atol=1e-12)
    if cut < time:
        first, between = model(tokens[:, :cut])
        kept = between[-1].clone()
        second, state = model(tokens[:, cut:], between)
        assert torch.equal(between[-1], kept)
        torch.testing.assert_close(torch.cat([first, second], dim=1), logits, rtol=1e-10, atol=1e-12)
    assert state is not None
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


@each_cell
@pytest.mark.parametrize("with_table", [True, False])
@given(architecture=architectures, tokens=st.lists(st.integers(0, 10), min_size=1, max_size=8))
def test_with_a_reader_packed_step_is_step(
    cell: CellName, with_table: bool, architecture: Architecture, tokens: list[int]
) -> None:
    model = make_reading(cell, architecture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "MAX_TABLE", packing.MAX_TABLE if with_table else 0)
        packed = pack(model)
    state, packed_state = None, packed.zero_state()
    for token in tokens:
        before = packed_state[-1][0].copy()
        with torch.no_grad():
            expected, state = model.step(torch.tensor([token]), state)
        given_state = packed_state
        logits, packed_state = packed.step(token, packed_state)
        np.testing.assert_allclose(logits, expected[0].numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(packed_state[-1][0], state[-1][0, 0].numpy())
        np.testing.assert_array_equal(given_state[-1][0], before)
        assert len(packed_state) == architecture.num_layers + 1


def test_what_a_reader_shows_matters_and_learns() -> None:
    model = make_reading("lstm", SMALL)
    # The same last token and an equal embedding, other rule_features: the stack is told apart what came before.
    states = [model(torch.tensor([[first]]))[1] for first in (1, 2)]
    fresh = [(*(torch.zeros_like(part) for part in state[:-1]), state[-1]) for state in states]
    one, other = (model.step(torch.tensor([3]), state)[0] for state in fresh)
    assert not torch.allclose(one, other)
    F.cross_entropy(model(torch.tensor([[2, 3]]))[0][0], torch.tensor([4, 5])).backward()
    assert model.rule_embedding is not None
    assert model.rule_embedding.weight.grad is not None
    assert model.rule_embedding.weight.grad.abs().sum() > 0
    assert all(name != "rules" for name, _ in model.named_parameters())


def test_a_model_with_a_reader_is_saved_and_loaded(tmp_path: Path) -> None:
    model = make_reading("gru", replace(SMALL, num_layers=2))
    tensors = modelfile.unique_tensors(model)
    modelfile.save(tmp_path / "model", modelfile.ModelFile("music", {}, {}, {}, tensors), "card")
    with torch.device("meta"):
        again = LanguageModel(VOCABULARY, replace(SMALL, num_layers=2, cell="gru"), Sums())
    modelfile.fill(again, modelfile.load(tmp_path / "model", "music").tensors, "here")
    tokens = torch.randint(VOCABULARY, (2, 9))
    for one, other in zip(model(tokens), again(tokens), strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert torch.equal(mine, theirs)


def test_a_mask_spares_the_stack_but_not_the_rules() -> None:
    model = make_reading("lstm", SMALL)
    tokens = torch.tensor([[1, 2, 3]])
    _, state = model.layer_outputs(tokens, mask=torch.tensor([[True, False, False]]))
    _, short = model.layer_outputs(tokens[:, :1])
    assert torch.equal(state[0], short[0])
    assert state[-1][0, 0, -1] == 6


@pytest.mark.parametrize("tied", [True, False])
def test_inputs_of_a_new_network_have_unit_variance(tied: bool) -> None:
    torch.manual_seed(0)
    size = 64
    model = LanguageModel(500, replace(SMALL, embedding_size=size, hidden_size=size, tied=tied))
    assert float((model.embedding.weight * model.scale).detach().std()) == pytest.approx(1.0, rel=0.02)
    assert float(model.output.weight.detach().std()) < 1.1 / size**0.5
