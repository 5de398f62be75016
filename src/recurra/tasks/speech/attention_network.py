"""Listen, attend and spell: a recurrent stack listens, a decoder writes the symbols and attends to what was heard.

Shapes: B batch, S steps, V symbols, T symbols of a transcript and its end, A features of an annotation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import FloatArray
from recurra.config import required
from recurra.data.tokenizer import Tokens
from recurra.decoding.decoder_step import TensorReader
from recurra.evaluation.seq2seq import teacher_forced
from recurra.models.decoder import Decoder, Writer
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder_decoder import Encoded
from recurra.tasks.speech.config import Config, decoder_of
from recurra.tasks.speech.networks import CtcNetwork, Heard, heard, loss_of
from recurra.tasks.speech.symbols import EDGE
from recurra.training.label_smoothing import smoothed_cross_entropy


class AttentionNetwork(Writer):
    """A listener, which is a network under CTC, and a decoder that attends to its annotations.

    Chan et al. 2016, arXiv 1508.01211; frames are stacked before the first layer instead of between layers. CTC shares
    the listener in training (Kim et al. 2017, arXiv 1609.06773): it knows that symbols come in the order of the sound,
    which attention has to find out.

    Args:
        symbols: how many there are, the blank included.
        config: resolved.
    """

    def __init__(self, symbols: int, config: Config) -> None:
        super().__init__()
        self.ctc_weight = required(config.ctc_weight, "ctc_weight")
        self.label_smoothing = required(config.label_smoothing, "label_smoothing")
        self.encoder = CtcNetwork(symbols, config)
        if not self.ctc_weight:  # what is not asked for has no gradient, which several processes would wait for
            self.encoder.output.requires_grad_(False)
        embedding = nn.Embedding(symbols, required(config.embedding_size, "embedding_size"))
        self.decoder = Decoder(embedding, 1.0, self.encoder.recurrent.output_size, decoder_of(config))

    def annotate(self, heard: Heard, generator: DropoutGenerator | None = None) -> tuple[Tensor, Encoded]:
        """Listen.

        Args:
            heard: the recordings.
            generator: where dropout comes from; None for no dropout.

        Returns:
            The annotations, `(B, S, A)`, zero after each recording's end, and what the decoder makes of them.
        """
        annotations, mask = self.encoder.annotate(heard, generator), heard.mask()  # (B, S, A), (B, S)
        size = self.encoder.recurrent.hidden_size
        last = annotations[torch.arange(len(annotations), device=mask.device), heard.lengths - 1]  # (B, A)
        ends = torch.cat([last[:, :size], annotations[:, 0, size:]], dim=-1)  # (B, A), where each direction ends
        return annotations, Encoded(self.decoder.attention_memory(annotations, mask), self.decoder.initial_state(ends))

    def encode(self, heard: Heard) -> Encoded:
        """Listen to recordings that are to be written down."""
        return self.annotate(heard)[1]

    def forward(self, heard: Heard, symbols: Sequence[Tokens], generator: DropoutGenerator | None = None) -> Tensor:
        """-log p of the recordings' symbols and their ends, summed, nats.

        With a generator it is what training minimises: smoothed, and mixed with the loss of CTC by `ctc_weight` (Kim
        et al. 2017, equation 9).

        Args:
            heard: the recordings.
            symbols: of each.
            generator: where dropout comes from; None for no dropout.
        """
        annotations, (memory, state) = self.annotate(heard, generator)
        targets = teacher_forced([np.append(each, EDGE) for each in symbols], EDGE, annotations.device)
        features, _, _ = self.decoder(targets.before, state, memory, generator)  # (B, T, F)
        logits = self.compute_logits(features[targets.mask]).float()  # (all T, V)
        if generator is None:
            return F.cross_entropy(logits, targets.right, reduction="sum")
        loss = smoothed_cross_entropy(logits, targets.right, self.label_smoothing)
        if self.ctc_weight:
            by_ctc = loss_of(self.encoder.log_probs(annotations), heard, symbols)
            loss = (1 - self.ctc_weight) * loss + self.ctc_weight * by_ctc
        return loss


SpeechNetwork = CtcNetwork | AttentionNetwork
"""Whichever `network` was chosen."""


def reader_of(network: AttentionNetwork, steps: Sequence[FloatArray]) -> TensorReader:
    """The network, and the steps `(S, I)` of the recordings that it is to write down."""
    device = network.decoder.output.weight.device

    def encode(reading: AttentionNetwork, batch: Sequence[int]) -> Encoded:
        return reading.encode(heard([steps[index] for index in batch]).to(device))

    return TensorReader(network, encode)
