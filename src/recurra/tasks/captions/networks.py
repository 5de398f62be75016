"""From a picture to words: an encoder makes a grid of features, a decoder writes and attends to its positions.

Shapes: B pictures, H and W pixels, C channels, h and w positions of the grid, S = h * w, V features of an annotation, N
captions, T time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.config import required
from recurra.models.decoder import Decoder, Writer
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder_decoder import Encoded
from recurra.tasks.captions.backbone_encoder import BackboneEncoder, encoder_of
from recurra.tasks.captions.backbones.network import Backbone
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.image_encoder import POSITION_FEATURES, Places, SmallEncoder, position_features


class CaptionNetwork(Writer):
    """The whole network.

    With attention it is that of Xu et al. 2015, "Show, Attend and Tell" (arXiv 1502.03044), with soft attention, but
    its first state knows nothing of the picture unless `summary` is on: all must be looked at. Without, it is that of
    Vinyals et al. 2015, "Show and Tell" (arXiv 1411.4555): the first state is made of the mean of all positions.

    Args:
        vocabulary_size: tokens of captions.
        config: resolved.
        backbone: with weights to begin with; None for untrained ones.
    """

    encoder: SmallEncoder | BackboneEncoder

    def __init__(self, vocabulary_size: int, config: Config, backbone: Backbone | None = None) -> None:
        super().__init__()
        self.dropout = required(config.dropout, "dropout")
        self.summary = config.summary
        if config.encoder == "small":
            self.encoder = SmallEncoder(required(config.image_size, "image_size"), config.channels)
        else:
            self.encoder = encoder_of(config, backbone)
        embedding = nn.Embedding(vocabulary_size, required(config.embedding_size, "embedding_size"))
        # There are several times as many positions as words.
        value_size = self.encoder.channels + POSITION_FEATURES
        self.decoder = Decoder(embedding, 1.0, value_size, config, project_values=False)
        nn.init.normal_(embedding.weight)

    @property
    def positions(self) -> int:
        """Positions that the decoder attends to."""
        return self.encoder.positions

    @property
    def places(self) -> Places:
        """Where they are in the picture."""
        return self.encoder.places

    def annotate(self, pictures: Tensor, generator: DropoutGenerator | None = None) -> Tensor:
        """Annotations of pictures, `(B, S, V)`: the features of each position, and where it is.

        Args:
            pictures: pixels `(B, H, W, 3)` of type uint8, or the features an encoder has made of them, `(B, C, h, w)`.
            generator: where dropout comes from; None for no dropout, and outside training.
        """
        if pictures.is_floating_point():
            grid = pictures.to(self.decoder.embedding.weight.dtype)  # they are kept in 16 bits
        else:
            grid = self.encoder(pictures, generator is not None)
        features = grid.flatten(2).transpose(1, 2)  # (B, S, C)
        if generator:
            features = generator.drop_units(features, self.dropout)
        where = position_features(grid.shape[2], grid.shape[3], grid.device).to(features.dtype)  # (S, P)
        return torch.cat([features, where.expand(len(features), -1, -1)], dim=-1)

    def encode(self, pictures: Tensor, generator: DropoutGenerator | None = None) -> Encoded:
        """Read pictures, see `annotate`."""
        annotations = self.annotate(pictures, generator)  # (B, S, V)
        summary = annotations.mean(dim=1)  # (B, V)
        if self.decoder.attention is None:
            return Encoded(None, self.decoder.initial_state(summary))
        mask = torch.ones(annotations.shape[:2], dtype=torch.bool, device=annotations.device)  # (B, S)
        return Encoded(
            self.decoder.attention_memory(annotations, mask),
            self.decoder.initial_state(summary if self.summary else torch.zeros_like(summary)),
        )

    def forward(
        self,
        pictures: Tensor,
        which: Tensor,
        captions: Tensor,
        caption_mask: Tensor,
        generator: DropoutGenerator | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Read pictures and score every next token of captions, each told the right ones before it.

        Args:
            pictures: as for `annotate`.
            which: index of each caption's picture, `(N,)`; in training each its own.
            captions: the tokens to go on from, `(N, T)`: the start, then all but the last to be predicted.
            caption_mask: `(N, T)`, True for the predictions that count; no others are made.
            generator: where dropout comes from; None for no dropout, and outside training.

        Returns:
            Logits of those that count, caption by caption, `(predictions, vocabulary_size)`; the attention weights,
            `(N, T, S)`, None without attention.
        """
        memory, state = self.encode(pictures, generator)
        if len(which) != len(pictures):
            memory = memory and memory.select(which)
            state = tuple(part[:, which] for part in state)
        features, weights, _ = self.decoder(captions, state, memory, generator)  # (N, T, F), (N, T, S)
        return self.compute_logits(features[caption_mask]), weights
