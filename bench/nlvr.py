"""Whether a sentence of NLVR (Suhr et al. 2017) is true of a picture: a parser of English about three boxes.

What people wrote about boxes of circles, squares and triangles, and about towers of blocks, is brought to few words
(`normalized`), read from left to right (`_Reader`) and turned into a question to the objects. What is not understood
to its end is not judged.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

from common import data

SIDE = 100
"""Pixels to a side of a box."""

NEAR = 0
"""A thing touches an edge if there are no more pixels between them."""

COLOURS = {"#0099ff": "blue", "Black": "black", "Yellow": "yellow"}
SIZES = {10: "small", 20: "medium", 30: "big"}
DIGITS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = {word: number for number, word in enumerate(DIGITS)}
LEVELS = {"second": 1, "third": 2}

_WORDS = (
    "a all and any as at base between black block blue bottom box boxes circle circles closely color colors contain "
    "contains corner different each edge either exactly four has have having height in is item items least more most "
    "nearly no none not object objects of on one only or over same second side small square squares stacked than that "
    "the there third three together top touching tower towers triangle triangles two wall where which with yellow five "
    "six seven eight it right left other medium above below blocks consecutive middle attached attach "
    "atleast tleast ablue bellow colour"
)
KNOWN = _WORDS.split()
"""What words that are not among them may be meant to be."""

_SAME = (
    (r"[.]", " "),
    (r",", " , "),
    (r"^there +is +1\b", "there is exactly one"),  # who writes a digit has counted; "one" is often just "a"
    (r"\b(\d)\b", lambda match: DIGITS[int(match[1])]),
    (r"^ll\b", "all"),
    (r"^t\b", "at"),
    (r"\b(at|t)least\b", "at least"),
    (r"\ba sthe\b", "as the"),
    (r"\bablue\b", "a blue"),
    (r"\b(colour|color)(s|ed)?\b", "color"),
    (r"\bgr[ea]y (box|square)(e?s)?\b", "box"),
    (r"\b(towers?|boxes)\b", "box"),
    (r"\b(items?|objects?|blocks?)\b", "item"),
    (r"\b(square|circle|triangle|edge|base|black)s\b", r"\1"),
    (r"\b(walls?|sides?)\b", "edge"),
    (r"\bbottom\b", "base"),
    (r"\b(black|blue|yellow) black\b", r"\1 item"),
    (r"\bitem item\b", "black item"),
    (r"\b(are|being)\b", "is"),
    (r"\b(large)\b", "big"),
    (r"\b(right )?on top of\b", "above"),
    (r"\bover\b", "above"),
    (r"\b(bellow|under)\b", "below"),
    (r"\bon (?=(a|an|no|one|two)\b)", "above "),
    (r"\bthan contains\b", "with"),
    (r"\b(one|two|three) of (which|that) (is|with)\b", r"of which \1 is"),
    (r"\b(, )?(that|which|and it)? ?(has|have|having|contains?|ha)( got)?\b", " with"),
    (r"(?<!of )\b(that|which) is\b", "that is"),
    (r"\b(all|all of the) three (different )?color\b", "every color"),
    (r"\b(closely|nearly) touching\b", "touching"),
    (r"\b(either|sized?|in it)\b", " "),
    (r"\bwithout (an? |any )?\b", "with no "),
    (r"\bevery (?=box|item)", "each "),
    (r"\b(black|blue|yellow) color (?=item|square|circle|triangle)", r"\1 "),
    (r"\b(a|and|the)?( (black|blue|yellow)) one\b", r"\1\2 item"),
    (r"\btouching a box corner\b", "touching a corner"),
)


_SAME_HEIGHT = ("with the same height", "that is the same in height", "with the same number of item")
_SAME_BASE = ("with the same base color", "with the same color at the base", "with the same color base")
_SAME_TOP = ("with the same top color", "with the same color at the top")


class Thing(NamedTuple):
    """An object in a box.

    Attributes:
        level: how many in its box lie below it.
    """

    shape: str
    color: str
    size: str
    left: int
    top: int
    right: int
    bottom: int
    level: int


Box = tuple[Thing, ...]
World = Sequence[Box]
Fits = Callable[[Thing, Box], bool]
Holds = Callable[[Box], bool]


class Count(NamedTuple):
    """How many, both ends included."""

    low: float
    high: float

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.low <= number <= self.high


SOME = Count(1, math.inf)


def world_of(structure: Sequence[Sequence[Mapping[str, Any]]]) -> World:
    """The boxes of a picture as NLVR's `structured_rep` has them."""
    return [_box(things) for things in structure]


def _box(things: Sequence[Mapping[str, Any]]) -> Box:
    ordered = sorted(things, key=lambda thing: -(thing["y_loc"] + thing["size"]))
    return tuple(
        Thing(
            *(thing["type"], COLOURS[thing["color"]], SIZES[thing["size"]], thing["x_loc"], thing["y_loc"]),
            *(thing["x_loc"] + thing["size"], thing["y_loc"] + thing["size"], level),
        )
        for level, thing in enumerate(ordered)
    )


def normalized(sentence: str) -> list[str]:
    """A sentence in few words."""
    text = sentence.lower().strip()
    text = re.sub(r"[a-z]+", lambda match: _meant(match[0]), text)
    for pattern, by in _SAME:
        text = re.sub(pattern, by, text)
    return text.split()


@lru_cache(maxsize=10_000)
def _meant(word: str) -> str:
    """A word, or what it may have been meant to be."""
    if (len(word) < 5 and word != "bule") or word in KNOWN:
        return word
    return next(iter(get_close_matches(word, KNOWN, 1, 0.75)), word)


def is_true(sentence: str, world: World) -> bool | None:
    """Whether a sentence is true of a picture; None if it is not understood."""
    asked = parse(sentence)
    return None if asked is None else asked(world)


def information(sentence: str, worlds: Sequence[World]) -> float | None:
    """-log2 of the share of pictures of which a sentence is true; None if it is not understood, or never true."""
    asked = parse(sentence)
    true = sum(map(asked, worlds)) if asked else 0
    return -math.log2(true / len(worlds)) if true else None


@lru_cache(maxsize=10_000)
def parse(sentence: str) -> Callable[[World], bool] | None:
    """What a sentence asks of a picture; None if it is not understood."""
    try:
        return _Reader(normalized(sentence)).sentence()
    except _NotUnderstood:
        return None


class _NotUnderstood(Exception):
    """A sentence has something that the parser does not know."""


class _Reader:
    """Reads a sentence from left to right."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = [*words]
        self.at = 0

    def take(self, *phrases: str) -> str | None:
        """The first of some phrases that comes next, and go on behind it."""
        for phrase in phrases:
            words = phrase.split()
            if self.words[self.at : self.at + len(words)] == words:
                self.at += len(words)
                return phrase
        return None

    def need(self, *phrases: str) -> str:
        found = self.take(*phrases)
        if found is None:
            raise _NotUnderstood
        return found

    @property
    def ended(self) -> bool:
        return self.at == len(self.words)

    def sentence(self) -> Callable[[World], bool]:
        """A whole sentence."""
        asked = self.statement(said_of=not self.take("there is", "there"))
        if not self.ended:
            raise _NotUnderstood
        return asked

    def statement(self, said_of: bool) -> Callable[[World], bool]:
        """How many things or boxes there are of a kind.

        Args:
            said_of: a verb comes behind them, as in "one box has ..."; not behind "there is".
        """
        if color := self.colored(said_of):
            return color
        if said_of and self.take("each box", "all box", "all three box", "all the box"):
            self.need("with")
            holds = self.inside()
            return lambda world: all(map(holds, world))
        if said_of and (place := self.take("the base of", "the top of", "base of", "top of")):
            count = self.count()
            box = self.box()
            self.need("is")
            color = self.color_test()
            level = self.level(place.split()[-2])
            return lambda world: sum(box(each) and _any(level, color, each) for each in world) in count
        everything = said_of and self.take("all the", "all")
        count = SOME if everything else self.count()
        if self.is_box():
            return self.boxes(count)
        fits = self.things()
        if self.take("in each box"):
            return lambda world: all(_number(fits, box) in count for box in world)
        if said_of and self.take("is"):
            more = self.where() if not self.take("in the same box") else None
            if more is None:
                return lambda world: sum(_number(fits, box) > 0 for box in world) == 1
            if everything:
                return lambda world: all(more(thing, box) for box in world for thing in box if fits(thing, box))
            return _in_world(count, _both(fits, more))
        asked = [_in_world(count, fits)]
        while self.take(", and", "and", ","):
            asked.append(_in_world(self.count(), self.things()))
        return lambda world: all(each(world) for each in asked)

    def colored(self, said_of: bool) -> Callable[[World], bool] | None:
        """How many colours things somewhere have."""
        at = self.at
        self.take("the item of", "item of")
        number = 3 if self.take("every color") else 1 if self.take("only one color") else None
        if number is None or not (self.take("is") if said_of else True):
            self.at = at
            return None
        fits = self.where()
        return lambda world: len({thing.color for box in world for thing in box if fits(thing, box)}) == number

    def boxes(self, count: Count) -> Callable[[World], bool]:
        box = self.box()
        if alike := self.alike():
            groups = lambda world: [[alike(each) for each in world].count(alike(one)) for one in world]  # noqa: E731
            return lambda world: max(groups(world)) in count
        if self.take("is"):
            self.take("all")
            color = self.color_test()
            return lambda world: sum(box(each) and all(color(thing, each) for thing in each) for each in world) in count
        return lambda world: sum(map(box, world)) in count

    def alike(self) -> Callable[[Box], object] | None:
        """In what boxes are the same."""
        if self.take(*_SAME_HEIGHT):
            return len
        if self.take(*_SAME_BASE):
            return lambda box: box[0].color
        if self.take(*_SAME_TOP):
            return lambda box: box[-1].color
        return None

    def next_is(self, *phrases: str) -> bool:
        """Whether a phrase comes next."""
        at = self.at
        found = self.take(*phrases) is not None
        self.at = at
        return found

    def count(self) -> Count:
        """How many; at least one if nothing is said."""
        if self.take("no", "none of the", "none of"):
            return Count(0, 0)
        how = self.take("at least", "at most", "exactly", "only", "more than", "less than")
        self.take("a") if how else None
        number = self.number()
        if number is None:
            if how not in (None, "at least"):
                raise _NotUnderstood
            self.take("a", "an", "the")
            return SOME
        self.take("of the three", "of the", "of")
        match how:
            case "at least":
                return Count(number, math.inf)
            case "at most":
                return Count(0, number)
            case "more than":
                return Count(number + 1, math.inf)
            case "less than":
                return Count(0, number - 1)
            case None:
                return Count(number, math.inf if number == 1 else number)
        return Count(number, number)

    def number(self) -> int | None:
        word = self.take(*NUMBERS, "single", "multiple")
        if word == "multiple":
            return 2
        return NUMBERS.get(word or "", 1) if word else None

    def colors(self) -> set[str]:
        """Colours that are named one after another."""
        found = set[str]()
        while color := self.take(*COLOURS.values()):
            found.add(color)
            at = self.at
            if not self.take(", or", "or", "and", ",") or not (
                not self.ended and self.words[self.at] in COLOURS.values()
            ):
                self.at = at
                break
        return found

    def color_test(self) -> Fits:
        self.take("of")
        unlike = bool(self.take("not"))
        self.take("of")
        colors = self.colors()
        if not colors:
            raise _NotUnderstood
        self.take("color")
        return lambda thing, _: (thing.color in colors) != unlike

    def is_box(self) -> bool:
        """Whether boxes are named next, not what is in them."""
        at = self.at
        self.number() and self.take("item")
        self.colors()
        found = self.take("box") is not None
        self.at = at
        return found

    def box(self) -> Holds:
        """A box: how many things it has, their colour, and what else is said."""
        asked: list[Holds] = []
        at = self.at
        number = self.number()
        if number is not None and (self.take("item") or self.words[self.at - 1] == "single"):
            asked.append(lambda box: len(box) == number)
        else:
            self.at = at
        colors = self.colors()
        if colors:
            asked.append(lambda box: all(thing.color in colors for thing in box))
        self.need("box")
        while not self.next_is(*_SAME_HEIGHT, *_SAME_BASE, *_SAME_TOP) and self.take(
            *(", and with", ", with", "and with", "with", "where", ", and", "and", "that", "of")
        ):
            asked.append(self.inside())
        return lambda box: all(holds(box) for holds in asked)

    def inside(self) -> Holds:
        """What is in a box."""
        asked = [self.content()]
        while True:
            at = self.at
            if not self.take(", and", "and", ","):
                break
            try:
                asked.append(self.content())
            except _NotUnderstood:
                self.at = at
                break
        return lambda box: all(holds(box) for holds in asked)

    def content(self) -> Holds:
        """Part of what is in a box."""
        if self.take("every color", "item of every color"):
            return lambda box: len(_colors(box)) == len(COLOURS)
        if self.take("only one color", "the same color", "one color"):
            return lambda box: len(_colors(box)) == 1
        if self.take("the color is"):
            color = self.color_test()
            return lambda box: all(color(thing, box) for thing in box)
        at = self.at
        only = self.take("only")
        if only and (colors := self.colors()):
            self.need("item")
            return lambda box: _colors(box) == colors
        if self.take("item"):
            return self.made_of()
        self.at = at
        if placed := self.color_level():
            return placed
        count = self.count()
        begin = self.at
        fits = self.things(more=False)
        if count == SOME and self.words[begin - 1] == "one" and self.words[begin : self.at] == ["item"]:
            count = Count(1, 1)
        if count.low > 1 and {"base", "top", "middle", "second"} & {*self.words[begin : self.at]}:
            raise _NotUnderstood
        if count.low > 1 and self.take("stacked together"):
            return lambda box: _longest_run(fits, box) in count
        more: list[Holds] = []
        if self.take("that is"):
            rest = _both(fits, self.where())
            more.append(lambda box: _number(rest, box) in count)
            if count.high == math.inf:
                fits = rest
        at = self.at
        while self.take(", of which", "of which", ", and", "and", "where", ",") and (part := self.share(fits)):
            more.append(part)
            at = self.at
        self.at = at
        if not self.ended and self.words[self.at] == "of":
            more.append(self.made_of(fits))
        return lambda box: _number(fits, box) in count and all(holds(box) for holds in more)

    def share(self, fits: Fits) -> Holds | None:
        """That some of the things named before are of a kind or at a place."""
        at = self.at
        try:
            self.take("there is")
            self.take("the")
            if self.next_is("black", "blue", "yellow"):
                number, what = SOME, self.things(bare=True)
                self.need("is")
                where = self.where()
                return lambda box: _number(_both(_both(fits, what), where), box) in number
            number = self.count()
            self.need("is")
            self.take("a")
            more = self.where() if self.next_is("touching", "not", "on", "at") else self.things(bare=True)
        except _NotUnderstood:
            self.at = at
            return None
        return lambda box: _number(_both(fits, more), box) in number

    def color_level(self) -> Holds | None:
        """Of what colour a place in a tower is: "a blue base", "the second item is blue"."""
        at = self.at
        self.take("a", "the")
        color = self.take(*COLOURS.values())
        place = self.take("base item", "top item", "base", "top", *(f"{word} item" for word in LEVELS))
        if place in ("second item", "third item"):
            self.take("from the base")
        if color and place:
            level = self.level(place.split()[0])
            return lambda box: _any(level, lambda thing, _: thing.color == color, box)
        if place and self.take("is"):
            level, test = self.level(place.split()[0]), self.color_test()
            return lambda box: _any(level, test, box)
        self.at = at
        return None

    def made_of(self, fits: Fits | None = None) -> Holds:
        """Of what colours things in a box are."""
        self.need("of")
        which = fits or (lambda thing, box: True)

        def found(box: Box) -> set[str]:
            return {thing.color for thing in box if which(thing, box)}

        if self.take("every color"):
            return lambda box: len(found(box)) == len(COLOURS)
        if self.take("only one color", "the same color", "one color", "same color"):
            return lambda box: len(found(box)) == 1
        self.take("all")
        if self.take("two different color"):
            return lambda box: len(found(box)) == 2
        if self.take("different color"):
            return lambda box: len(found(box)) == _number(which, box)
        self.take("only")
        colors = self.colors()
        if not colors:
            raise _NotUnderstood
        self.need("color")
        self.take("only")
        return lambda box: found(box) == colors

    def things(self, bare: bool = False, more: bool = True) -> Fits:
        """Things of a kind: size, colour, shape, and where they are.

        Args:
            bare: the shape may be missing.
            more: read on where a sentence on them follows.
        """
        asked: list[Fits] = []
        if size := self.take(*SIZES.values()):
            asked.append(lambda thing, _: thing.size == size)
        at = self.at
        colors = self.colors()
        if " ".join(self.words[at : self.at]).count("and"):
            raise _NotUnderstood
        if colors:
            asked.append(lambda thing, _: thing.color in colors)
        shape = self.take("item", "square", "circle", "triangle")
        if shape is None and not (colors and (bare or self.ended or self.words[self.at] == "and")):
            raise _NotUnderstood
        if shape not in (None, "item"):
            asked.append(lambda thing, _: thing.shape == shape)
        while not self.ended and (more or not self.next_is("that is")):
            at = self.at
            try:
                asked.append(self.where())
            except _NotUnderstood:
                self.at = at
                break
        return lambda thing, box: all(fits(thing, box) for fits in asked)

    def where(self) -> Fits:
        """Where things are, or what else is said behind their name."""
        self.take("that is", "which")
        if self.take("not touching"):
            touches = self.touching()
            return lambda thing, box: not touches(thing, box)
        if self.take("touching"):
            return self.touching()
        if self.take("as the", "at the", "on the", "on", "at", "in the", "as"):
            place = self.need("base", "top", "middle", *LEVELS)
            if place in LEVELS:
                self.take("item")
            level = self.level(place)
            if self.take("of"):
                self.take("a", "the")
                box = self.box()
                return lambda thing, whole: level(thing, whole) and box(whole)
            return level
        if side := self.take("above", "below"):
            count = self.count()
            if count != SOME:
                raise _NotUnderstood
            other = self.things()
            step = -1 if side == "above" else 1
            return lambda thing, box: any(each.level == thing.level + step and other(each, box) for each in box)
        if self.take("between two"):
            other = self.things()
            return lambda thing, box: all(
                any(each.level == thing.level + step and other(each, box) for each in box) for step in (1, -1)
            )
        return self.color_test()

    def touching(self) -> Fits:
        self.take("a", "the", "any", "an")
        side = self.take("right", "left")
        place = self.need("base", "edge", "corner", "top")
        self.take("edge")
        self.take("of a box", "of the box")
        if side:
            return lambda thing, _: _touched(thing)[side]
        if place == "edge":
            return lambda thing, _: any(_touched(thing).values())
        if place == "corner":
            return lambda thing, _: _cornered(_touched(thing))
        return lambda thing, _: _touched(thing)[place]

    def level(self, place: str) -> Fits:
        """Whether a thing is at a place of its tower."""
        if place == "middle":
            return lambda thing, box: 2 * thing.level + 1 == len(box)
        if place == "top":
            return lambda thing, box: thing.level == len(box) - 1
        return lambda thing, _: thing.level == LEVELS.get(place, 0)


def _touched(thing: Thing) -> dict[str, bool]:
    gaps = {"left": thing.left, "top": thing.top, "right": SIDE - thing.right, "base": SIDE - thing.bottom}
    return {side: gap <= NEAR for side, gap in gaps.items()}


def _cornered(touched: Mapping[str, bool]) -> bool:
    return (touched["left"] or touched["right"]) and (touched["top"] or touched["base"])


def _colors(box: Box) -> set[str]:
    return {thing.color for thing in box}


def _number(fits: Fits, box: Box) -> int:
    return sum(fits(thing, box) for thing in box)


def _longest_run(fits: Fits, box: Box) -> int:
    """How many things that fit lie one upon another."""
    return max(map(len, "".join("x" if fits(thing, box) else " " for thing in box).split()), default=0)


def _any(one: Fits, other: Fits, box: Box) -> bool:
    return any(one(thing, box) and other(thing, box) for thing in box)


def _both(one: Fits, other: Fits) -> Fits:
    return lambda thing, box: one(thing, box) and other(thing, box)


def _in_world(count: Count, fits: Fits) -> Callable[[World], bool]:
    return lambda world: sum(_number(fits, box) for box in world) in count


def labelled(name: str) -> list[dict[str, Any]]:
    """Sentences with `structured_rep` and what people judged, `label`."""
    with zipfile.ZipFile(data("captions/nlvr_labels.zip")) as archive:
        return [json.loads(line) for line in archive.read(f"{name}.json").decode().splitlines()]


def agreement(name: str) -> str:
    """How often the parser understands, and says what people said."""
    rows = labelled(name)
    judged = [(is_true(row["sentence"], world_of(row["structured_rep"])), row["label"] == "true") for row in rows]
    understood = [(ours, theirs) for ours, theirs in judged if ours is not None]
    shares = [
        sum(ours == theirs for ours, theirs in of) / len(of)
        for of in (understood, *([pair for pair in understood if pair[1] is label] for label in (True, False)))
    ]
    return (
        f"{name}: understood {len(understood) / len(rows):.1%} of {len(rows)}; agrees on {shares[0]:.1%}, "
        f"{shares[1]:.1%} of true and {shares[2]:.1%} of false ones"
    )


if __name__ == "__main__":
    for part in ("dev", "test", "hidden"):
        print(agreement(part))
