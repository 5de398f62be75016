"""Tables of n-grams: sequences, single steps and the packed step agree, and they know what only n-grams tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recurra import modelfile
from recurra.models.architecture import Architecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import LanguageModel
from recurra.models.ngram_embedding import NgramEmbedding
from recurra.models.packed import pack
from recurra.runtime.cells import CellName
from recurra.runtime.ngrams import Ngrams
from recurra.runtime.packed import shapes_of

VOCABULARY = 5
SMALL = Architecture(
    hidden_size=6, num_layers=1, embedding_size=4, dropout=0.0, forget_bias=1.0, tied=False, ngrams=3, ngram_rows=20
)
architectures = st.builds(
    replace,
    st.just(SMALL),
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    num_layers=st.integers(1, 2),
    tied=st.booleans(),
    ngrams=st.integers(2, 5),
    ngram_size=st.sampled_from([4, 3]),
)


class Last:
    """Rules that show and keep the last token."""

    size = VOCABULARY
    state_size = 1

    def read(self, tokens: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(VOCABULARY, dtype=np.float32)[tokens], tokens[:, -1:].astype(np.float32)


def make(architecture: Architecture, seed: int = 0, rules: bool = False) -> LanguageModel:
    """A model whose every weight is random."""
    torch.manual_seed(seed)
    model = LanguageModel(VOCABULARY, architecture, Last() if rules else None)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def tables(seed: int = 0, size: int = 4) -> NgramEmbedding:
    torch.manual_seed(seed)
    embedding = NgramEmbedding(Ngrams(4, 50, size), 4)
    torch.nn.init.normal_(embedding.table.weight)
    return embedding


def by_hand(embedding: NgramEmbedding, tokens: list[int]) -> torch.Tensor:
    """What the n-grams at the end of a text add, each looked up on its own."""
    read = [0, 0, 0, *(token + 1 for token in tokens)]
    rows = []
    for size in (2, 3, 4):
        h = read[-1]
        for back in range(2, size + 1):
            h = (663608941 * h + read[-back]) % 2**32
        row = (663608941 * (h ^ (h >> 15)) % 2**32) * 50 >> 32
        rows.append(embedding.table.weight[50 * (size - 2) + row])
    return sum(rows) if embedding.map is None else embedding.map(torch.cat(rows))


@pytest.mark.parametrize("size", [4, 3])
def test_each_n_gram_is_looked_up_in_its_own_table(size: int) -> None:
    embedding = tables(size=size)
    tokens = torch.randint(VOCABULARY, (2, 7))
    found, after = embedding(tokens, embedding.start(2))
    for row in range(2):
        for end in range(7):
            torch.testing.assert_close(found[row, end], by_hand(embedding, tokens[row, : end + 1].tolist()))
    assert torch.equal(after, tokens[None, :, -3:] + 1)


def test_a_mask_keeps_what_is_not_there_out_of_the_state() -> None:
    embedding = tables()
    tokens = torch.randint(VOCABULARY, (3, 5))
    before = torch.tensor([[[1, 2, 3]] * 3])
    mask = torch.arange(5) < torch.tensor([[1], [5], [3]])
    _, after = embedding(tokens, before, mask)
    for row, length in enumerate((1, 5, 3)):
        assert torch.equal(after[0, row], torch.cat([before[0, row], tokens[row, :length] + 1])[-3:])


@given(architecture=architectures, time=st.integers(1, 7), cut=st.integers(1, 6), rules=st.booleans())
def test_step_is_forward_and_the_state_is_carried(architecture: Architecture, time: int, cut: int, rules: bool) -> None:
    model = make(architecture, rules=rules).double()
    tokens = torch.randint(VOCABULARY, (2, time))
    logits, end = model(tokens)
    state = None
    for place in range(time):
        one, state = model.step(tokens[:, place], state)
        torch.testing.assert_close(one, logits[:, place], rtol=1e-10, atol=1e-12)
    if cut < time:
        first, between = model(tokens[:, :cut])
        second, state = model(tokens[:, cut:], between)
        torch.testing.assert_close(torch.cat([first, second], dim=1), logits, rtol=1e-10, atol=1e-12)
    assert state is not None
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
    emptied = tuple(part * torch.tensor([False, True])[None, :, None] for part in end)
    torch.testing.assert_close(model(tokens, emptied)[0][0], logits[0], rtol=1e-10, atol=1e-12)


@given(architecture=architectures, tokens=st.lists(st.integers(0, 4), min_size=1, max_size=8), rules=st.booleans())
def test_packed_step_is_step(architecture: Architecture, tokens: list[int], rules: bool) -> None:
    model = make(architecture, rules=rules)
    packed = pack(model)
    state, packed_state = None, packed.zero_state()
    for token in tokens:
        with torch.no_grad():
            expected, state = model.step(torch.tensor([token]), state)
        before = packed_state
        logits, packed_state = packed.step(token, before)
        np.testing.assert_allclose(logits, expected[0].numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(packed.step(token, before)[0], logits)  # what it is given is not changed
    last = packed_state[architecture.num_layers]
    assert list(last) == state[-1 - rules][0, 0].tolist()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@torch.no_grad()
def test_int8_reads_the_same_rows(cell: CellName) -> None:
    model = make(replace(SMALL, cell=cell, ngram_size=4))
    exact, rounded = pack(model), pack(model, "int8")
    one, other = exact.zero_state(), rounded.zero_state()
    for token in (3, 0, 4, 4, 1):
        logits, one = exact.step(token, one)
        near, other = rounded.step(token, other)
        assert 0 < np.abs(logits - near).max() < 0.1
        assert one[1] == other[1]


@given(architecture=architectures)
def test_names_and_shapes_are_those_of_the_network(architecture: Architecture) -> None:
    model = LanguageModel(VOCABULARY, architecture)
    wanted = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    a = architecture
    found = shapes_of(a.cell, VOCABULARY, 4, 6, a.num_layers or 0, bool(a.tied), ngrams=a.tables())
    assert found == wanted


def test_a_network_with_tables_is_saved_and_loaded(tmp_path: Path) -> None:
    model = make(replace(SMALL, ngram_size=3))
    modelfile.save(tmp_path / "model", modelfile.ModelFile("text", {}, {}, {}, modelfile.unique_tensors(model)), "card")
    with torch.device("meta"):
        again = LanguageModel(VOCABULARY, replace(SMALL, ngram_size=3))
    modelfile.fill(again, modelfile.load(tmp_path / "model", "text").tensors, "here")
    tokens = torch.randint(VOCABULARY, (2, 9))
    assert torch.equal(model(tokens)[0], again(tokens)[0])


@pytest.mark.parametrize("none", [None, 0, 1])
def test_none_is_the_network_that_it_was(none: int | None) -> None:
    model = LanguageModel(VOCABULARY, replace(SMALL, ngrams=none))
    assert not any("ngram" in name for name, _ in model.named_parameters())
    assert len(model(torch.zeros(1, 2, dtype=torch.int64))[1]) == 2


def test_a_new_network_takes_no_notice_of_n_grams() -> None:
    """Its tables are empty: an n-gram that is never seen in training says nothing afterwards."""
    torch.manual_seed(0)
    model = LanguageModel(VOCABULARY, replace(SMALL, ngram_size=4))
    tokens = torch.randint(VOCABULARY, (2, 6))
    before = model(tokens)[0]
    assert not model.ngram_embedding.table.weight.any()
    model.ngram_embedding.table.weight.data.normal_()
    assert not torch.allclose(model(tokens)[0], before)


def test_dropout_zeroes_features_of_rows_by_their_own_rate() -> None:
    model = make(replace(SMALL, ngram_size=4, ngram_dropout=0.5))
    tokens = torch.randint(VOCABULARY, (2, 6))

    def generator(strength: float = 1.0) -> DropoutGenerator:
        return replace(DropoutGenerator.of_step(1, 0, slice(0, 2), 2), strength=strength)

    plain, _ = model(tokens)
    assert torch.equal(model(tokens, generator=generator(0.0))[0], plain)
    rows, _ = model.ngram_embedding.rows(tokens, model.ngram_embedding.start(2))
    found = generator().drop_units(model.ngram_embedding.table(rows).flatten(2), 0.5)
    inputs = model.embedding(tokens) + found.unflatten(2, (2, 4)).sum(dim=2)
    expected = model.compute_logits(model.recurrent(inputs)[0])
    torch.testing.assert_close(model(tokens, generator=generator())[0], expected)


@pytest.mark.parametrize("ngrams", [3, 2])
def test_what_only_three_tokens_tell_is_learned_by_tables_of_three(ngrams: int) -> None:
    """The next token is the sum, modulo 2, of the last three: less of them tells nothing of it.

    All that remembers is silenced, so that the last token and the tables are all there is.
    """
    random = np.random.default_rng(0)
    blocks = random.integers(2, size=(500, 3))
    tokens = torch.from_numpy(np.concatenate([blocks, blocks.sum(axis=1, keepdims=True) % 2], axis=1))
    torch.manual_seed(0)
    size = 8
    model = LanguageModel(2, replace(SMALL, hidden_size=size, embedding_size=size, ngram_size=size, ngrams=ngrams))
    with torch.no_grad():
        layer = model.recurrent.layers[0]
        layer.weight_hh_l0.zero_()
        layer.bias_ih_l0[size : 2 * size] = -100.0  # the forget gates are shut
    learned = [model.ngram_embedding.table.weight, model.output.weight, model.output.bias]
    model.ngram_embedding.table.sparse = False
    optimizer = torch.optim.Adam(learned, lr=0.05)
    for _ in range(150):
        logits, _ = model(tokens[:, :3])
        loss = F.cross_entropy(logits[:, 2], tokens[:, 3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = float((logits[:, 2].argmax(dim=1) == tokens[:, 3]).float().mean())
    assert right == 1.0 if ngrams == 3 else right < 0.7
