"""A network laid out for use says what the other says, and leaves that one alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.models.weight_layout import with_contiguous_input_weights


@pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_networks_laid_out_for_small_batches_say_the_same(attention: str, tied: bool) -> None:
    torch.manual_seed(0)
    network = EncoderDecoder(11, None, EncoderDecoderArchitecture("lstm", 16, 2, 12, 0.0, 0.0, tied, attention, 0.0))
    copy = with_contiguous_input_weights(network)
    weights = {id(layer.weight) for layer in network.modules() if isinstance(layer, nn.Linear)}
    for layer in copy.modules():
        if isinstance(layer, nn.Linear):
            assert id(layer.weight) not in weights
            assert layer.weight.T.is_contiguous()
        if isinstance(layer, nn.Embedding):
            assert layer.weight.is_contiguous()
    assert (network.decoder.output.weight is network.decoder.embedding.weight) == tied
    assert all(parameter.is_contiguous() and parameter.requires_grad for parameter in network.parameters())

    sources, targets = torch.randint(11, (5, 7)), torch.randint(11, (5, 4))
    mask = torch.arange(7) < torch.tensor([7, 3, 1, 6, 7])[:, None]
    there = torch.ones(5, 4, dtype=torch.bool)
    torch.testing.assert_close(copy(sources, mask, targets, there), network(sources, mask, targets, there))
    for one, other in zip(*(each.encode(sources, mask).state for each in (copy, network)), strict=True):
        torch.testing.assert_close(one, other)
