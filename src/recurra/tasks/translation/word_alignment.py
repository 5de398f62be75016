"""Which words of a translation come from which words of the source, by the attention weights."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.arrays import FloatArray
from recurra.data.placeholders import Placeholders
from recurra.tasks.translation.reading import Reading

Pairs = list[tuple[int, int]]
"""Index of a source word and of a target word, from 0; words are what white space parts."""


def align_words(weights: FloatArray, source: Sequence[list[int]], target: Sequence[list[int]]) -> Pairs:
    """For each target word the source word that it attends to most, over all its tokens.

    Args:
        weights: `(target tokens, source tokens)`; those of the ends may follow.
        source: for each source token the words it is part of.
        target: for each target token likewise.
    """
    totals: dict[int, dict[int, float]] = {}
    for row, words in zip(weights, target, strict=False):
        for word in words:
            sums = totals.setdefault(word, {})
            for weight, others in zip(row, source, strict=False):
                for other in others:
                    sums[other] = sums.get(other, 0.0) + float(weight)
    best = {word: max(sums, key=lambda other: (sums[other], -other)) for word, sums in totals.items() if sums}
    return sorted((other, word) for word, other in best.items())


def pharaoh(pairs: Pairs) -> str:
    """Pairs as Moses and others write them: 0-0 1-2."""
    return " ".join(f"{source}-{target}" for source, target in pairs)


def words_of(pieces: Sequence[bytes], reading: Reading, placeholders: Placeholders) -> list[list[int]]:
    """The words, in the text that a person reads, that each token is part of; none for a lone space.

    Args:
        pieces: the bytes of each token, which joined are a text with placeholders.
        reading: says what these stand for.
        placeholders: the model's.
    """
    words = _words_of_bytes(b"".join(pieces).decode("utf-8", "surrogateescape"), reading, placeholders)
    found, begin = [], 0
    for piece in pieces:
        found.append(sorted({word for each in words[begin : begin + len(piece)] for word in each}))
        begin += len(piece)
    return found


def _words_of_bytes(text: str, reading: Reading, placeholders: Placeholders) -> list[list[int]]:
    """The words that each byte of a text is part of; a placeholder may stand for several."""
    word, inside = -1, False
    found: list[list[int]] = []
    for character in text:
        touched = set()
        for shown in reading.restored(character, placeholders):
            word += not (inside or shown.isspace())
            inside = not shown.isspace()
            touched |= {word} if inside else set()
        found += [sorted(touched)] * len(character.encode("utf-8", "surrogateescape"))
    return found
