"""The networks that read texts: averaged word vectors, and a recurrent stack.

Shapes: B batch, T time (words), E embedding_size, H features of the recurrent outputs, C classes.
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
from recurra.data.buckets import pad
from recurra.models.dropout import DropoutGenerator
from recurra.models.pretrained import Pretrained
from recurra.models.recurrent import Recurrent as Stack
from recurra.progress import Report, unreported
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import PADDING, UNKNOWN_WORD, Encoded, Vocabulary
from recurra.tasks.sentiment.scoring import cut_middle, in_batches

INITIAL_STD = 0.3
"""Of word vectors that begin at random."""


class Batch(NamedTuple):
    """Texts as a network reads them.

    Attributes:
        tokens: `(B, T)` int64, 0 after each text's end.
        lengths: `(B,)` int64, at least 1.
        ngrams: the rows of all n-grams of the batch, `(n-grams,)` int64; none if the model takes none.
        offsets: where each text's n-grams begin, `(B,)` int64.
    """

    tokens: Tensor
    lengths: Tensor
    ngrams: Tensor
    offsets: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(part.to(device) for part in self))


def make_batch(texts: Sequence[Encoded], max_length: int, width: int = 0) -> Batch:
    """Texts as one batch.

    Args:
        texts: at least one.
        max_length: words that are read of a text; n-grams are made of all.
        width: pad to so many words at least.
    """
    cut = [cut_middle(text.tokens, max_length) for text in texts]
    tokens = pad(cut).tokens
    tokens = np.pad(tokens, ((0, 0), (0, max(0, width - tokens.shape[1]))))
    counts = np.array([len(text.ngrams) for text in texts])
    return Batch(
        torch.from_numpy(tokens),
        torch.tensor([len(text) for text in cut]),
        torch.from_numpy(np.concatenate([text.ngrams for text in texts]).astype(np.int64)),
        torch.from_numpy(np.cumsum(counts) - counts),
    )


class WordVectors(nn.Module):
    """The vectors of words: learned ones, then given ones, which stay as they are.

    Padding has zeros, and the unknown word begins with them: to the network it is a word that was dropped.

    Args:
        vocabulary: says how many of each there are.
        size: E.
        freeze: leave the learned ones as they are too.
    """

    def __init__(self, vocabulary: Vocabulary, size: int, freeze: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary.learned, size) * INITIAL_STD, requires_grad=not freeze)
        with torch.no_grad():
            self.weight[: UNKNOWN_WORD + 1] = 0.0
        self.given = (
            nn.Parameter(torch.zeros(vocabulary.given, size), requires_grad=False) if vocabulary.given else None
        )

    def fill(self, pretrained: Pretrained) -> None:
        """Give the words of the vocabulary the vectors there are, scaled together to the spread of random ones."""
        learned = len(self.weight)
        words = torch.from_numpy(np.flatnonzero(pretrained.found))
        vectors = torch.from_numpy(pretrained.scaled(INITIAL_STD))
        with torch.no_grad():
            self.weight[words[words < learned]] = vectors[words < learned]
            self.weight[: UNKNOWN_WORD + 1] = 0.0
            if self.given is not None:
                self.given[words[words >= learned] - learned] = vectors[words >= learned]

    def forward(self, tokens: Tensor) -> Tensor:
        """The vectors of words `(B, T)`, `(B, T, E)`."""
        if self.given is None:
            return F.embedding(tokens, self.weight, PADDING)
        is_learned = tokens < len(self.weight)  # (B, T)
        vectors = F.embedding(torch.where(is_learned, tokens, PADDING), self.weight, PADDING)
        others = F.embedding((tokens - len(self.weight)).clamp(min=0), self.given)
        return torch.where(is_learned[:, :, None], vectors, others)


class Average(nn.Module):
    """The mean of a text's word vectors into a softmax: it knows which words there are, not how they are put together.

    Args:
        vocabulary: of words and labels.
        config: a resolved one.
    """

    def __init__(self, vocabulary: Vocabulary, config: Config) -> None:
        super().__init__()
        size = required(config.embedding_size, "embedding_size")
        self.dropout = required(config.dropout, "dropout")
        self.word_dropout = required(config.word_dropout, "word_dropout")
        self.embeddings = WordVectors(vocabulary, size, config.freeze_embeddings)
        self.output = nn.Linear(size, len(vocabulary.labels))

    def forward(self, batch: Batch, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of a batch, `(B, C)`; no dropout without a generator."""
        return self.logits_of(self.embeddings(batch.tokens), batch.lengths, generator)

    def logits_of(self, vectors: Tensor, lengths: Tensor, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of texts as word vectors `(B, T, E)`, of `lengths` `(B,)`: `(B, C)`."""
        if generator:
            vectors = generator.drop_units(generator.drop_steps(vectors, self.word_dropout), self.dropout)
        mean = (vectors * mask_of(vectors, lengths)[:, :, None]).sum(dim=1) / lengths[:, None]  # (B, E)
        logits: Tensor = self.output(mean)
        return logits


class Recurrent(nn.Module):
    """A recurrent stack over a text's words, its outputs pooled into a softmax.

    Args:
        vocabulary: of words and labels.
        config: a resolved one.
    """

    def __init__(self, vocabulary: Vocabulary, config: Config) -> None:
        super().__init__()
        size = required(config.embedding_size, "embedding_size")
        self.dropout = required(config.dropout, "dropout")
        self.word_dropout = required(config.word_dropout, "word_dropout")
        self.pooling = required(config.pooling, "pooling")
        self.embeddings = WordVectors(vocabulary, size, config.freeze_embeddings)
        self.recurrent = Stack(
            required(config.cell, "cell"),
            size,
            required(config.hidden_size, "hidden_size"),
            required(config.num_layers, "num_layers"),
            bidirectional=required(config.bidirectional, "bidirectional"),
            dropout=self.dropout,
        )
        self.output = nn.Linear(self.recurrent.output_size, len(vocabulary.labels))

    def forward(self, batch: Batch, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of a batch, `(B, C)`; no dropout without a generator."""
        return self.logits_of(self.embeddings(batch.tokens), batch.lengths, generator)

    def logits_of(self, vectors: Tensor, lengths: Tensor, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of texts as word vectors `(B, T, E)`, of `lengths` `(B,)`: `(B, C)`."""
        mask = mask_of(vectors, lengths)  # (B, T)
        if generator:
            vectors = generator.drop_units(generator.drop_steps(vectors, self.word_dropout), self.dropout)
        outputs = self.recurrent.annotate(vectors, mask, generator)  # (B, T, H)
        pooled = self._pooled(outputs, mask, lengths)[:, None]  # (B, 1, H)
        if generator:
            pooled = generator.drop_units(pooled, self.dropout)
        logits: Tensor = self.output(pooled[:, 0])
        return logits

    def _pooled(self, outputs: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        """What is made of the outputs for all words, `(B, H)`."""
        if self.pooling == "mean":
            return outputs.sum(dim=1) / lengths[:, None]  # zero where nothing is
        if self.pooling == "max":
            return outputs.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)
        last = outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]  # (B, H)
        if self.recurrent.directions == 1:
            return last
        half = self.recurrent.hidden_size
        return torch.cat([last[:, :half], outputs[:, 0, half:]], dim=-1)  # where each direction ends


def mask_of(vectors: Tensor, lengths: Tensor) -> Tensor:
    """True for the words of texts `(B, T, E)` that are there, `(B, T)`."""
    return torch.arange(vectors.shape[1], device=vectors.device) < lengths[:, None]


def score_texts(
    network: nn.Module,
    texts: Sequence[Encoded],
    device: torch.device,
    max_length: int,
    report: Report = unreported,
) -> FloatArray:
    """The logits of any number of texts, `(texts, C)`, read in batches of similar lengths.

    Args:
        network: maps a `Batch` to logits.
        texts: at least one.
        device: where the network is.
        max_length: words that are read of a text.
        report: told of progress.
    """

    @torch.no_grad()
    def score(some: Sequence[Encoded]) -> FloatArray:
        logits: FloatArray = network(make_batch(some, max_length).to(device)).float().cpu().numpy()
        return logits

    return in_batches(score, texts, max_length, report)
