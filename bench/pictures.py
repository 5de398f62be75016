"""Pictures that others have drawn: names of emoji that are composed anew, and true sentences about boxes of shapes.

`--sets emoji nlvr` chooses; `--seed N`; `--check-only` measures the truth checker alone. `name=value` goes to all
trainings, as `recurra captions train` has it: `steps=3000`.

Emoji are learned from and measured on the composition group: sequences with a skin tone, such as "man cook: dark skin
tone". No name of the test part occurs in training, so that one that is copied is never right.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
import zipfile
from pathlib import Path
from typing import Any

from common import OUT, data, machine

from recurra import captions
from recurra.tasks.captions.collections import Captioned, open_collection
from recurra.tasks.captions.model import Model, figures

SETS = ("emoji", "nlvr")

EMOJI: dict[str, Any] = dict(min_count=1, summary=True, steps=3000, batch_size=32, dropout=0.2, patience=0)
"""Chosen on the validation part."""


def unpacked(name: str) -> Path:
    """The folder of an archive's files; unpacked once."""
    folder = OUT / "captions" / Path(name).stem
    if not folder.exists():
        with zipfile.ZipFile(data(f"captions/{name}")) as archive:
            archive.extractall(folder)
    return folder


def compositions() -> dict[str, list[tuple[str, list[str]]]]:
    """Emoji of the composition group, (file, names), of each part."""
    folder = unpacked("noto-emoji.zip")
    parts: dict[str, list[tuple[str, list[str]]]] = {"train": [], "val": [], "test": []}
    for image in json.loads((folder / "dataset.json").read_text())["images"]:
        if image["group"] == "composition":
            path = folder / image["filepath"] / image["filename"]
            parts[image["split"]].append((str(path), [sentence["raw"] for sentence in image["sentences"]]))
    return parts


def described(model: Model, items: list[Captioned]) -> tuple[dict[str, Any], list[str]]:
    """How captions compare with those of the pictures, and the captions."""
    readable, found = model.described(items, "pictures")
    return figures(readable, found, model.config.lowercase), [caption.text for caption in found]


def emoji(options: dict[str, Any]) -> None:
    """Train on compositions, and name those whose names are new."""
    parts = compositions()
    begun = time.process_time()
    model = captions.train(parts["train"], validation=parts["val"], progress=False, **EMOJI | options)
    seconds = time.process_time() - begun
    for name in ("val", "test"):
        items = open_collection(parts[name]).items
        found, said = described(model, items)
        print(
            f"emoji {name}: {seconds:.0f} core-seconds, {model.record['nats']:.4f} nats a token on val; "
            f"{found['exact_match']:.1%} of {found['count']} exact, CIDEr {found['cider']:.0f}",
            flush=True,
        )
        wrong = [(text, item.captions[0]) for text, item in zip(said, items, strict=True) if text not in item.captions]
        for text, right in wrong[:20]:
            print(f"    {text}  <-  {right}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("rest", nargs="*", help="name=value: options of all trainings")
    given = parser.parse_args()
    options = {"seed": given.seed} | {name: _value(text) for name, _, text in (each.partition("=") for each in given.rest)}
    print(machine(), options)
    if "emoji" in given.sets:
        emoji(options)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
