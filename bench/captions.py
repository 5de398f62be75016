"""Drawn scenes: captions that are true, what they say, where the model looked; batched search against one by one.

`--seeds N` trains N models, about three minutes on a core each; `--steps` shortens that.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from common import machine, table

from recurra import captions
from recurra.tasks.captions.accuracy import attention_inside, truthfulness
from recurra.tasks.captions.commands import DEMO_STEPS
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.shapes import scene_of, shapes

FIGURES = ("true", "true_relations", "true_counts", "information", "information_of_sample")


def measure(model: Model, count: int) -> list[str]:
    """The figures of a model on fresh scenes, as cells of a row."""
    items = shapes(count, seed=77)
    pixels = [model.pixels(item.open()) for item in items]
    begun = time.process_time()
    found = [several[0] for several in model.captions(pixels)]
    together = time.process_time() - begun
    few = pixels[: count // 10]
    begun = time.process_time()
    for pixel in few:
        model.captions([pixel])
    alone = (time.process_time() - begun) * count / len(few)
    figures = truthfulness(items, [caption.text for caption in found])
    inside = [
        share
        for item, caption in zip(items, found, strict=True)
        if (scene := scene_of(item)) and caption.weights is not None
        for share in attention_inside(scene, caption.text, caption.weights, model.network.places)
    ]
    cells = [f"{figures[name] or 0:.2f}" if "info" in name else f"{figures[name] or 0:.1%}" for name in FIGURES]
    return [*cells, f"{np.mean(inside):.1%}", f"{alone / together:.1f}x"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEMO_STEPS)
    parser.add_argument("--count", type=int, default=1000, help="fresh scenes")
    options = parser.parse_args()
    rows = []
    for seed in range(1, options.seeds + 1):
        model = captions.train("sample:shapes", steps=options.steps, seed=seed, patience=0)
        seconds = f"{model.record['core_seconds']:.0f}"
        rows.append([f"{seed}", seconds, *measure(model, options.count)])
    heads = ["seed", "core-seconds", *(name.replace("_", " ") for name in FIGURES)]
    table(f"sample:shapes ({machine()})", [*heads, "attention inside", "beam 5, batched"], rows)


if __name__ == "__main__":
    main()
