"""A line of text to its sentences."""

from __future__ import annotations

import regex

ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st rev gen col capt lt sgt hon jr sr vs etc cf e.g i.e p.m a.m no vol fig pp approx inc ltd co
    hr fr nr bzw z.b d.h u.a usw ca evtl ggf inkl vgl str abs art m mme mlle mm p.ex av bd ex sra sta ud uds""".split()  # noqa: SIM905
)
"""What a full stop follows within a sentence, without it and in small letters."""

_END = regex.compile(
    r"""[.!?\N{HORIZONTAL ELLIPSIS}]+[\p{Pe}\p{Pf}"']*\s+(?=[\p{Pi}\p{Ps}"'¿¡\p{Pd}\s]*[\p{Lu}\p{Lo}\p{Lt}\p{N}])"""
    r"""|[।။។]\s*|[。！？]+[\p{Pe}\p{Pf}]*\s*"""  # noqa: RUF001
)
"""An end of a sentence and the space after it: before what begins with a capital, or in a script that has none."""

_LAST_WORD = regex.compile(r"[^\s\p{Ps}\p{Pi}\"']+$")


def split_sentences(line: str) -> list[str]:
    """The sentences of a line, each with the space after it; joined they are the line.

    A full stop after an abbreviation, a single letter or a number with nothing but it before ends none.
    """
    sentences, begin = [], 0
    for found in _END.finditer(line):
        if not _goes_on(line[begin : found.start()], found.group()):
            sentences.append(line[begin : found.end()])
            begin = found.end()
    return [*sentences, line[begin:]] if begin < len(line) or not sentences else sentences


def _goes_on(before: str, end: str) -> bool:
    """Whether a sentence does not end with a full stop after these words."""
    if end.strip() != ".":
        return False
    last = _LAST_WORD.search(before)
    word = last.group() if last else ""
    initial = len(word) == 1 and word.isalpha()
    return word.lower() in ABBREVIATIONS or initial or (word.isdecimal() and word == before.strip())
