"""The character n-grams of a whole vocabulary at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.data.vectors import FNV_OFFSET, FNV_PRIME, CharacterNgrams
from recurra.data.word_index import WordIndex
from recurra.kernels import jit
from recurra.tasks.embeddings.learning.window_draws import Words
from recurra.tasks.embeddings.learning.window_kernels import Runs

ByteArray = NDArray[np.uint8]

_OFFSET, _PRIME = np.uint32(FNV_OFFSET), np.uint32(FNV_PRIME)
_BEGIN, _END = ord("<"), ord(">")


def runs_of(words: WordIndex, ngrams: CharacterNgrams | None) -> Runs:
    """What `CharacterNgrams.rows` gives for each word, one after another; nothing without n-grams."""
    if ngrams is None:
        return Runs(np.zeros(len(words) + 1, np.int64), np.zeros(0, np.int32))
    text, offsets = np.ascontiguousarray(words.text), np.ascontiguousarray(words.offsets)
    spans = np.zeros(len(words) + 1, np.int64)
    arguments = (text, offsets, ngrams.shortest, ngrams.longest, ngrams.buckets, spans)
    _hash_runs(*arguments, np.zeros(0, np.int32))
    np.cumsum(spans, out=spans)
    rows = np.empty(spans[-1], np.int32)
    _hash_runs(*arguments, rows)
    return Runs(spans, rows)


@jit()
def _hash_runs(
    text: ByteArray, offsets: IntArray, shortest: int, longest: int, buckets: int, spans: IntArray, rows: Words
) -> None:
    """Count the runs of each word if there is no room for their rows: `spans[word + 1]`; else write the rows."""
    writes = rows.shape[0] > 0
    total = 0
    for word in range(offsets.shape[0] - 1):
        begin, end = offsets[word] - 1, offsets[word + 1] + 1  # with the marks around it
        found = 0
        for first in range(begin, end):
            if begin < first < end - 1 and (text[first] & 0xC0) == 0x80:
                continue  # within a character
            value, length = _OFFSET, 0
            for place in range(first, end):
                byte = _BEGIN if place == begin else _END if place == end - 1 else int(text[place])
                value = np.uint32((value ^ np.uint32(byte)) * _PRIME)
                if place < end - 2 and (text[place + 1] & 0xC0) == 0x80:
                    continue  # the character goes on
                length += 1
                if length > longest:
                    break
                if length >= shortest:
                    if writes:
                        rows[total] = value % np.uint32(buckets)
                    total += 1
                    found += 1
        if not writes:
            spans[word + 1] = found
