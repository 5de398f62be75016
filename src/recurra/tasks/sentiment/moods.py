"""`sample:moods`: English sentences that praise or blame, many of them by way of a negation.

A sentence is made from a frame, such as "<s> was not <adj>", which says how often it turns round the judgement of the
words put into it. Its label is computed from that and from nothing else: not from which words occur. "Good" and "bad"
are what a speaker means who must say one of them: "not unhappy" is positive, "hardly a great film" negative; after
"but" stands what decides, and so it does beside an "although".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from recurra.errors import OptionError
from recurra.tasks.sentiment import lexicon
from recurra.tasks.sentiment.lexicon import DOMAINS, Domain, Sides, article, held_out_of, past

NEGATIVE, POSITIVE = "negative", "positive"

MAX_COUNT = 100_000
"""So many sentences are there at most, well below what there is to say."""


class Frame(NamedTuple):
    """A way to say something.

    Attributes:
        text: words and slots. A slot `<adj>` holds a word that judges one way, `<-adj>` one that judges the other way.
        negations: how often the judgement of the slots without a minus is turned round.
    """

    text: str
    negations: int = 0


def _frames(text: str, negations: int) -> tuple[Frame, ...]:
    return tuple(Frame(line.strip(), negations) for line in text.strip().splitlines())


PLAIN = _frames(
    """
    <s> was <adj>
    <s> was <deg> <adj>
    <s> is <adj>
    <s> seemed <adj> to me
    <s> turned out <adj>
    <s> <rel> was <adj>
    that was <an> <noun>
    what <an> <noun>
    I found <s> <deg> <adj>
    I think <s> was <adj>
    I would call <s> <adj>
    they say <s> was <adj>
    it is true that <s> was <adj>
    everyone found <s> <adj>
    <s> was <adj> and <adj2>
    everything about <s> was <adj>
    <s> was <un>
    <s> is <un>
    I was <feel>
    I am <deg> <feel> <time>
    I felt <feel>
    we were <feel> <time>
    feeling <feel>
    feeling <feel> <time>
    <s> made me <feel>
    <s> left us <feel>
    <who> felt <feel> and <feel2>
    <who> <liked> <s>
    we <like> <s>
    I do <like> <s>
    you will <like> <s>
    <s> will <please> <whom>
    <who> really <liked> <s>
    <who> <liked> <s> <rel>
    I have to say that I <liked> <s>
    <s> <pleased> <whom>
    <s> <rel> <pleased> <whom>
    <s> was full of <quality>
    I remember the <quality> of <s>
    I noticed the <quality> and the <quality2>
    <s> started <begin>
    """,
    0,
)

NEGATION = (
    *_frames(
        """
    <s> was not <adj>
    <s> wasn't <adj>
    <s> is not <deg> <adj>
    <s> isn't <adj>
    <s> was never <adj>
    <s> was not <un>
    <s> wasn't <un>
    I did not find <s> <adj>
    I don't think <s> was <adj>
    nobody found <s> <adj>
    nobody would call <s> <adj>
    that was not <an> <noun>
    that was no <adj> <noun>
    not <an> <noun>
    nothing about <s> was <adj>
    <s> was neither <adj> nor <adj2>
    I was not <feel>
    I am not <feel> <time>
    not feeling <feel>
    not feeling <feel> <time>
    I did not feel <feel>
    <who> never felt <feel>
    <s> did not make me <feel>
    <s> never left us <feel>
    <who> did not <like> <s>
    <who> didn't <like> <s>
    <who> never <liked> <s>
    nobody <liked> <s>
    <s> did not <please> <whom>
    <s> never <pleased> <whom>
    <s> failed to <please> <whom>
    <s> had no <quality>
    <s> lacked <quality>
    <s> was without any <quality>
    <s> was without <quality>
    I can't say <s> was <adj>
    nobody could claim that <s> was <adj>
    I would never say that I <liked> <s>
    it is not true that <s> was <adj>
    I doubt that <s> was <adj>
    <s> was not <adj> but <-adj>
    """,
        1,
    ),
    *_frames(
        """
    <s> was <adj>, not <-adj>
    I was <feel>, not <-feel>
    <who> <liked> and did not <-like> <s>
    """,
        0,
    ),
)

HEDGE = _frames(
    """
    hardly <an> <noun>
    that was hardly <an> <noun>
    <s> was hardly <adj>
    <s> was scarcely <adj>
    <s> was far from <adj>
    <s> was anything but <adj>
    <s> was not exactly <adj>
    <s> was not all that <adj>
    I would hardly call <s> <adj>
    <who> hardly <liked> <s>
    I was far from <feel>
    """,
    1,
)

DOUBLE = _frames(
    """
    I can't say <s> wasn't <adj>
    I can't say that I did not <like> <s>
    nobody could say that <s> was not <adj>
    nobody could deny that <s> was <adj>
    I would never deny that <s> was <adj>
    I would never say that I did not <like> <s>
    it is not true that <s> was not <adj>
    I do not doubt that <s> was <adj>
    there was nobody who did not <like> <s>
    nobody failed to <like> <s>
    <s> never failed to <please> <whom>
    <s> did not fail to <please> <whom>
    <s> was not without <quality>
    <s> did not lack <quality>
    <s> was never less than <adj>
    it is not that I was not <feel>
    nobody could say I was not <feel>
    I don't think <s> wasn't <adj>
    """,
    2,
)

DISTANCE = (
    *_frames(
        """
    I would not, <aside>, call <s> <adj>
    <s> was not, <aside>, <adj>
    <s> was never, <aside>, <deg> <adj>
    I did not, <aside>, <like> <s>
    nobody, <aside>, <liked> <s>
    I was not, <aside>, <feel>
    <s> did not, <aside>, <please> <whom>
    I do not think that <s> <rel> was <adj>
    that was not, <aside>, <an> <noun>
    <s> was not, <aside>, <adj> but <-adj>
    I can't say that <s> <rel> was <adj>
    """,
        1,
    ),
    *_frames(
        """
    I would, <aside>, call <s> <adj>
    <s> was, <aside>, <adj>
    I did, <aside>, <like> <s>
    I was, <aside>, <feel>
    that was, <aside>, <an> <noun>
    <s> was <adj> and not, <aside>, <-adj>
    I think that <s> <rel> was <adj>
    """,
        0,
    ),
)

BUT = _frames(
    """
    <-clause>, but <clause>
    <-clause>, but <clause> in the end
    <s> was <-adj>, but <s2> was <adj>
    <s> was <-adj> but <adj>
    <s> was <-adj> at first, but <adj> in the end
    <s> started <-begin> but was <adj> in the end
    <s> started <-begin>, but <clause>
    although <-clause>, <clause>
    <clause>, although <-clause>
    they said something <-adj> was coming, but <s> was <adj>
    I expected <s> to be <-adj>, but found <s2> <adj>
    I was <-feel> at first, but <s> made me <feel>
    """,
    0,
)

AND = _frames(
    """
    <clause>, and <clause>
    <clause> and <clause>
    <clause>; <clause>
    """,
    0,
)

EMPHASIS = _frames(
    """
    <s> was not only <adj> but <adj2>
    <s> was not just <adj>, but truly <adj2>
    <s> could not have been more <adj>
    I could not have been more <feel>
    <s> was nothing short of <adj>
    <neutral>, and <clause>
    <neutral>, but <clause>
    <neutral>, and <s> was <adj>
    <clause>, and <neutral>
    """,
    0,
)

KINDS: Mapping[str, tuple[float, tuple[Frame, ...]]] = {
    "plain": (0.34, PLAIN),
    "negation": (0.2, NEGATION),
    "hedge": (0.06, HEDGE),
    "double negation": (0.12, DOUBLE),
    "distance": (0.1, DISTANCE),
    "but": (0.1, BUT),
    "and": (0.04, AND),
    "emphasis": (0.04, EMPHASIS),
}
"""How large a share each kind of sentence has, and its frames."""

CLAUSES = tuple(
    (kind, frame)
    for kind in ("plain", "negation", "double negation")
    for frame in KINDS[kind][1]
    if "<s>" in frame.text and ", " not in frame.text
)
"""What sentences of two clauses are made of, with their kinds."""

ENDINGS, ENDING_SHARES = (".", "", "!"), (0.7, 0.2, 0.1)

_SLOT = re.compile("<(-?)([a-z]+)(2?)>")


@dataclass
class Filler:
    """Puts words into the slots of frames; the same slot gets the same words until a new filler is made.

    Attributes:
        rng: draws them.
        domain: what is spoken of.
        positive: what the words in slots without a minus say.
        avoided: kinds of sentences; words that are held out of one of them are not taken.
        held: a kind of sentence; if given, only words that are held out of it are taken.
        asides: what may stand between a negation and its word.
        chosen: what each slot has been filled with.
    """

    rng: np.random.Generator
    domain: Domain
    positive: bool
    avoided: frozenset[str] = frozenset()
    held: str = ""
    asides: Sequence[str] = lexicon.ASIDES
    chosen: dict[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """A frame's text with words in its slots."""
        return _SLOT.sub(self._slot, text)

    def _slot(self, match: re.Match[str]) -> str:
        minus, name, _ = match.groups()
        if name == "clause":
            return self._clause(self.positive != bool(minus))
        if match.group() not in self.chosen:
            self.chosen[match.group()] = self._words(name, self.positive != bool(minus))
        return self.chosen[match.group()]

    def _clause(self, positive: bool) -> str:
        """A whole clause about the same kind of thing, which says what is asked for."""
        kind, frame = CLAUSES[int(self.rng.integers(len(CLAUSES)))]
        positive = positive != bool(frame.negations % 2)
        return Filler(self.rng, fitting(frame.text, self.domain), positive, self.avoided | {kind}).fill(frame.text)

    def _words(self, name: str, positive: bool) -> str:
        domain = self.domain
        match name:
            case "s":
                return self._draw([subject for subject in domain.subjects if subject not in self.chosen.values()])
            case "noun":
                return self._draw(domain.nouns)
            case "adj" | "an":
                word = self._judge(self._adjectives(), positive)
                return article(word) if name == "an" else word
            case "quality":
                return self._judge(domain.qualities, positive)
            case "like" | "please" | "liked" | "pleased":
                verb = self._judge(lexicon.LIKING if name.startswith("like") else lexicon.PLEASING, positive)
                return past(verb) if name.endswith("d") else verb
            case "un":
                return self._opposite(positive)
        if name in _JUDGING:
            return self._judge(_JUDGING[name], positive)
        return self._draw(self.asides if name == "aside" else _NEUTRAL[name])

    def _opposite(self, positive: bool) -> str:
        """Of two opposites the one that says so; of the same two if the other has been chosen."""
        other = self.chosen.get("<un>", self.chosen.get("<-un>"))
        if other is None:
            return self._judge(lexicon.OPPOSITES, positive)
        return lexicon.OPPOSITES.of(positive)[lexicon.OPPOSITES.of(not positive).index(other)]

    def _adjectives(self) -> Sides:
        """Half of them are for anything, half for what is spoken of."""
        return lexicon.GENERAL if self.rng.random() < 0.5 else self.domain.adjectives

    def _judge(self, sides: Sides, positive: bool) -> str:
        words = sides.of(positive)
        kinds = held_out_of()
        if self.held:
            words = tuple(word for word in words if kinds[word] == self.held)
        words = tuple(word for word in words if kinds[word] not in self.avoided)
        used = {word.split()[-1] for word in self.chosen.values()}
        return self._draw([word for word in words if word not in used] or words)

    def _draw(self, words: Sequence[str]) -> str:
        return words[int(self.rng.integers(len(words)))]


_JUDGING = {"feel": lexicon.FEELINGS, "begin": lexicon.BEGINNINGS}

_NEUTRAL = {
    "who": lexicon.PEOPLE,
    "whom": lexicon.OBJECTS,
    "deg": lexicon.DEGREES,
    "time": lexicon.TIMES,
    "rel": lexicon.RELATIVES,
    "neutral": lexicon.NEUTRAL,
}


def fitting(text: str, domain: Domain) -> Domain:
    """What a frame can speak of: only people are unkind, and nobody waits all year for a neighbour."""
    if "<un>" in text:
        return DOMAINS["person"]
    return DOMAINS["film"] if "<rel>" in text and domain is DOMAINS["person"] else domain


def moods(count: int = 30_000, seed: int = 1) -> list[tuple[str, str]]:
    """Sentences that praise or blame, with what they do.

    About half of them are positive. None of them stands in the contrast set, and no word that judges stands in a
    sentence of the kind it is held out of (`lexicon.held_out_of`). A larger sample of one seed begins with the smaller
    one.

    Args:
        count: how many, at most `MAX_COUNT`.
        seed: which ones.

    Returns:
        `count` pairs of a sentence and `negative` or `positive`; no sentence comes twice.

    Raises:
        OptionError: if the count is impossible.
    """
    from recurra.tasks.sentiment.contrast import contrast_texts

    if not 0 <= count <= MAX_COUNT:
        raise OptionError(f"the count of sentences is {count}, but must be from 0 to {MAX_COUNT}")
    rng = np.random.default_rng(seed)
    excluded = contrast_texts()
    found: dict[str, str] = {}
    while len(found) < count:
        _, text, positive = sentence(rng)
        if bare(text) not in excluded:
            found.setdefault(text, POSITIVE if positive else NEGATIVE)
    return list(found.items())


def sentence(rng: np.random.Generator) -> tuple[str, str, bool]:
    """A sentence of the sample: its kind, its text, and whether it is positive."""
    kind = _pick(rng, list(KINDS), [share for share, _ in KINDS.values()])
    frames, domains = KINDS[kind][1], list(DOMAINS.values())
    frame = frames[int(rng.integers(len(frames)))]
    domain = fitting(frame.text, domains[int(rng.integers(len(domains)))])
    positive = bool(rng.random() < 0.5)
    filler = Filler(rng, domain, positive != bool(frame.negations % 2), frozenset({kind}))
    return kind, finish(filler.fill(frame.text), _pick(rng, ENDINGS, ENDING_SHARES)), positive


def _pick(rng: np.random.Generator, choices: Sequence[str], shares: Sequence[float]) -> str:
    return choices[int(np.searchsorted(np.cumsum(shares), rng.random(), side="right"))]


def finish(text: str, ending: str = ".") -> str:
    """Words as a sentence."""
    return text[0].upper() + text[1:] + ending


def bare(text: str) -> str:
    """A sentence without its ending and its capital letter, to be compared."""
    return text.rstrip(".!").lower()
