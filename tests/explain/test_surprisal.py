"""Surprisal against single steps."""

import copy
import math

import numpy as np
import pytest
import torch

from recurra.evaluation.language_model import log_probs
from recurra.explain import surprisal as module
from recurra.explain.surprisal import surprisal


def test_every_token_as_by_single_steps(make_model, tokens, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 40)
    model = make_model()
    measured = surprisal(model, tokens, top=3)
    state = None
    with torch.no_grad():
        for place, token in enumerate(tokens[:-1]):
            logits, state = model.step(torch.tensor([int(token)]), state)
            probs = torch.softmax(logits[0].double(), dim=0).numpy()
            assert measured.bits[place] == pytest.approx(-math.log2(probs[tokens[place + 1]]), abs=1e-4)
            assert measured.entropy[place] == pytest.approx(-(probs * np.log2(probs)).sum(), abs=1e-4)
            best = np.argsort(-probs)[:3]
            assert measured.alternatives[place].tolist() == best.tolist()
            np.testing.assert_allclose(measured.probabilities[place], probs[best], atol=1e-5)


def test_agrees_with_scoring(make_model, tokens) -> None:
    model = make_model(cell="gru")
    nats = -log_probs(model, tokens, torch.device("cpu")).numpy()
    np.testing.assert_allclose(surprisal(model, tokens).bits, nats / math.log(2), atol=1e-4)


def test_certainty_has_no_entropy(make_model, tokens) -> None:
    model = make_model()
    with torch.no_grad():
        model.output.bias[3] = 1e4
    measured = surprisal(model, np.full(5, 3))
    assert measured.bits.tolist() == measured.entropy.tolist() == [0.0] * 4
    assert measured.alternatives.shape == (4, 5)


def test_few_tokens(make_model) -> None:
    assert surprisal(make_model(vocabulary=2), np.array([0, 1])).alternatives.shape == (1, 2)
    with pytest.raises(ValueError, match="at least two"):
        surprisal(make_model(), np.array([1]))


def test_what_the_tables_add_is_told_by_silencing_them_once(make_model, tokens, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 40)
    model = make_model(ngrams=3)
    measured = surprisal(model, tokens).silent_bits
    assert surprisal(make_model(), tokens).silent_bits is None
    assert measured.shape == (len(tokens) - 1,)
    silenced = copy.deepcopy(model)
    silenced.ngram_embedding.table.weight.data.zero_()
    with torch.no_grad():
        for place in (0, 1, 2, 41, len(tokens) - 2):
            read = torch.from_numpy(tokens[: place + 1].astype(np.int64))[None]
            state = model(read[:, :-1])[1] if place else None
            logits, _ = silenced(read[:, -1:], state)
            bits = -torch.log_softmax(logits[0, 0], dim=0)[tokens[place + 1]] / math.log(2)
            assert measured[place] == pytest.approx(float(bits), abs=1e-4)
    assert np.abs(measured - surprisal(model, tokens).bits).max() > 0.01
