"""`sample:shapes`: scenes drawn on the machine, with captions that say how many, of what colour, and what is where."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from recurra.tasks.captions.collections import Captioned

SIZE = 64
"""Width and height of a scene in pixels."""

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")

COLOURS = {
    "red": (215, 40, 40),
    "green": (40, 160, 60),
    "blue": (45, 80, 220),
    "yellow": (235, 205, 40),
    "purple": (150, 50, 180),
    "orange": (245, 135, 30),
}
"""Red, green and blue of each, from 0 to 255; ..."""

JITTER = 15
"""... a thing's own differ from them by up to this much."""

SIZES = {"small": (5, 7), "large": (9, 11)}
"""Least and largest radius of each, in pixels."""

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}

MOST_THINGS = 4

REPEAT = 0.35
"""How likely a thing is of the shape and colour of one before."""

CAPTIONS = 5
"""Captions of a scene."""

KEPT = 24
"""One in so many scenes is to validate on, and another one to measure on."""

SMOOTH = 8
"""A shape is drawn so many times as large, then made smaller: what is on its edge is in part background."""


class Thing(NamedTuple):
    """What is in a scene: `radius` and centre `x`, `y` in pixels, from the left and from the top; `paint` is RGB."""

    shape: str
    colour: str
    size: str
    radius: int
    x: int
    y: int
    paint: tuple[int, int, int]


class Scene(NamedTuple):
    """Things that do not overlap, nor do the squares around them, on a grey `background` from 0 to 255."""

    things: tuple[Thing, ...]
    background: int


@dataclass(frozen=True)
class Drawing:
    """A picture that is drawn when it is asked for."""

    scene: Scene

    def __call__(self) -> Image.Image:
        """The picture, RGB."""
        return draw(self.scene)


def scene_of(item: Captioned) -> Scene | None:
    """The scene of a captioned picture; None if it is no drawn one."""
    return item.open.scene if isinstance(item.open, Drawing) else None


def make_scene(random: Random) -> Scene:
    """A scene of two to four things."""
    while True:
        things: list[Thing] = []
        for _ in range(random.randint(2, MOST_THINGS)):
            if things and random.random() < REPEAT:
                shape, colour = random.choice(things)[:2]
            else:
                shape, colour = random.choice(SHAPES), random.choice(tuple(COLOURS))
            thing = _placed(shape, colour, things, random)
            if thing is None:
                break
            things.append(thing)
        if len(things) > 1:
            return Scene(tuple(things), random.randint(0, 255))


def _placed(shape: str, colour: str, others: list[Thing], random: Random) -> Thing | None:
    """A thing where there is room for it; None if none was found."""
    size = random.choice(tuple(SIZES))
    radius = random.randint(*SIZES[size])
    red, green, blue = (min(max(part + random.randint(-JITTER, JITTER), 0), 255) for part in COLOURS[colour])
    for _ in range(30):
        x, y = (random.randint(radius, SIZE - 1 - radius) for _ in range(2))
        if all(max(abs(x - other.x), abs(y - other.y)) > radius + other.radius for other in others):
            return Thing(shape, colour, size, radius, x, y, (red, green, blue))
    return None


@lru_cache(maxsize=256)
def _mask(shape: str, radius: int) -> Image.Image:
    """How much of each pixel a shape covers, 0 to 255, in the square around it."""
    side = (2 * radius + 1) * SMOOTH
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    last, middle = side - 1, (side - 1) / 2

    def around(corners: int, *radii: float) -> list[tuple[float, float]]:
        """Points around the middle, the first at the top, at the radii in turn."""
        turns = [2 * math.pi * corner / corners for corner in range(corners)]
        lengths = [middle * radii[corner % len(radii)] for corner in range(corners)]
        return [
            (middle + r * math.sin(turn), middle - r * math.cos(turn)) for turn, r in zip(turns, lengths, strict=True)
        ]

    if shape == "square":
        pen.rectangle((0.07 * last, 0.07 * last, 0.93 * last, 0.93 * last), fill=255)
    elif shape == "triangle":
        pen.polygon(around(3, 1.0), fill=255)
    elif shape == "star":
        pen.polygon(around(10, 1.0, 0.42), fill=255)
    elif shape == "cross":
        pen.rectangle((0, 0.34 * last, last, 0.66 * last), fill=255)
        pen.rectangle((0.34 * last, 0, 0.66 * last, last), fill=255)
    else:
        pen.ellipse((0, 0, last, last), fill=255)
        if shape == "ring":
            pen.ellipse((0.25 * last, 0.25 * last, 0.75 * last, 0.75 * last), fill=0)
    return image.reduce(SMOOTH)


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene, RGB, `SIZE` pixels wide and high."""
    image = Image.new("RGB", (SIZE, SIZE), (scene.background,) * 3)
    for thing in scene.things:
        image.paste(thing.paint, (thing.x - thing.radius, thing.y - thing.radius), _mask(thing.shape, thing.radius))
    return image


def _named(thing: Thing, random: Random) -> str:
    """A thing by colour and shape, half the time by size too."""
    size = f"{thing.size} " if random.random() < 0.5 else ""
    named = f"{size}{thing.colour} {thing.shape}"
    return f"an {named}" if named[0] in "aeiou" else f"a {named}"


def plural(noun: str) -> str:
    """Several of it."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _numbered(count: int, noun: str) -> str:
    return f"{tuple(NUMBERS)[count - 1]} {plural(noun)}"


def _repeated(scene: Scene) -> list[str]:
    """What there is several of, said with how many; by shape and colour if there are such, else by one of them."""
    kinds = Counter(f"{thing.colour} {thing.shape}" for thing in scene.things)
    either = Counter(thing.shape for thing in scene.things)
    either.update(f"{thing.colour} shape" for thing in scene.things)
    for counts in (kinds, either):
        found = [_numbered(count, noun) for noun, count in counts.items() if count > 1]
        if found:
            return found
    return []


def _where(one: Thing, other: Thing, random: Random) -> str:
    """On which side of another a thing is: of left and right, above and below what is the further apart."""
    if abs(one.x - other.x) >= abs(one.y - other.y):
        side = "left of" if one.x < other.x else "right of"
        return f"to the {side}" if random.random() < 0.5 else side
    return "above" if one.y < other.y else "below"


def describe(scene: Scene, random: Random) -> str:
    """A true caption: how many there are of something, what is on which side of what, or two or three of the things."""
    things = list(scene.things)
    random.shuffle(things)
    repeated = _repeated(scene)
    chance = random.random()
    if repeated and chance < 0.5:
        said = random.choice(repeated)
        others = [thing for thing in things if not any(said.endswith(plural(name)) for name in _names(thing))]
        if others and random.random() < 0.5:
            said += f" and {_named(others[0], random)}"
        return f"there are {said}" if random.random() < 0.5 else said
    first, second, *rest = things
    one, other = _named(first, random), _named(second, random)
    if chance < (0.85 if repeated else 0.75):
        between = " is " if (plain := random.random() < 0.7) else " "
        said = f"{one}{between}{_where(first, second, random)} {other}"
        return said if plain or random.random() < 0.3 else f"there is {said}"
    said = f"{one}, {other} and {_named(rest[0], random)}" if rest and random.random() < 0.5 else f"{one} and {other}"
    return f"there is {said}" if random.random() < 0.3 else said


def _names(thing: Thing) -> tuple[str, ...]:
    return thing.shape, f"{thing.colour} shape"


def shapes(count: int = 12_000, seed: int = 1) -> list[Captioned]:
    """Scenes with captions, most of them to learn from, drawn when they are opened.

    Args:
        count: how many.
        seed: other scenes for another seed.
    """
    items = []
    for number in range(count):
        random = Random(f"{seed}/{number}")
        scene = make_scene(random)
        captions = tuple(describe(scene, random) for _ in range(CAPTIONS))
        split = {0: "val", 1: "test"}.get(number % KEPT, "train")
        items.append(Captioned(f"shapes-{number:05}.png", captions, split, Drawing(scene)))
    return items
