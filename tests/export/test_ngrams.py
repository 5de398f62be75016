"""The step of a language model with n-grams as a graph: onnxruntime answers what the network does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from recurra.export.graph import Graph
from recurra.export.language_model import add_step
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel


@pytest.mark.parametrize(("tied", "size", "num_rows"), [(True, 5, 16_384), (False, 3, 50)])
@torch.no_grad()
def test_the_rows_and_the_last_tokens_are_the_networks(tied: bool, size: int, num_rows: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = dict(hidden_size=6, num_layers=1, embedding_size=5, dropout=0.0, forget_bias=1.0)
    model = LanguageModel(70, Architecture(**sizes, tied=tied, ngrams=4, ngram_rows=num_rows, ngram_size=size))
    torch.nn.init.normal_(model.ngram_embedding.table.weight)
    weights = {name: parameter.numpy() for name, parameter in model.named_parameters()}
    graph = Graph("step")
    add_step(graph, "lstm", weights, graph.input("tokens", np.int64, "batch"), ngrams=model.ngram_embedding.ngrams)
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    given = {name: np.zeros((1, 3, 6), np.float32) for name in "hc"} | {"recent": np.zeros((1, 3, 3), np.float32)}
    tokens = torch.randint(70, (3, 12))
    expected, _ = model(tokens)
    names = [output.name for output in session.get_outputs()]
    assert names == ["logits", *(f"next_{each.name}" for each in session.get_inputs() if each.name != "tokens")]
    for time in range(12):
        found = dict(zip(names, session.run(None, given | {"tokens": tokens[:, time].numpy()}), strict=True))
        np.testing.assert_allclose(found["logits"], expected[:, time].numpy(), atol=1e-5)
        given = {name: found[f"next_{name}"] for name in given}
    np.testing.assert_array_equal(given["recent"][0], tokens[:, -3:].numpy() + 1)
