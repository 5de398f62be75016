"""Next-token training of language models: the targets are the inputs, shifted by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.streams import Streams
from recurra.data.tokenizer import Tokens
from recurra.evaluation.language_model import SCORING_LENGTH, sum_tokens
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import LanguageModel

MONITOR_STREAMS = 32
"""Pieces scored side by side while training; a final figure reads the text in one piece."""

MONITOR_TOKENS = 200_000
"""At most this many validation tokens are scored while training."""


@dataclass(frozen=True)
class NextToken:
    """The trainer's objective for a language model.

    Attributes:
        streams: the training data.
        validation_tokens: `(length,)`, scored while training.
    """

    streams: Streams
    validation_tokens: Tokens

    @property
    def batch_size(self) -> int:
        """Rows of a whole batch."""
        return self.streams.batch_size

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed -log p of the batch's targets; see `trainer.Objective`."""
        batch = self.streams.batch(step, generator.rows)
        if state is not None:
            carried = torch.from_numpy(batch.carried).to(device)[None, :, None]
            state = tuple(part * carried for part in state)
        logits, state = model(torch.from_numpy(batch.inputs).to(device), state, generator)
        flat = torch.from_numpy(batch.targets).to(device).reshape(-1)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), flat, reduction="sum")
        return loss, len(flat), state

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats on (the first part of) the validation tokens, read as streams side by side."""
        assert isinstance(model, LanguageModel)
        tokens = self.validation_tokens[:MONITOR_TOKENS]
        streams = max(1, min(MONITOR_STREAMS, len(tokens) // SCORING_LENGTH))
        return sum_tokens(model, tokens, device, streams=streams).nats
