"""What a model's answer to a text came from, gathered: saliency, gradients, n-grams, the nearest examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recurra.arrays import DoubleArray, FloatArray
from recurra.errors import OptionError, RecurraError
from recurra.progress import Report, bar, unreported
from recurra.tasks.sentiment.data import UNKNOWN_WORD, Texts, hasher_of
from recurra.tasks.sentiment.networks import Average, Recurrent, make_batch, score_texts
from recurra.tasks.sentiment.ngrams import Mix, Ngrams, contributions
from recurra.tasks.sentiment.saliency import (
    MOST_WORDS,
    Attribution,
    Pair,
    Represent,
    Saliency,
    explain_words,
    integrated_gradients,
    nearest,
)
from recurra.tasks.sentiment.scoring import cut_middle

if TYPE_CHECKING:
    from recurra.tasks.sentiment.model import Model

MOST_TEXTS = 50
"""So many texts are explained at once."""

MOST_EXAMPLES = 20_000
"""Of more examples so many are compared, evenly spread over them."""

NEIGHBOURS = 5
"""So many of the nearest examples are shown."""

MOST_PAIRS = 5
"""So many pairs are shown."""

SMALL_PAIR = 0.1
"""A weaker interaction, in log-odds, is not worth a line."""

LEAST_SCALE = 1.0
"""Log-odds that the strongest colour stands for at least."""


class Example(NamedTuple):
    """A labelled text that the model sees much like the one explained.

    Attributes:
        text: what it says.
        label: its own label.
        similarity: see `saliency.Neighbour`.
    """

    text: str
    label: str
    similarity: float


class NgramEffect(NamedTuple):
    """What an n-gram adds to the log-odds of the target.

    Attributes:
        ngram: its words.
        effect: exact of two labels; of more, what it adds to the target's logit beyond the mean of the others'.
    """

    ngram: str
    effect: float


@dataclass(frozen=True)
class Explanation:
    """Why a model gave a text its label.

    Attributes:
        text: as it was given.
        labels: the classes by name.
        known: whether the model has seen each word.
        saliency: what each word, each pair and each beginning did.
        attribution: integrated gradients; None for a model without word vectors.
        ngrams: the largest effects first; none for a model without n-grams.
        examples: the nearest ones; none if there was nothing to compare with.
    """

    text: str
    labels: Sequence[str]
    known: Sequence[bool]
    saliency: Saliency
    attribution: Attribution | None
    ngrams: Sequence[NgramEffect]
    examples: Sequence[Example]

    @property
    def answer(self) -> str:
        """The most probable label."""
        return self.labels[int(self.saliency.probabilities.argmax())]

    @property
    def target(self) -> str:
        """The label whose log-odds effects are on."""
        return self.labels[self.saliency.target]

    @property
    def opposite(self) -> str:
        """What speaks against the target."""
        return self.labels[0] if len(self.labels) == 2 else "others"

    @property
    def after_words(self) -> DoubleArray:
        """The target's probability after each word, `(words,)`; between beginnings that were read, on a line."""
        saliency = self.saliency
        ends = np.arange(1, len(saliency.words) + 1)
        return np.interp(ends, saliency.prefixes, saliency.curve[:, saliency.target])

    @property
    def scale(self) -> float:
        """The effect that the strongest colour and the longest bar stand for."""
        effects = [self.saliency.occlusion, *([self.attribution.effects] if self.attribution else [])]
        return max(LEAST_SCALE, float(np.abs(np.concatenate(effects)).max()))

    @property
    def strongest(self) -> list[Pair]:
        """The pairs that are worth showing."""
        return [pair for pair in self.saliency.pairs[:MOST_PAIRS] if abs(pair.effect) >= SMALL_PAIR]


@dataclass(frozen=True)
class Explained:
    """Several texts, explained.

    Attributes:
        explanations: of each.
        files: the page and the picture, if they were to be written.
    """

    explanations: Sequence[Explanation]
    files: tuple[Path, ...] = ()


def explain_texts(model: Model, texts: Sequence[str], examples: Texts | None = None) -> list[Explanation]:
    """Explain a model's answers to some texts.

    Args:
        model: whose answers.
        texts: at most `MOST_TEXTS`.
        examples: labelled texts to look for near ones among; None for none.

    Raises:
        RecurraError: if there are no texts or too many, one is empty or too long, or the answers are not numbers.
    """
    if not 0 < len(texts) <= MOST_TEXTS:
        raise OptionError(f"{len(texts):,} texts are to be explained; give 1 to {MOST_TEXTS}")
    taken_apart = [_words(model, text) for text in texts]
    near: list[list[Example]] = [[]] * len(texts)
    with bar("explaining") as shown:
        if examples is not None:
            near = _nearest(model, texts, examples, lambda done: shown.update(0.5 * done))
        found = []
        for number, (text, words) in enumerate(zip(texts, taken_apart, strict=True)):
            shown.update((number + 1) / (len(texts) + 1))
            found.append(_explain(model, text, words, near[number]))
    return found


def _words(model: Model, text: str) -> list[str]:
    words = model.vocabulary.split(text)
    if not words:
        raise RecurraError("there is no text to explain; give one that has a word")
    if len(words) > MOST_WORDS:
        raise RecurraError(
            f"a text has {len(words):,} words, but at most {MOST_WORDS:,} are explained; give a part of it"
        )
    return words


def _explain(model: Model, text: str, words: Sequence[str], examples: Sequence[Example]) -> Explanation:
    def score(texts: Sequence[Sequence[str]]) -> DoubleArray:
        return model.logits(texts).astype(np.float64) / model.temperature

    unknown = set(model.unknown_in(text))
    saliency = explain_words(words, score)
    return Explanation(
        text=text,
        labels=model.labels,
        known=[word not in unknown for word in words],
        saliency=saliency,
        attribution=attribute(model, words, saliency.target),
        ngrams=ngram_effects(model, words, saliency.target),
        examples=examples,
    )


def attribute(model: Model, words: Sequence[str], target: int) -> Attribution | None:
    """Integrated gradients of a model's log-odds from unknown words to those of a text; None without word vectors.

    What a recurrent network does not read of a long text has no effect.

    Args:
        model: the model.
        words: of the text.
        target: the label whose log-odds.
    """
    reader = reader_of(model.network)
    if reader is None:
        return None
    tokens = model.encode(words).tokens
    read = cut_middle(np.arange(len(tokens), dtype=np.int32), model.config.max_length)

    finish = _calibrated(model, words)
    with torch.no_grad():
        vectors = reader.embeddings(torch.from_numpy(tokens[read].astype(np.int64))[None].to(model.device))[0]
        unknown = reader.embeddings(torch.tensor([[UNKNOWN_WORD]], device=model.device))[0]
    found = integrated_gradients(reader, vectors, unknown.expand_as(vectors), target, finish)
    effects = np.zeros(len(words))
    effects[read] = found.effects
    return found._replace(effects=effects)


def _calibrated(model: Model, words: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """What makes the model's calibrated logits of those of the part that reads vectors; n-grams stay as they are."""
    network = model.network
    if not isinstance(network, Mix):
        return lambda logits: logits / model.temperature
    with torch.no_grad():
        batch = make_batch([model.encode(words)], model.config.max_length).to(model.device)
        rest = network.weights[1] * network.ngrams(batch)
    return lambda logits: (network.weights[0] * logits + rest) / model.temperature


def ngram_effects(model: Model, words: Sequence[str], target: int) -> list[NgramEffect]:
    """What each n-gram of a text adds to the log-odds of a label, the largest effect first."""
    hasher = hasher_of(model.config)
    if hasher is None or not isinstance(model.network, Ngrams | Mix):
        return []
    effects = []
    for ngram, values in contributions(model.network, hasher, words):
        others = float(np.delete(values, target).mean())
        effects.append(NgramEffect(ngram, (float(values[target]) - others) / model.temperature))
    return sorted(effects, key=lambda each: -abs(each.effect))


def reader_of(network: nn.Module) -> Average | Recurrent | None:
    """The part of a network that reads word vectors; None if none does."""
    return next((part for part in network.modules() if isinstance(part, Average | Recurrent)), None)


def _nearest(model: Model, texts: Sequence[str], examples: Texts, report: Report = unreported) -> list[list[Example]]:
    """The nearest examples of each text, without those that say the same."""
    reader = reader_of(model.network)
    if reader is None:
        raise OptionError(
            f"{model.name} counts n-grams, and has no space for texts to be near in; leave `examples` out"
        )
    stride = -(-len(examples) // MOST_EXAMPLES)
    kept = range(0, len(examples), stride)
    represent = Represent(reader)

    def representations(several: Sequence[str], report: Report) -> FloatArray:
        encoded = [model.encode(text) for text in several]
        return score_texts(represent, encoded, model.device, model.config.max_length, report)

    known = representations([examples.texts[position] for position in kept], report)
    found = []
    for text, own in zip(texts, representations(texts, unreported), strict=True):
        same = sum(examples.texts[position] == text for position in kept)
        near = [(kept[each.position], each.similarity) for each in nearest(own, known, NEIGHBOURS + same)]
        others = [(position, cosine) for position, cosine in near if examples.texts[position] != text]
        found.append(
            [Example(examples.texts[position], examples.labels[position], cosine) for position, cosine in others]
        )
    return [each[:NEIGHBOURS] for each in found]
