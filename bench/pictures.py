"""Pictures that others have drawn: names of emoji that are composed anew, and true sentences about boxes of shapes.

`--sets emoji nlvr` chooses; `--seed N`. `name=value` before them goes to all trainings, as `recurra captions train` has
it: `steps=3000`.

Emoji are learned from and measured on the composition group: sequences with a skin tone, such as "man cook: dark skin
tone". No name of the test part occurs in training, so that one that is copied is never right.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from common import OUT, data, machine
from nlvr import World, agreement, information, is_true, world_of
from PIL import Image

from recurra import captions
from recurra.tasks.captions.collections import Captioned, open_collection
from recurra.tasks.captions.data import clean
from recurra.tasks.captions.model import Model, figures

SETS = ("emoji", "nlvr")

EMOJI: dict[str, Any] = dict(image_size=96, min_count=1, summary=True, dropout=0.2, steps=3000, patience=0)
"""Chosen on the validation part."""

NLVR: dict[str, Any] = dict(image_size=128, steps=2000, evaluations=10, patience=0)
"""Likewise; a picture of 400 x 100 pixels is stretched to a square."""

SEARCH = captions.BeamSearch(beam_size=20, normalization="none")
"""Of sentences about as probable the mean of log-probabilities prefers the longest, which need not be true."""

BITS = (1.0, 3.0)
"""What sentences say that are learned from where boxes are put together anew."""

SAID = 8
"""Sentences of each of those pictures."""


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
        named = [
            (text, clean(item.captions[0], model.config.lowercase)) for text, item in zip(said, items, strict=True)
        ]
        wrong = [(text, name) for text, name in named if text != name]
        for text, right in wrong[:20]:
            print(f"    {text}  <-  {right}")


def nlvr_images(split: str) -> list[dict[str, Any]]:
    """NLVR's pictures of a part, as its `dataset.json` has them, with the path of each."""
    folder = unpacked("nlvr.zip")
    images = json.loads((folder / "dataset.json").read_text())["images"]
    return [
        image | {"path": folder / image["filepath"] / image["filename"], "world": world_of(image["structured_rep"])}
        for image in images
        if image["split"] == split
    ]


def put_together(split: str, count: int) -> list[tuple[str, list[str]]]:
    """Pictures made of boxes of others, with sentences of others that the checker finds true of them.

    Three boxes of pictures of one kind (towers or not) come together, and of the training part's sentences about that
    kind those that say `BITS` of all its pictures. Of other parts there are the boxes only, so that validation asks
    the same of other pictures.
    """
    images = nlvr_images(split)
    folder = OUT / "captions" / f"nlvr-{split}"
    folder.mkdir(parents=True, exist_ok=True)
    learned = nlvr_images("train")
    worlds = [image["world"] for image in learned]
    kinds: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    said_of = {image["sentences"][0]["raw"] for image in learned}
    information_of = {said: information(said, worlds) or 0.0 for said in said_of}
    known: dict[bool, list[str]] = {True: [], False: []}
    for image in images:
        kinds[is_towers(image["world"])].append(image)
    for kind in kinds:
        sentences = sorted({i["sentences"][0]["raw"] for i in learned if is_towers(i["world"]) == kind})
        known[kind] = [said for said in sentences if BITS[0] <= information_of[said] <= BITS[1]]
    made = []
    for number in range(count):
        random = Random(number)
        kind = is_towers(random.choice(images)["world"])
        chosen = [(random.choice(kinds[kind]), random.randrange(3)) for _ in range(3)]
        world = [image["world"][box] for image, box in chosen]
        true = [said for said in known[kind] if is_true(said, world)]
        if not true:
            continue
        path = folder / f"{number}.png"
        if not path.exists():  # what is drawn does not depend on the sentences
            drawn = Image.open(chosen[0][0]["path"]).convert("RGB")
            for at, (image, box) in enumerate(chosen):
                with Image.open(image["path"]) as other:
                    drawn.paste(other.convert("RGB").crop((150 * box, 0, 150 * box + 100, 100)), (150 * at, 0))
            drawn.save(path)
        # Those that are seldom true come as often as others (Efraimidis and Spirakis 2006).
        chances = {said: random.random() ** 2 ** -information_of[said] for said in true}
        made.append((str(path), sorted(true, key=chances.__getitem__)[-SAID:]))
    return made


def is_towers(world: World) -> bool:
    return all(thing.shape == "square" and thing.left == 40 for box in world for thing in box)


def truth(said: Sequence[str], worlds: Sequence[World]) -> str:
    """Of captions of NLVR's pictures: understood, true of those, bits of the true ones, distinct ones."""
    judged = [is_true(text, world) for text, world in zip(said, worlds, strict=True)]
    understood = [each for each in judged if each is not None]
    known = {text: information(text, worlds) or 0.0 for text in set(said)}
    bits = [known[text] for text, true in zip(said, judged, strict=True) if true]
    return (
        f"{len(understood) / len(said):.1%} understood, {sum(understood) / len(understood):.1%} of those true, "
        f"{sum(bits) / len(bits):.2f} bits, {len(set(said))} distinct"
    )


def nlvr(options: dict[str, Any], pictures: int) -> None:
    """Train on people's sentences, or on them about boxes put together anew; is what is said true?"""
    if pictures:
        train, validation = put_together("train", pictures), put_together("val", 100)
    else:
        train, validation = (
            [(str(image["path"]), [image["sentences"][0]["raw"]]) for image in nlvr_images(split)]
            for split in ("train", "val")
        )
    begun = time.process_time()
    model = captions.train(train, validation=validation, progress=False, **NLVR | options)
    seconds = time.process_time() - begun
    print(f"nlvr: {seconds:.0f} core-seconds, {len(train)} pictures, {model.record['nats']:.4f} nats a token on val")
    for split in ("val", "test"):
        images = nlvr_images(split)
        worlds = [image["world"] for image in images]
        said = model.describe([image["path"] for image in images], SEARCH)
        print(f"nlvr {split}, people: {truth([image['sentences'][0]['raw'] for image in images], worlds)}")
        print(f"nlvr {split}, model: {truth(said, worlds)}", flush=True)
        for text, count in Counter(said).most_common(8):
            print(f"    {count:3} {information(text, worlds)} {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--together", type=int, default=5000, help="pictures of boxes put together; 0 for those given")
    parser.add_argument("rest", nargs="*", help="name=value: options of all trainings")
    given = parser.parse_args()
    options = {"seed": given.seed} | {
        name: _value(text) for name, _, text in (each.partition("=") for each in given.rest)
    }
    print(machine(), options, given.together, flush=True)
    if "nlvr" in given.sets:
        for part in ("dev", "test", "hidden"):
            print(agreement(part), flush=True)
        nlvr(options, given.together)
    if "emoji" in given.sets:
        emoji(options)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
