"""How good outputs are against references: BLEU and chrF by `sacrebleu`, error rates by `rapidfuzz`, exact match."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any, Literal

from recurra.errors import RecurraError

Tokenize = Literal["13a", "none", "char", "intl", "zh"]
"""How sacrebleu splits sentences into words before it compares them; see its documentation."""

MISSING = "BLEU, chrF and error rates need more packages: pip install 'recurra[translation]'"

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20\U00020000-\U0003ffff"  # Chinese, Japanese
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")


@dataclass(frozen=True)
class Quality:
    """Of a set of outputs.

    Attributes:
        bleu: Papineni et al. 2002, in points of a hundred.
        chrf: Popović 2015, chrF2, in points of a hundred.
        wer: words, as spaces part them, that are substituted, inserted or deleted, by the words of the references, over
            all outputs together; of several references the one with the fewest errors counts. Where the words are the
            sounds of a pronunciation it is the phone error rate.
        cer: likewise of characters.
        exact_match: share of outputs that are the reference, letter by letter, 0 to 1.
        count: outputs.
        signature: how BLEU and chrF were reckoned, for others to do the same.
    """

    bleu: float
    chrf: float
    wer: float
    cer: float
    exact_match: float
    count: int
    signature: str


References = Sequence[str | Sequence[str]]
"""What is right for each output: a text, or several."""


def measure(
    outputs: Sequence[str], references: References, tokenize: Tokenize = "13a", lowercase: bool = False
) -> Quality:
    """Compare outputs with one reference each, or with several.

    Args:
        outputs: detokenised, unless `tokenize` is "none".
        references: as many, at least one. Of several texts any is an exact match.
        tokenize: how to split into words for BLEU.
        lowercase: whether capital letters count as small ones in BLEU, chrF and the error rates.

    Raises:
        RecurraError: if sacrebleu or rapidfuzz is not installed.
        ValueError: if there is nothing to compare, or not as many references as outputs.
    """
    if not outputs:
        raise ValueError("there are no outputs to compare")
    bleu, chrf = _scorers(tokenize, lowercase)
    answers = [[each] if isinstance(each, str) else list(each) for each in references]
    exact = sum(output in right for output, right in zip(outputs, answers, strict=True))
    # One list for all first references, one for all second ones; None where there is none.
    streams = list(map(list, zip_longest(*answers)))
    bleu_score = bleu.corpus_score(list(outputs), streams)
    chrf_score = chrf.corpus_score(list(outputs), streams)
    signature = f"BLEU|{bleu.get_signature()} chrF2|{chrf.get_signature()}"
    wer, cer = _error_rates(outputs, answers, lowercase)
    return Quality(bleu_score.score, chrf_score.score, wer, cer, exact / len(outputs), len(outputs), signature)


def _error_rates(outputs: Sequence[str], answers: Sequence[Sequence[str]], lowercase: bool) -> tuple[float, float]:
    """Of words and of characters; see `Quality`."""
    try:
        from rapidfuzz.distance.Levenshtein import distance
    except ImportError as error:
        raise RecurraError(MISSING) from error
    cuts: tuple[Callable[[str], Sequence[str]], ...] = (str.split, str)
    rates = []
    for cut in cuts:
        errors = total = 0
        for output, right in zip(outputs, answers, strict=True):
            made, *wanted = (cut(text.lower() if lowercase else text) for text in (output, *right))
            fewest, length = min((distance(made, each), -len(each)) for each in wanted)
            errors, total = errors + fewest, total - length
        rates.append(errors / max(total, 1))
    return rates[0], rates[1]


def length_of(sentence: str) -> int:
    """Words of a sentence, as spaces part them; each character of a script that is written without spaces is one."""
    return len(words_of(sentence))


def words_of(text: str) -> list[str]:
    """The words of a text, see `length_of`."""
    return _WORD.findall(text)


def by_length(
    outputs: Sequence[str],
    references: References,
    lengths: Sequence[int],
    tokenize: Tokenize = "13a",
    lowercase: bool = False,
    parts: int = 4,
) -> list[dict[str, Any]]:
    """The quality of parts of the outputs by the length of their sources, the shortest first.

    Args:
        outputs: as in `measure`.
        references: as many.
        lengths: of the sources; outputs of equal lengths stay in one part.
        tokenize: as in `measure`.
        lowercase: as in `measure`.
        parts: into how many, of about equal size.

    Returns:
        For each part the `shortest` and the `longest` length, `count`, `bleu`, `chrf` and `exact_match`.
    """
    ordered = sorted(lengths)
    # A border is the least length above it: never the least of all, below which there is nothing.
    above = [length for length in ordered if length > ordered[0]]
    wanted = {max(ordered[len(ordered) * part // parts], above[0]) for part in range(1, parts)} if above else set()
    borders = sorted(wanted)
    groups: list[list[tuple[str, str | Sequence[str], int]]] = [[] for _ in range(len(borders) + 1)]
    for row in zip(outputs, references, lengths, strict=True):
        groups[bisect_right(borders, row[2])].append(row)
    rows = []
    for group in filter(None, groups):
        some_outputs, some_references, some_lengths = zip(*group, strict=True)
        figures = asdict(measure(some_outputs, some_references, tokenize, lowercase))
        for name in ("wer", "cer", "signature"):
            del figures[name]
        rows.append({"shortest": min(some_lengths), "longest": max(some_lengths)} | figures)
    return rows


def sentence_chrf(output: str, references: Sequence[str], lowercase: bool = False) -> float:
    """chrF2 of one output, in points of a hundred."""
    return float(_scorers("none", lowercase)[1].sentence_score(output, list(references)).score)


def _scorers(tokenize: Tokenize, lowercase: bool) -> tuple[Any, Any]:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise RecurraError(MISSING) from error
    # `force` only silences the guess that text which looks tokenised ought not to be.
    return BLEU(tokenize=tokenize, lowercase=lowercase, force=True), CHRF(lowercase=lowercase)
