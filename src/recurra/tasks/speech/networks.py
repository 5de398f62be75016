"""From features to symbols: a recurrent stack under connectionist temporal classification.

Shapes: B batch, S steps, I features of a step, V symbols, the blank among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import FloatArray
from recurra.config import required
from recurra.data.tokenizer import Tokens
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.symbols import BLANK


class Heard(NamedTuple):
    """A batch of recordings as a network reads them: `steps` `(B, S, I)`, zero after each one's end, and `lengths`
    `(B,)`.
    """

    steps: Tensor
    lengths: Tensor

    def mask(self) -> Tensor:
        """`(B, S)`, True for what is there."""
        return torch.arange(self.steps.shape[1], device=self.steps.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> Heard:
        """The same on a device."""
        return Heard(self.steps.to(device), self.lengths.to(device))


def heard(recordings: list[FloatArray]) -> Heard:
    """Steps `(S, I)` of recordings as one batch."""
    lengths = [len(steps) for steps in recordings]
    batch = np.zeros((len(recordings), max(lengths), recordings[0].shape[1]), np.float32)
    for row, steps in enumerate(recordings):
        batch[row, : len(steps)] = steps
    return Heard(torch.from_numpy(batch), torch.tensor(lengths))


class CtcNetwork(nn.Module):
    """A recurrent stack, and the probability of each symbol at each step (Graves et al. 2006).

    Args:
        symbols: how many there are, the blank included.
        config: resolved.
    """

    def __init__(self, symbols: int, config: Config) -> None:
        super().__init__()
        self.dropout = required(config.dropout, "dropout")
        self.recurrent = Recurrent(
            config.cell,
            config.features.frame_size,
            required(config.hidden_size, "hidden_size"),
            required(config.num_layers, "num_layers"),
            bidirectional=config.bidirectional,
            dropout=self.dropout,
            forget_bias=required(config.forget_bias, "forget_bias"),
        )
        self.output = nn.Linear(self.recurrent.output_size, symbols)
        nn.init.normal_(self.output.weight, std=0.5 * self.recurrent.output_size**-0.5)
        nn.init.zeros_(self.output.bias)

    def forward(self, heard: Heard, generator: DropoutGenerator | None = None) -> Tensor:
        """Log-probabilities of the symbols at each step, `(B, S, V)`.

        Args:
            heard: the recordings.
            generator: where dropout comes from; None for no dropout.
        """
        return self.log_probs(self.annotate(heard, generator))

    def annotate(self, heard: Heard, generator: DropoutGenerator | None = None) -> Tensor:
        """What the stack makes of each step, `(B, S, D * H)`, zero after each recording's end."""
        outputs = self.recurrent.annotate(heard.steps, heard.mask(), generator)  # (B, S, D * H)
        return generator.drop_units(outputs, self.dropout) if generator else outputs

    def log_probs(self, outputs: Tensor) -> Tensor:
        """Log-probabilities of the symbols, `(B, S, V)`, from the stack's outputs."""
        return F.log_softmax(self.output(outputs).float(), dim=-1)

    def advance(self, steps: Tensor, state: State | None) -> tuple[Tensor, State]:
        """As `forward` for the next steps of a stream, `(B, S, I)`, of a network that reads from one end.

        Raises:
            ValueError: for a bidirectional one, whose outputs depend on what is still to come.
        """
        if self.recurrent.directions == 2:
            raise ValueError("a bidirectional network cannot go on from a state: its outputs depend on later steps")
        outputs, state = self.recurrent(steps, state)
        return self.log_probs(outputs), state

    @property
    def bidirectional(self) -> bool:
        """Whether it reads recordings from both ends."""
        return self.recurrent.directions == 2

    @torch.inference_mode()
    def hear(self, steps: FloatArray) -> FloatArray:
        """Log-probabilities of the symbols at each step of a whole recording `(S, I)`, `(S, V)`."""
        log_probs: FloatArray = self(heard([steps]).to(self.output.weight.device))[0].cpu().numpy()
        return log_probs

    @torch.inference_mode()
    def hear_on(self, steps: FloatArray, state: State | None) -> tuple[FloatArray, State]:
        """As `advance` for one stream, `(S, I)`; the log-probabilities are `(S, V)`."""
        log_probs, state = self.advance(torch.from_numpy(steps)[None].to(self.output.weight.device), state)
        return log_probs[0].cpu().numpy(), state


def loss_of(log_probs: Tensor, heard: Heard, symbols: Sequence[Tokens]) -> Tensor:
    """-log p of the recordings' symbols, summed, nats (Graves et al. 2006, equation 12).

    Args:
        log_probs: of all symbols at each step, `(B, S, V)`.
        heard: the recordings.
        symbols: of each.
    """
    targets = torch.from_numpy(np.concatenate(symbols).astype(np.int64)).to(log_probs.device)
    lengths = torch.tensor([len(each) for each in symbols])
    loss: Tensor = F.ctc_loss(log_probs.transpose(0, 1), targets, heard.lengths, lengths, BLANK, "sum")
    return loss
