"""The truth checker: against a plain one that asks every thing and every pair of a scene in turn."""

from __future__ import annotations

import math
from itertools import permutations
from random import Random

import numpy as np
import pytest

from recurra.tasks.captions.shapes import COLOURS, NUMBERS, SHAPES, SIZES, Scene, Thing, make_scene, plural
from recurra.tasks.captions.truth import Scenes, information, is_true, parse, words_of


def thing(shape: str, colour: str = "red", size: str = "small", x: int = 0, y: int = 0) -> Thing:
    return Thing(shape, colour, size, 5, x, y, (0, 0, 0))


class Named:
    """What a caption made by a test names, kept as it was made."""

    def __init__(self, random: Random, single: bool) -> None:
        self.number = None if single or random.random() < 0.6 else random.randint(1, 4)
        self.size = random.choice([None, *SIZES])
        self.colour = random.choice([None, None, *COLOURS])
        self.shape = random.choice([None, *SHAPES])
        noun = self.shape or "shape"
        words = [each for each in (self.size, self.colour) if each]
        several = self.number is not None and self.number > 1
        before = "a" if self.number is None else list(NUMBERS)[self.number - 1]
        self.text = " ".join([before, *words, plural(noun) if several else noun])

    def fits(self, one: Thing) -> bool:
        return self.size in (None, one.size) and self.colour in (None, one.colour) and self.shape in (None, one.shape)


def listed(things: list[Named], scene: Scene) -> bool:
    counted = [named for named in things if named.number is not None]
    single = [named for named in things if named.number is None]
    return all(sum(map(named.fits, scene.things)) == named.number for named in counted) and any(
        all(named.fits(one) for named, one in zip(single, chosen, strict=True))
        for chosen in permutations(scene.things, len(single))
    )


BESIDE = {
    "left of": lambda one, other: one.x < other.x,
    "to the right of": lambda one, other: one.x > other.x,
    "above": lambda one, other: one.y < other.y,
    "below": lambda one, other: one.y > other.y,
}


def test_every_caption_that_is_understood_is_judged_as_by_trying_all_things() -> None:
    random = Random(1)
    scenes = [make_scene(random) for _ in range(60)]
    table = Scenes(scenes)
    seen = {True: 0, False: 0}
    for _ in range(150):
        if random.random() < 0.5:
            one, other, side = Named(random, True), Named(random, True), random.choice(list(BESIDE))
            caption = f"{one.text}{random.choice([' is ', ' '])}{side} {other.text}"
            expected = [
                any(
                    one.fits(a) and other.fits(b) and BESIDE[side](a, b)
                    for a in scene.things
                    for b in scene.things
                    if a is not b
                )
                for scene in scenes
            ]
        else:
            things = [Named(random, False) for _ in range(random.randint(1, 3))]
            *most, last = [named.text for named in things]
            caption = random.choice(["", "there is ", "there are ", "i see "]) + (
                f"{', '.join(most)} and {last}" if most else last
            )
            expected = [listed(things, scene) for scene in scenes]
        statement = parse(caption + random.choice(["", "."]))
        assert statement is not None, caption
        assert table.hold(statement).tolist() == expected, caption
        assert is_true(caption, scenes[0]) == expected[0]
        for fine in expected:
            seen[fine] += 1
    assert min(seen.values()) > 100


@pytest.mark.parametrize(
    "caption",
    [
        "",
        ".",
        "there is",
        "a red",
        "red circle",
        "a two circle",
        "two circle",
        "one circles",
        "a circles",
        "a circle red",
        "a red large circle",
        "a circle and",
        "a circle and a star and",
        "a circle and a star and a ring",
        "a circle, a star",
        "a circle is a star",
        "a circle left a star",
        "two circles left of a star",
        "a circle above two stars",
        "a circle above a star and a ring",
        "a circle above a star below a ring",
        "a hexagon",
        "a circle a star",
        "there is there is a circle",
        "a circle \N{SNOWMAN}",
        "a circle, a star, a ring, a cross, a square and a circle",
    ],
)
def test_what_is_not_understood_is_neither_true_nor_false_and_says_nothing(caption: str) -> None:
    assert parse(caption) is None
    assert is_true(caption, make_scene(Random(1))) is None
    assert information(caption) == 0


def test_things_named_with_an_article_are_different_ones_and_numbers_are_exact() -> None:
    scene = Scene((thing("circle"), thing("circle", "blue", "large", 20)), 0)
    assert is_true("a circle and a red circle", scene)
    assert is_true("A large circle and a circle.", scene)
    assert not is_true("a red circle and a small circle", scene)
    assert is_true("two circles", scene)
    assert is_true("one red shape", scene)
    assert not is_true("one circle", scene)
    assert not is_true("three circles", scene)


def test_phrases_know_their_words_and_what_they_are_about() -> None:
    caption = "there is a red circle to the left of a large star"
    statement = parse(caption)
    assert statement is not None
    assert [words_of(caption)[slice(*phrase.span)] for phrase in statement.phrases] == [
        ["a", "red", "circle"],
        ["a", "large", "star"],
    ]
    things = (thing("circle", x=10), thing("star", size="large", x=20), thing("circle", x=30), thing("star", x=40))
    one, other = Scenes([Scene(things, 0)]).meant(statement)
    assert one[0].tolist() == [True, False, False, False]
    assert other[0].tolist() == [False, True, False, False]
    several = parse("two circles and a star")
    assert several is not None
    assert [each[0].tolist() for each in Scenes([Scene(things[:3], 0)]).meant(several)] == [
        [True, False, True, False],
        [False, True, False, False],
    ]


def test_information_is_the_share_of_scenes_in_which_a_caption_is_true() -> None:
    random = Random("other scenes")
    scenes = [make_scene(random) for _ in range(2000)]
    for caption, fits in {
        "there is a star": lambda scene: any(each.shape == "star" for each in scene.things),
        "two red shapes": lambda scene: sum(each.colour == "red" for each in scene.things) == 2,
    }.items():
        assert 2 ** -information(caption) == pytest.approx(np.mean([fits(scene) for scene in scenes]), abs=0.03)
    assert information("a star") == information("There is a star.")
    assert information("a small red star") > information("a red star") > information("a star") > 0
    assert information("four small orange rings and three small blue rings") == pytest.approx(math.log2(20_001))
