"""How good captions are against people's: BLEU, ROUGE-L and CIDEr-D as COCO's evaluation reckons them.

The values are those of the package pycocoevalcap 1.2 on the same tokens (see `ptb`), times 100, with its oddities,
which every published figure has too:

- BLEU adds 1e-9 to what it divides by and 1e-15 to what it divides, so that captions without a common n-gram score
  next to nothing instead of nothing. Of two references equally near in length the shorter one counts.
- ROUGE-L takes the best precision and the best recall, even of two different references. A caption without tokens is
  one empty token, so that it matches a reference without tokens.
- What is called CIDEr is CIDEr-D (Vedantam et al. 2015, section 5), without stemming. Its lengths are counted in
  bigrams: one less than tokens, but none for a caption of one token as for one of none. The document frequencies are
  those of the references that are scored against. So figures of different test sets do not compare, and nothing can
  be said of a single picture: every n-gram is in all documents and weighs nothing, and pycocoevalcap's 0 is None here.
  Where no reference has a token, pycocoevalcap fails; here CIDEr is 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recurra.tasks.captions.ptb import tokenize

Tokens = Sequence[str]
NGram = tuple[str, ...]

MAX_ORDER = 4
"""The longest n-grams that are compared."""

BETA = 1.2
"""How much more recall counts than precision in ROUGE-L."""

SIGMA = 6.0
"""Difference in bigrams at which CIDEr-D's penalty for another length is exp(-1/2)."""

_SMALL, _TINY = 1e-9, 1e-15


@dataclass(frozen=True)
class CaptionScores:
    """Of a set of captions; all but counts in points of a hundred.

    Attributes:
        bleu: BLEU-1 to BLEU-4 of the whole set (Papineni et al. 2002).
        rouge_l: mean over the pictures (Lin 2004).
        cider: mean over the pictures, 0 to 1,000; None if there is one picture only.
        distinct: different captions among those scored, as tokens.
        count: pictures.
    """

    bleu: tuple[float, float, float, float]
    rouge_l: float
    cider: float | None
    distinct: int
    count: int


def score(heard: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Compare captions with people's.

    Args:
        heard: one for each picture, at least one; it may be empty.
        references: of each picture one or more, not as many of each.

    Raises:
        ValueError: if there is nothing to compare, not as many references as captions, or a picture has none.
    """
    if not heard:
        raise ValueError("there are no captions to compare")
    if len(heard) != len(references) or not all(references):
        raise ValueError("every caption needs a reference or more")
    captions = [tokenize(caption) for caption in heard]
    tokens = [[tokenize(reference) for reference in group] for group in references]
    return CaptionScores(
        bleu=bleu(captions, tokens),
        rouge_l=rouge_l(captions, tokens),
        cider=cider(captions, tokens),
        distinct=len(set(map(tuple, captions))),
        count=len(captions),
    )


def bleu(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[float, float, float, float]:
    """BLEU-1 to BLEU-4 of tokens, for the whole set at once (Papineni et al. 2002)."""
    correct, guessed = [0] * MAX_ORDER, [0] * MAX_ORDER
    length = wanted = 0
    for caption, group in zip(captions, references, strict=True):
        length += len(caption)
        wanted += min((abs(len(reference) - len(caption)), len(reference)) for reference in group)[1]
        limits: Counter[NGram] = Counter()
        for reference in group:
            limits |= _ngrams(reference)
        for ngram, count in _ngrams(caption).items():
            guessed[len(ngram) - 1] += count
            correct[len(ngram) - 1] += min(count, limits[ngram])
    ratio = (length + _TINY) / (wanted + _SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    precisions = [(right + _TINY) / (all_ + _SMALL) for right, all_ in zip(correct, guessed, strict=True)]
    one, two, three, four = (100 * brevity * math.prod(precisions[:n]) ** (1 / n) for n in range(1, MAX_ORDER + 1))
    return one, two, three, four


def rouge_l(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """ROUGE-L of tokens, the mean over pictures: an F-measure of longest common subsequences (Lin 2004)."""
    total = 0.0
    for caption, group in zip(captions, references, strict=True):
        common = [(_common(caption or [""], reference or [""]), len(reference) or 1) for reference in group]
        precision = max(length for length, _ in common) / (len(caption) or 1)
        recall = max(length / size for length, size in common)
        if precision:
            total += (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
    return 100 * total / len(captions)


def cider(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float | None:
    """CIDEr-D of tokens, the mean over pictures (Vedantam et al. 2015, section 5); None if there is one picture."""
    if len(captions) < 2:
        return None
    counts = [[_ngrams(reference) for reference in group] for group in references]
    documents: Counter[NGram] = Counter()
    for group in counts:
        documents.update(set().union(*group))
    total = 0.0
    for caption, group in zip(captions, counts, strict=True):
        own = _Weighed(_ngrams(caption), documents, len(captions))
        similarities = (own.similarity(_Weighed(other, documents, len(captions))) for other in group)
        total += sum(similarities) / len(group)
    return 1000 * total / len(captions)


class _Weighed:
    """The n-grams of a caption, each by how often it is there and how rare it is in the references (tf-idf)."""

    def __init__(self, counts: Counter[NGram], documents: Counter[NGram], total: int) -> None:
        self.weights = {ngram: count * math.log(total / max(documents[ngram], 1)) for ngram, count in counts.items()}
        squares = [0.0] * MAX_ORDER
        for ngram, weight in self.weights.items():
            squares[len(ngram) - 1] += weight**2
        self.norms = [math.sqrt(square) for square in squares]
        self.bigrams = sum(count for ngram, count in counts.items() if len(ngram) == 2)

    def similarity(self, other: _Weighed) -> float:
        """The mean over n of clipped cosines, with the penalty for another length; 0 to 1."""
        products = [0.0] * MAX_ORDER
        for ngram, weight in self.weights.items():
            theirs = other.weights.get(ngram, 0.0)
            products[len(ngram) - 1] += min(weight, theirs) * theirs
        norms = (own * their for own, their in zip(self.norms, other.norms, strict=True))
        cosines = sum(product / norm for product, norm in zip(products, norms, strict=True) if norm)
        return cosines / MAX_ORDER * math.exp(-((self.bigrams - other.bigrams) ** 2) / (2 * SIGMA**2))


def _ngrams(tokens: Tokens) -> Counter[NGram]:
    return Counter(_all_ngrams(tokens))


def _all_ngrams(tokens: Tokens) -> Iterable[NGram]:
    for n in range(1, MAX_ORDER + 1):
        for begin in range(len(tokens) - n + 1):
            yield tuple(tokens[begin : begin + n])


def _common(one: Tokens, other: Tokens) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for index, theirs in enumerate(other, 1):
            above = row[index]
            row[index] = diagonal + 1 if token == theirs else max(above, row[index - 1])
            diagonal = above
    return row[-1]
