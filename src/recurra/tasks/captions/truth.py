"""Whether a caption of a drawn scene is true, and how much it says.

A caption is understood if it names things ("two red circles and a small star") or says on which side of another one is
("there is a red circle to the left of a square"). "A red circle" is one at least; things that are named with "a" in
one caption are different ones; a number is exact. A thing is left of another if its centre is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import NamedTuple

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.tasks.captions.shapes import COLOURS, MOST_THINGS, NUMBERS, SHAPES, SIZES, Scene, make_scene, plural

REFERENCE_SCENES = 20_000
"""The share of these in which a caption is true says how much it tells."""

_WORDS = re.compile(r"[a-z]+|[^\sa-z]")

_LEADS = (("there", "is"), ("there", "are"), ("i", "see"))

_SIDES = {
    ("to", "the", "left", "of"): "left",
    ("left", "of"): "left",
    ("to", "the", "right", "of"): "right",
    ("right", "of"): "right",
    ("above",): "above",
    ("below",): "below",
}

ANY = "shape"
"""What a thing of any shape is called."""

_SINGULAR = {name: name for name in (*SHAPES, ANY)}
_PLURAL = {plural(name): name for name in (*SHAPES, ANY)}


class Phrase(NamedTuple):
    """What names things: "two small red circles".

    Attributes:
        number: exactly so many; None for at least one.
        size: small or large, None if it is not said.
        colour: None if it is not said.
        shape: None for any.
        span: index of its first word in the caption, and of the one after its last.
    """

    number: int | None
    size: str | None
    colour: str | None
    shape: str | None
    span: tuple[int, int] = (0, 0)


class Statement(NamedTuple):
    """What a caption says.

    Attributes:
        phrases: of what is there; with a side, of one thing and another.
        side: on which of the other the one is: left, right, above, below; None if nothing is said of that.
    """

    phrases: tuple[Phrase, ...]
    side: str | None

    def bare(self) -> Statement:
        """The same without the spans, as other words may say it."""
        return self._replace(phrases=tuple(phrase._replace(span=(0, 0)) for phrase in self.phrases))


def words_of(caption: str) -> list[str]:
    """The words and marks of a caption, which spans count."""
    return _WORDS.findall(caption.lower())


def parse(caption: str) -> Statement | None:
    """What a caption says; None if it is not understood."""
    words = words_of(caption)
    if words[-1:] == ["."]:
        words.pop()
    at = 2 if tuple(words[:2]) in _LEADS else 0
    phrase = _phrase(words, at)
    if phrase is None:
        return None
    at = phrase.span[1]
    if at < len(words) and words[at] not in (",", "and"):
        return _sided(phrase, words, at)
    phrases = [phrase]
    while at < len(words):
        link = words[at]
        phrase = _phrase(words, at + 1)
        if phrase is None or link not in (",", "and"):
            return None
        phrases.append(phrase)
        at = phrase.span[1]
        if (link == "and") != (at == len(words)):  # an "and" before the last one, and nowhere else
            return None
    return Statement(tuple(phrases), None) if len(phrases) <= MOST_THINGS else None


def _sided(one: Phrase, words: Sequence[str], at: int) -> Statement | None:
    """One thing, on which side of another."""
    at += words[at] == "is"
    for said, side in _SIDES.items():
        if tuple(words[at : at + len(said)]) == said:
            other = _phrase(words, at + len(said))
            if other and other.span[1] == len(words) and one.number is None and other.number is None:
                return Statement((one, other), side)
    return None


def _phrase(words: Sequence[str], begin: int) -> Phrase | None:
    """The phrase that begins at a word."""
    at = begin

    def next_of(known: Sequence[str]) -> str | None:
        nonlocal at
        if at < len(words) and words[at] in known:
            at += 1
            return words[at - 1]
        return None

    determiner = next_of(("a", "an", *NUMBERS))
    size, colour = next_of(tuple(SIZES)), next_of(tuple(COLOURS))
    count = NUMBERS.get(determiner or "")
    nouns = _SINGULAR if count in (None, 1) else _PLURAL
    noun = next_of(tuple(nouns))
    if determiner is None or noun is None:
        return None
    shape = nouns[noun]
    return Phrase(count, size, colour, None if shape == ANY else shape, (begin, at))


class Scenes:
    """Scenes as arrays `(scenes, MOST_THINGS)`, to ask all of them at once.

    Args:
        scenes: any number.
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        table = np.full((5, len(scenes), MOST_THINGS), -1, np.int64)
        for row, scene in enumerate(scenes):
            for column, thing in enumerate(scene.things):
                kinds = (SHAPES.index(thing.shape), _COLOURS.index(thing.colour), _SIZES.index(thing.size))
                table[:, row, column] = (*kinds, thing.x, thing.y)
        self._shape, self._colour, self._size, self._x, self._y = table
        self._scenes = scenes

    def __len__(self) -> int:
        return len(self._scenes)

    def named(self, phrase: Phrase) -> BoolArray:
        """Which things a phrase fits, `(scenes, MOST_THINGS)`."""
        fit: BoolArray = self._shape >= 0
        for kinds, names, name in (
            (self._shape, SHAPES, phrase.shape),
            (self._colour, _COLOURS, phrase.colour),
            (self._size, _SIZES, phrase.size),
        ):
            if name is not None:
                fit = fit & (kinds == names.index(name))
        return fit

    def pairs(self, statement: Statement) -> BoolArray:
        """Which pairs of things a statement with a side fits, `(scenes, MOST_THINGS, MOST_THINGS)`."""
        one, other = (self.named(phrase) for phrase in statement.phrases)
        where: IntArray = self._x if statement.side in ("left", "right") else self._y
        before: BoolArray = where[:, :, None] < where[:, None, :]
        if statement.side in ("right", "below"):
            before = where[:, :, None] > where[:, None, :]
        return one[:, :, None] & other[:, None, :] & before

    def hold(self, statement: Statement) -> BoolArray:
        """In which scenes a statement is true, `(scenes,)`."""
        if statement.side:
            return np.asarray(self.pairs(statement).any(axis=(1, 2)))
        true: BoolArray = np.ones(len(self), np.bool_)
        single: list[BoolArray] = []
        for phrase in statement.phrases:
            named = self.named(phrase)
            if phrase.number is None:
                single.append(named)
            else:
                true &= named.sum(axis=1) == phrase.number
        if single:
            true &= _distinct(single)
        return true

    def meant(self, statement: Statement) -> list[BoolArray]:
        """Which things each phrase is about, `(scenes, MOST_THINGS)` a phrase; none where the statement is false."""
        if statement.side:
            pairs = self.pairs(statement)
            return [np.asarray(pairs.any(axis=2)), np.asarray(pairs.any(axis=1))]
        true = self.hold(statement)
        return [self.named(phrase) & true[:, None] for phrase in statement.phrases]


def _distinct(fits: Sequence[BoolArray]) -> BoolArray:
    """Where each of some phrases, `(scenes, MOST_THINGS)` each, can be about another thing, `(scenes,)`."""
    found = np.zeros(len(fits[0]), np.bool_)
    for chosen in permutations(range(MOST_THINGS), len(fits)):
        found |= np.all([fit[:, thing] for fit, thing in zip(fits, chosen, strict=True)], axis=0)
    return found


_COLOURS, _SIZES = tuple(COLOURS), tuple(SIZES)


def is_true(caption: str, scene: Scene) -> bool | None:
    """Whether a caption is true of a scene; None if it is not understood."""
    statement = parse(caption)
    return None if statement is None else bool(Scenes([scene]).hold(statement)[0])


def information(caption: str) -> float:
    """How much a caption says, bits: -log2 of the share of all scenes in which it is true; 0 if not understood."""
    statement = parse(caption)
    return 0.0 if statement is None else _information(statement.bare())


@lru_cache(maxsize=100_000)
def _information(statement: Statement) -> float:
    scenes = _reference()
    true = int(scenes.hold(statement).sum())
    return -math.log2((true + 1) / (len(scenes) + 1))  # the scene that is described is one of them


@lru_cache(maxsize=1)
def _reference() -> Scenes:
    return Scenes([make_scene(Random(f"reference/{number}")) for number in range(REFERENCE_SCENES)])
