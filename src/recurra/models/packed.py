"""One stream of tokens through a language model, on whatever device it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recurra.arrays import FloatArray
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel
from recurra.runtime.layers import Precision
from recurra.runtime.packed import PackedLanguageModel


def pack(model: LanguageModel, precision: Precision = "float32") -> PackedLanguageModel:
    """A frozen copy of a language model for one token at a time; later changes of the model are not seen."""
    weights = {name: _array(parameter) for name, parameter in model.named_parameters()}
    ngrams = model.ngram_embedding.ngrams if model.ngram_embedding else None
    return PackedLanguageModel(model.recurrent.cell, weights, model.rules, precision, ngrams)


def single_stream(model: LanguageModel) -> tuple[Callable[[int, Any], tuple[FloatArray, Any]], Any]:
    """The step of a model for one stream of tokens, and its state before any input; it runs where the model is.

    On a CPU the weights are packed anew at each call, so that changes of them are seen.
    """
    device = model.output.weight.device
    if device.type == "cpu":
        packed = pack(model)
        return packed.step, packed.zero_state()

    @torch.no_grad()
    def step(token: int, state: State | None) -> tuple[FloatArray, State]:
        logits, state = model.step(torch.tensor([token], device=device), state)
        return _array(logits[0]), state

    return step, None


def _array(tensor: Tensor) -> FloatArray:
    """The numbers of a tensor; of one on a CPU the same memory."""
    array: FloatArray = tensor.detach().cpu().float().numpy()
    return array
