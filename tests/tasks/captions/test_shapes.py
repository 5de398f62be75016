"""Drawn scenes: what is drawn, and that their captions are true."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from recurra.tasks.captions.collections import Captioned
from recurra.tasks.captions.shapes import COLOURS, SHAPES, SIZE, SIZES, Scene, Thing, draw, make_scene, scene_of, shapes
from recurra.tasks.captions.truth import is_true, parse


def scenes(count: int, seed: int = 1) -> list[Scene]:
    found = [scene_of(item) for item in shapes(count, seed)]
    assert None not in found
    return [scene for scene in found if scene]


def test_a_seed_gives_the_same_scenes_whatever_their_number_and_another_gives_others() -> None:
    few, many, others = shapes(30), shapes(40), shapes(30, seed=2)
    assert [(item.name, item.captions, item.split) for item in few] == [
        (item.name, item.captions, item.split) for item in many[:30]
    ]
    assert (np.asarray(few[7].open()) == np.asarray(many[7].open())).all()
    assert not {item.captions for item in few} & {item.captions for item in others}


def test_things_lie_inside_and_do_not_overlap_and_are_of_all_kinds() -> None:
    made = scenes(300)
    for scene in made:
        assert 2 <= len(scene.things) <= 4
        covered = np.zeros((SIZE, SIZE), int)
        for thing in scene.things:
            low, high = SIZES[thing.size]
            assert low <= thing.radius <= high
            rows = slice(thing.y - thing.radius, thing.y + thing.radius + 1)
            columns = slice(thing.x - thing.radius, thing.x + thing.radius + 1)
            assert covered[rows, columns].shape == (2 * thing.radius + 1,) * 2
            covered[rows, columns] += 1
        assert covered.max() == 1
    assert {thing.shape for scene in made for thing in scene.things} == set(SHAPES)
    assert {thing.colour for scene in made for thing in scene.things} == set(COLOURS)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_drawn_in_its_colour_where_it_is_with_smooth_edges(shape: str) -> None:
    thing = Thing(shape, "red", "large", 10, 30, 20, (200, 40, 60))
    pixels = np.asarray(draw(Scene((thing,), 90))).astype(int)
    painted = (pixels != 90).any(axis=2)
    rows, columns = np.flatnonzero(painted.any(axis=1)), np.flatnonzero(painted.any(axis=0))
    assert rows.min() >= 10
    assert rows.max() <= 30
    assert columns.min() >= 20
    assert columns.max() <= 40
    assert min(len(rows), len(columns)) >= 15
    whole = (pixels == thing.paint).all(axis=2)
    assert whole[20, 30] == (shape != "ring")
    assert (painted & ~whole).any() or shape == "square"
    assert whole.sum() > 60


def test_shapes_differ_from_each_other_in_both_sizes() -> None:
    for size, (radius, _) in SIZES.items():
        drawn = [draw(Scene((Thing(shape, "red", size, radius, 30, 30, (0, 0, 0)),), 255)) for shape in SHAPES]
        masks = [np.asarray(image)[:, :, 0] < 128 for image in drawn]
        for index, one in enumerate(masks):
            for other in masks[:index]:
                assert (one != other).sum() > 0.15 * one.sum()


def test_all_captions_are_understood_and_true_and_they_vary() -> None:
    items = shapes(300)
    said = [parse(caption) for item in items for caption in item.captions]
    for item in items:
        scene = scene_of(item)
        assert scene
        assert all(is_true(caption, scene) for caption in item.captions), item.captions
    sided = np.mean([statement is not None and statement.side is not None for statement in said])
    counted = np.mean([any(phrase.number for phrase in statement.phrases) for statement in said if statement])
    assert 0.4 < sided < 0.6
    assert 0.2 < counted < 0.5
    assert len({caption for item in items for caption in item.captions}) > 1000


def test_captions_are_seldom_true_of_other_scenes() -> None:
    items = shapes(200)
    others = scenes(200, seed=5)
    right = [is_true(item.captions[0], other) for item, other in zip(items, others, strict=True)]
    assert np.mean(right) < 0.05


def test_the_parts_are_told_and_other_pictures_are_no_scenes() -> None:
    splits = [item.split for item in shapes(48)]
    assert splits.count("val") == splits.count("test") == 2
    assert set(splits) == {"train", "val", "test"}
    assert scene_of(Captioned("a.png", ("a star",), None, lambda: draw(scenes(1)[0]))) is None


def test_an_article_suits_its_word() -> None:
    said = " ".join(caption for item in shapes(200) for caption in item.captions).split()
    for word, after in pairwise(said):
        if word in ("a", "an"):
            assert (word == "an") == (after == "orange")


def test_a_scene_is_made_by_the_given_generator_alone() -> None:
    Random(99).random()
    assert make_scene(Random(3)) == make_scene(Random(3)) != make_scene(Random(4))
