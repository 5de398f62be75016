"""How much each token of a sequence surprises a model, and what it would rather have seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.arrays import FloatArray, IntArray
from recurra.data.tokenizer import Tokens
from recurra.errors import NOT_NUMBERS, RecurraError
from recurra.explain.passage import device_of, to_tensor
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel

CHUNK = 512
"""Tokens read in one call; affects memory and speed only."""

TOP = 5
"""Alternatives kept at each position."""


@dataclass(frozen=True)
class Surprisal:
    """A model's predictions of every token but the first.

    Attributes:
        bits: -log2 p of the token that came, `(time - 1,)`.
        entropy: how many bits the model expected to need, `(time - 1,)`.
        alternatives: the most probable tokens, the best first, `(time - 1, top)`.
        probabilities: theirs, `(time - 1, top)`.
        silent_bits: what `bits` would be if the tables of n-grams had added nothing to the last token read, the state
            before it as it was, `(time - 1,)`; None for a model without tables. The difference is what they tell
            there beside the state.
    """

    bits: FloatArray
    entropy: FloatArray
    alternatives: IntArray
    probabilities: FloatArray
    silent_bits: FloatArray | None = None


def surprisal(model: LanguageModel, tokens: Tokens, top: int = TOP) -> Surprisal:
    """Read a sequence and note what each token cost, the state carried from an empty one.

    Args:
        model: the language model.
        tokens: `(time,)`, at least two.
        top: alternatives to keep.

    Raises:
        ValueError: if there is nothing to predict.
        RecurraError: if the model's probabilities are not numbers.
    """
    if len(tokens) < 2:
        raise ValueError("surprisal needs at least two tokens: the first is given, not predicted")
    top = min(top, model.vocabulary_size)
    device = device_of(model)
    parts: list[tuple[torch.Tensor, ...]] = []
    state: State | None = None
    with torch.no_grad():
        for begin in range(0, len(tokens) - 1, CHUNK):
            both = to_tensor(tokens[begin : begin + CHUNK + 1], device)
            logits, state = model(both[None, :-1], state)
            log_probs = F.log_softmax(logits[0].float(), dim=-1)
            probs = log_probs.exp()
            bits = -log_probs.gather(1, both[1:, None])[:, 0] / math.log(2)
            entropy = -torch.special.xlogy(probs, probs).sum(dim=-1) / math.log(2)
            best = probs.topk(top)
            parts.append((bits, entropy, best.indices, best.values))
    result = Surprisal(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))
    if model.ngram_embedding:
        result = replace(result, silent_bits=_silent_bits(model, to_tensor(tokens, device)))
    if not np.isfinite(result.bits).all():
        raise RecurraError(NOT_NUMBERS)
    return result


@torch.no_grad()
def _silent_bits(model: LanguageModel, tokens: Tensor) -> FloatArray:
    """See `Surprisal.silent_bits`; of tokens `(time,)`."""
    states: list[State] = [tuple(torch.zeros_like(part) for part in model.next_state(tokens[:1]))]
    for token in tokens[:-2]:
        states.append(model.next_state(token[None], states[-1]))
    bits = []
    for begin in range(0, len(states), CHUNK):
        here = slice(begin, begin + CHUNK)
        before = tuple(torch.cat(parts, dim=1) for parts in zip(*states[here], strict=True))
        after = model.next_state(tokens[:-1][here], before, silent=True)
        logits = model.compute_logits(after[0][-1]).float()  # (rows, vocabulary_size)
        bits.append(F.cross_entropy(logits, tokens[1:][here], reduction="none") / math.log(2))
    found: FloatArray = torch.cat(bits).cpu().numpy()
    return found
