"""Whether captions of drawn scenes are true, how much they say, and whether the model looked at what they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.tasks.captions.collections import Captioned
from recurra.tasks.captions.image_encoder import Places
from recurra.tasks.captions.shapes import SIZE, Scene, scene_of
from recurra.tasks.captions.truth import Scenes, Statement, information, is_true, parse, words_of


def truthfulness(items: Sequence[Captioned], captions: Sequence[str]) -> dict[str, Any]:
    """How many captions of drawn scenes are true; nothing for other pictures.

    Args:
        items: the pictures.
        captions: what is said of each.

    Returns:
        `true`, the share of the captions that are; `true_relations` and `true_counts`, of those that say on which side
        something is or give a number (None without any); `information` of the true ones, the mean in bits, and that of
        the pictures' own captions.
    """
    scenes = [scene_of(item) for item in items]
    if not scenes or None in scenes:
        return {}
    true = [scene is not None and is_true(text, scene) is True for text, scene in zip(captions, scenes, strict=True)]
    statements = [parse(text) for text in captions]
    own = [caption for item in items for caption in item.captions]
    return {
        "true": _share(true),
        "true_relations": _share([fine for fine, said in zip(true, statements, strict=True) if said and said.side]),
        "true_counts": _share([fine for fine, said in zip(true, statements, strict=True) if said and _counts(said)]),
        "information": _share([information(text) for text, fine in zip(captions, true, strict=True) if fine]),
        "information_of_sample": _share([information(text) for text in own]),
    }


def _share(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _counts(statement: Statement) -> bool:
    return any(phrase.number is not None for phrase in statement.phrases)


def attention_inside(scene: Scene, caption: str, weights: FloatArray, places: Places | None = None) -> list[float]:
    """For each phrase of a true caption, the share of attention that lies inside the things it is about.

    That of all its words from article to noun is added up; each position's is spread evenly over what is nearer to its
    middle than to another's, and what lies in the squares around the things counts.

    Args:
        scene: what the caption is of.
        caption: in words, each of which is a token.
        weights: `(tokens + 1, height, width)`.
        places: where the positions are in the scene; evenly spread if None.

    Returns:
        A share for each phrase; none if the caption is not true.
    """
    statement = parse(caption)
    if statement is None or len(words_of(caption)) != len(weights) - 1 or not is_true(caption, scene):
        return []
    places = places or Places.even(SIZE, weights.shape[1])
    edges = places.edges * (SIZE / places.size)
    shares = []
    for phrase, meant in zip(statement.phrases, Scenes([scene]).meant(statement), strict=True):
        looked = weights[slice(*phrase.span)].sum(axis=0)
        inside = 0.0
        for thing, is_meant in zip(scene.things, meant[0], strict=False):
            if is_meant:  # the squares around things do not overlap
                down, across = (_covered(edges, at - thing.radius, at + thing.radius + 1) for at in (thing.y, thing.x))
                inside += float(down @ looked @ across)
        shares.append(inside / float(looked.sum()))
    return shares


def _covered(edges: DoubleArray, begin: float, end: float) -> DoubleArray:
    """The share of each interval between edges that lies between two points."""
    ends = np.clip(edges, begin, end)
    shares: DoubleArray = np.diff(ends) / np.diff(edges)
    return shares
