"""The network that attends: padding, batch mates and single steps change nothing; its loss is that of its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.decoding.decoder_step import decoder_step
from recurra.errors import OptionError
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.speech.attention_network import AttentionNetwork
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.networks import Heard, heard, loss_of
from recurra.tasks.speech.symbols import EDGE

OPTIONS: dict[str, Any] = dict(mel_bands=4, stack=2, hidden_size=6, embedding_size=5, dropout=0.0, steps=1)
SYMBOLS = [np.array(each, np.int32) for each in ([1, 1, 2], [3, 4, 4, 1, 2], [2])]


def network(**options: Any) -> AttentionNetwork:
    torch.manual_seed(3)
    config = resolve(with_preset(Config(network="attention", **(OPTIONS | options)), False), 60.0)
    made = AttentionNetwork(5, config)
    with torch.no_grad():
        made.decoder.output.weight.mul_(5)
    return made


def recordings() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 8)).astype(np.float32) for length in (9, 14, 3)]


def log_probs_of(model: AttentionNetwork, batch: Heard, symbols: list[np.ndarray]) -> list[torch.Tensor]:
    """What the model says of each symbol and the end, a step at a time, `(length + 1, V)` a recording."""
    step, state = decoder_step(model.decoder, model.encode(batch))
    given = [[EDGE, *each.tolist()] for each in symbols]
    said = []
    for time in range(max(map(len, given))):
        tokens = np.array([each[time] if time < len(each) else EDGE for each in given])
        stepped = step(tokens, state)
        state = stepped.state
        said.append(stepped.log_probs.tensor)
    return [torch.stack(said)[: len(each), row] for row, each in enumerate(given)]


def nats(log_probs: torch.Tensor, symbols: np.ndarray) -> float:
    right = torch.tensor([*symbols.tolist(), EDGE])
    return -log_probs.gather(1, right[:, None]).sum().item()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_batch_mates_padding_and_single_steps_change_nothing(cell: str, bidirectional: bool) -> None:
    model = network(cell=cell, bidirectional=bidirectional, decoder_layers=2)
    together = log_probs_of(model, heard(recordings()), SYMBOLS)
    expected = 0.0
    for row, (recording, symbols) in enumerate(zip(recordings(), SYMBOLS, strict=True)):
        alone = log_probs_of(model, heard([recording]), [symbols])[0]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-5)
        assert model(heard([recording]), [symbols], None).item() == pytest.approx(nats(alone, symbols), abs=1e-4)
        expected += nats(alone, symbols)
    assert model(heard(recordings()), SYMBOLS, None).item() == pytest.approx(expected, abs=1e-4)


def test_the_decoder_begins_with_where_each_direction_ends() -> None:
    model, (first, *_) = network(), recordings()
    changed = first.copy()
    changed[-1] += 1
    before, after = (model.encode(heard([steps])).state[0] for steps in (first, changed))
    assert not torch.allclose(before, after)
    annotations = model.encoder.annotate(heard([first]))[0]
    ends = torch.cat([annotations[-1, :6], annotations[0, 6:]])
    torch.testing.assert_close(before, model.decoder.initial_state(ends[None])[0])


@pytest.mark.parametrize(("ctc_weight", "label_smoothing"), [(0.0, 0.0), (0.3, 0.2)])
def test_the_loss_of_training_is_mixed(ctc_weight: float, label_smoothing: float) -> None:
    model = network(ctc_weight=ctc_weight, label_smoothing=label_smoothing)
    batch = heard(recordings())
    written = torch.cat(log_probs_of(model, batch, SYMBOLS))
    right = torch.cat([torch.tensor([*each.tolist(), EDGE]) for each in SYMBOLS])
    attended = F.cross_entropy(written, right, reduction="sum", label_smoothing=label_smoothing)
    by_ctc = loss_of(model.encoder(batch), batch, SYMBOLS)
    loss = model(batch, SYMBOLS, DropoutGenerator.of_step(1, 1, slice(0, 3), 3))
    torch.testing.assert_close(loss, (1 - ctc_weight) * attended + ctc_weight * by_ctc, atol=1e-4, rtol=1e-5)
    loss.backward()
    for name, parameter in model.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.isfinite().all() & (parameter.grad != 0).any())
        assert learns == (ctc_weight > 0 or not name.startswith("encoder.output")), name


def test_dropout_is_of_training_only() -> None:
    model, batch = network(dropout=0.5, ctc_weight=0.0, label_smoothing=0.0), heard(recordings())
    losses = {model(batch, SYMBOLS, DropoutGenerator.of_step(1, n, slice(0, 3), 3)).item() for n in range(4)}
    assert len(losses) == 4
    assert model(batch, SYMBOLS, None).item() == model(batch, SYMBOLS, None).item()


class TestOptions:
    @pytest.mark.parametrize(
        "given",
        [{"ctc_weight": 0.3}, {"label_smoothing": 0.1}, {"decoder_layers": 2}, {"tied": True}, {"embedding_size": 9}],
    )
    def test_those_of_attention_are_refused_under_ctc(self, given: dict[str, Any]) -> None:
        (name,) = given
        with pytest.raises(OptionError, match=f"`{name}` does nothing for `network` ctc; leave it out"):
            Config(**given).require_effect()

    def test_plain_cells_are_refused(self) -> None:
        with pytest.raises(OptionError, match="`cell` is rnn, but a decoder that attends is an lstm or a gru"):
            Config(network="attention", cell="rnn")

    def test_what_is_not_given(self) -> None:
        config = with_preset(Config(network="attention"), False)
        assert (config.ctc_weight, config.label_smoothing, config.decoder_layers) == (0.0, 0.1, 1)
        assert not config.by_ctc
        assert replace(config, ctc_weight=0.1).by_ctc
        assert with_preset(Config(), False).ctc_weight is None
