"""What must not change in a translation, and is not translated: placeholders stand for it on both sides.

The network reads and writes the placeholders, which are single characters of Unicode's private use area; what they
stand for is put back into the output. So a number or a name that was never seen is copied to the last letter, by any
kind of tokens. What is found by a pattern (numbers, `%s`, `{name}`, tags, addresses) always becomes a placeholder; a
word does if it was never seen, where the network has learned that by seeing some of the words that both sides share
hidden so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import regex

from recurra.data.tokenizer import PLACEHOLDERS, normalized
from recurra.data.words import find_words, has_letters, require_spaces
from recurra.errors import OptionError, RecurraError

NUMBERS = r"(?<![\w.,])\d+(?:[.,:]\d+)*(?!\w)"
"""Numbers and times of day, which not all translations keep."""

MARKUP = "|".join(
    [
        r"(?:https?|ftp)://[^\s<>\"']*[^\s<>\"'.,;:!?)\]}]",
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"</?[A-Za-z][^<>]{0,200}>",
        r"\$?\{\{?[\w.:!$-]*\}?\}",
        r"%(?:\(\w+\)|\d+\$)?[-+#0]*\d*(?:\.\d+)?l?[sdifuxXgeco@](?!\w)",
        r"&(?:\w+|#\d+);",
    ]
)
"""Addresses, tags, names in braces, printf's and Objective-C's placeholders, HTML's entities."""

AUTO, NONE = "auto", "none"
"""Values of `keep` that are no patterns: what the pairs themselves keep, and nothing."""

MIN_SHARE, MIN_COUNT = 0.95, 20
"""A kind of text is kept without being asked for if it stands there so often, and this share of it on both sides."""

MAX_JUDGED = 50_000
"""More pairs than this are not looked at to see what is kept."""

MIN_PAIRS = 10
"""A placeholder that fewer pairs need is not used: nothing is learned about it."""

HIDDEN = 0.2
"""The share of pairs in which the words of both sides are hidden in training, with `copy_words`."""

MAX_WORDS = 100_000
"""So many words at most are known to have been seen."""

SECONDS = 10.0
"""A pattern that takes longer in one sentence is given up."""


class Masked(NamedTuple):
    """A text with placeholders.

    Attributes:
        text: as the network reads it.
        values: what the placeholders stand for, in their order.
    """

    text: str
    values: tuple[str, ...]


Span = tuple[int, int]
"""Where something begins in a text and where it ends."""


@dataclass(frozen=True)
class Placeholders:
    """Which parts of a text placeholders stand for.

    Attributes:
        pattern: a regular expression of what is always kept; empty for nothing.
        count: how many placeholders a text may have; what is beyond stays as it is.
        words: those that were seen in training: others are kept; None keeps no words.
    """

    pattern: str = ""
    count: int = 0
    words: frozenset[str] | None = field(default=None, repr=False)

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern)

    @property
    def symbols(self) -> str:
        """The placeholders."""
        return PLACEHOLDERS[: self.count]

    def mask(self, text: str, translated: Collection[str] = (), words: bool = True) -> Masked:
        """A text with placeholders for what is kept.

        Args:
            text: any.
            translated: parts that are not kept, case-folded.
            words: whether words that were never seen are kept, if any are.
        """
        unknown = self._is_unknown if words and self.words is not None else None
        spans = self._kept(text, unknown) if self.count else []
        kept = [span for span in spans if text[slice(*span)].casefold() not in translated][: self.count]
        return Masked(_with_placeholders(text, kept, range(len(kept))), tuple(text[a:b] for a, b in kept))

    def mask_pair(self, source: str, target: str, hidden: Callable[[str], bool] | None = None) -> tuple[str, str]:
        """A sentence and its translation with placeholders for what is kept and stands in both.

        Args:
            source: a sentence.
            target: its translation.
            hidden: further words that are kept.
        """
        if not self.count:
            return source, target
        wanted = _either(self._is_unknown if self.words is not None else None, hidden)
        places: dict[str, list[Span]] = {}
        for begin, end in self._kept(target, has_letters if wanted else None):
            places.setdefault(target[begin:end], []).append((begin, end))
        pairs = []
        for begin, end in self._kept(source, wanted):
            if there := places.get(source[begin:end]):
                pairs.append(((begin, end), there.pop(0)))
        pairs = pairs[: self.count]
        mine, theirs = [first for first, _ in pairs], [second for _, second in pairs]
        order = sorted(range(len(theirs)), key=theirs.__getitem__)
        masked = _with_placeholders(source, mine, range(len(mine)))
        return masked, _with_placeholders(target, [theirs[index] for index in order], order)

    def _is_unknown(self, word: str) -> bool:
        assert self.words is not None
        form = normalized(word, "NFC")
        return has_letters(form) and form not in self.words and form.lower() not in self.words

    def _kept(self, text: str, is_kept: Callable[[str], bool] | None) -> list[Span]:
        """Where what is kept stands, in order: what the pattern finds, and outside of that the words."""
        spans = list(_found(self._compiled, text))
        if is_kept is None:
            return spans
        covered = np.zeros(len(text) + 1, dtype=bool)
        for begin, end in spans:
            covered[begin:end] = True
        words = [(a, b) for a, b in _words(text) if not covered[a:b].any() and is_kept(text[a:b])]
        return sorted(spans + words)

    def unmask(self, text: str, values: Sequence[str]) -> str:
        """A text with what its placeholders stand for; without those that stand for nothing."""
        if not self.count:
            return text
        numbers = {name: number for number, name in enumerate(self.symbols)}
        parts = []
        for character in text:
            number = numbers.get(character)
            parts.append(character if number is None else values[number] if number < len(values) else "")
        return "".join(parts)

    def hide(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[str], list[str]]:
        """Pairs to learn copying from: in a share of them a placeholder stands for each word that both sides share.

        With `words` None nothing is hidden. Which pairs these are depends on nothing but their number.
        """
        if self.words is None:
            return list(sources), list(targets)
        drawn = np.random.default_rng(0).random(len(sources)) < HIDDEN
        pairs = [
            self.mask_pair(source, target, has_letters) if chosen else (source, target)
            for source, target, chosen in zip(sources, targets, drawn, strict=True)
        ]
        return [source for source, _ in pairs], [target for _, target in pairs]

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make them again, as JSON values."""
        words = None if self.words is None else sorted(self.words)
        return {"pattern": self.pattern, "count": self.count, "words": words}

    @classmethod
    def from_json(cls, values: object, where: str) -> Placeholders:
        """Those that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"pattern": str(pattern), "count": int(count), "words": list() | None as words}:
                if 0 <= count <= len(PLACEHOLDERS) and all(isinstance(word, str) for word in words or ()):
                    found = cls(pattern, count, None if words is None else frozenset(words))
                    try:
                        _ = found._compiled
                    except OptionError as error:
                        raise RecurraError(f"{where}: {error}") from error
                    return found
        raise RecurraError(f"{where} does not say what is kept; the file is damaged, copy or train the model again")


NO_PLACEHOLDERS = Placeholders()
"""Nothing is kept."""


def fit(keep: str, copy_words: bool, sources: Sequence[str], targets: Sequence[str], min_count: int) -> Placeholders:
    """The placeholders of a model that is trained on pairs.

    Args:
        keep: a regular expression; "auto" for the kinds of text that these pairs keep, "none" for none.
        copy_words: whether words that were never seen are kept.
        sources: sentences.
        targets: their translations.
        min_count: a word that occurs less often has not been seen.

    Raises:
        OptionError: if `keep` is no regular expression, or finds nothing at all everywhere.
        RecurraError: if words are to be copied from sentences that put no spaces between them.
    """
    pattern = _kept_by(sources, targets) if keep == AUTO else "" if keep == NONE else keep
    words = _seen(sources, min_count) if copy_words else None
    most = Placeholders(pattern, len(PLACEHOLDERS), words)
    if not pattern and words is None:
        return NO_PLACEHOLDERS
    used = Counter[str]()
    for pair in zip(*most.hide(sources, targets), strict=True):
        used.update(set(most.mask_pair(*pair)[0]) & set(PLACEHOLDERS))
    count = next((n for n, name in enumerate(PLACEHOLDERS) if used[name] < MIN_PAIRS), len(PLACEHOLDERS))
    return Placeholders(pattern, count, words) if count else NO_PLACEHOLDERS


def _kept_by(sources: Sequence[str], targets: Sequence[str]) -> str:
    """What these pairs keep, numbers or not; markup that does not occur is kept where numbers are."""
    step = -(-len(sources) // MAX_JUDGED) or 1
    some, others = sources[::step], targets[::step]
    shares = {pattern: _share(compile_pattern(pattern), some, others) for pattern in (MARKUP, NUMBERS)}
    kept = [p for p, (count, share) in shares.items() if count >= MIN_COUNT and share >= MIN_SHARE]
    if kept and MARKUP not in kept and shares[MARKUP][0] == 0:
        kept.insert(0, MARKUP)
    return "|".join(kept)


def _share(pattern: Any, sources: Sequence[str], targets: Sequence[str]) -> tuple[int, float]:
    """How often a pattern is found in sources, and the share of that which stands in the targets too."""
    count = kept = 0
    for source, target in zip(sources, targets, strict=True):
        found = Counter(source[begin:end] for begin, end in _found(pattern, source))
        if found:
            count += found.total()
            kept += (found & Counter(target[begin:end] for begin, end in _found(pattern, target))).total()
    return count, kept / count if count else 0.0


def _seen(sources: Iterable[str], min_count: int) -> frozenset[str]:
    """The words of sentences, of which those in capitals at their beginning are the small ones too."""
    counts = Counter(normalized(sentence[a:b], "NFC") for sentence in sources for a, b in _words(sentence))
    counts = Counter({word: count for word, count in counts.items() if has_letters(word)})
    require_spaces(counts, "leave out `copy_words`")
    return frozenset(word for word, count in counts.most_common(MAX_WORDS) if count >= min_count)


def compile_pattern(pattern: str) -> Any:
    """A regular expression, in which the placeholders themselves are found too, should a text have some.

    Raises:
        OptionError: if it is none, or finds nothing at all everywhere.
    """
    try:
        regex.compile(pattern)  # alone: messages give places in it
        compiled = regex.compile("|".join(filter(None, [pattern, f"[{PLACEHOLDERS}]"])))
    except regex.error as error:
        raise OptionError(f"`keep` {pattern[:60]!r} is no regular expression ({error}); correct it") from error
    if compiled.fullmatch(""):
        raise OptionError(f"`keep` {pattern[:60]!r} finds the empty text everywhere; ask for at least one character")
    return compiled


def _found(pattern: Any, text: str) -> Iterator[Span]:
    try:
        yield from (found.span() for found in pattern.finditer(text, timeout=SECONDS) if found.group())
    except TimeoutError as error:
        raise RecurraError(
            f"`keep` takes more than {SECONDS:.0f} seconds in the sentence that begins with {text[:20]!r}; give a "
            "simpler pattern"
        ) from error


def _words(text: str) -> Iterator[Span]:
    """The words of a text and its other characters, without the space before them."""
    begin = 0
    for word in find_words(text):
        end = begin + len(word)
        yield begin + word.startswith(" ") * (len(word) > 1), end
        begin = end


def _either(first: Callable[[str], bool] | None, second: Callable[[str], bool] | None) -> Callable[[str], bool] | None:
    given = [each for each in (first, second) if each is not None]
    return (lambda word: any(each(word) for each in given)) if given else None


def _with_placeholders(text: str, spans: Sequence[Span], numbers: Iterable[int]) -> str:
    """A text with placeholders of these numbers in the place of spans, which are in order."""
    parts, done = [], 0
    for (begin, end), number in zip(spans, numbers, strict=True):
        parts += [text[done:begin], PLACEHOLDERS[number]]
        done = end
    return "".join([*parts, text[done:]])
