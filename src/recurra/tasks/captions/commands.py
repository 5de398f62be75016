"""`recurra captions ...`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.data.columns import Header
from recurra.data.sources import sample_named
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import require_suffix, require_writable_parent, write_text_atomic
from recurra.progress import in_groups, note
from recurra.tasks.captions.collections import Captioned
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.explanation import MOST_PICTURES, as_captioned
from recurra.tasks.captions.explanation import told as told_of
from recurra.tasks.captions.figure import UNFINISHED, written
from recurra.tasks.captions.model import GROUP, Caption, Model
from recurra.tasks.captions.pictures import SUFFIXES
from recurra.tasks.captions.shapes import shapes
from recurra.tasks.captions.training import train as train_model
from recurra.tasks.shared.commands import Several, command, require_file_name, require_given
from recurra.tasks.shared.output import print_json, print_table

PICTURES = "a captions file, a folder with one, or sample:shapes"

DEMO_STEPS = 4500
"""Steps of training in the demo: three minutes on a core."""

DEMO_PICTURES = 6


@command
def train(
    *pictures: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Config = Config(),
) -> None:
    """Train a model on pictures with captions.

    Args:
        pictures: COCO's or Karpathy's .json, a table of file and caption, a folder with one, or sample:shapes.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a part is drawn if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and vocabulary.
    """
    require_given(pictures, PICTURES, "validation" if validation else None)
    train_model(pictures, out, config, validation=validation, resume=resume, overwrite=overwrite, from_model=from_model)


@command
def describe(
    model: Path,
    *pictures: Path,
    out: Path | None = None,
    json: bool = False,
    search: BeamSearch = BeamSearch(),
) -> None:
    """Describe a picture, several, or all in a folder; one that was cut off ends with three full stops.

    Args:
        model: The model folder.
        pictures: JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF files, or folders of them.
        out: The file to write, a line for each caption: the picture, a tab, and with --n-best the score and a tab.
        json: Print one JSON object with scores, tokens and their log-probabilities.
    """
    require_given([str(picture) for picture in pictures], "a picture, or a folder of them")
    if out:
        require_file_name(out)
        require_writable_parent(out)
    files = _files(pictures)
    loaded = Model.load(model, "auto")
    told: list[dict[str, Any]] = []
    lines: list[str] = []
    faults = 0
    for group in in_groups(files, GROUP, "describing"):
        pixels, readable = [], []
        for file in group:
            try:
                pixels.append(loaded.pixels(file))
                readable.append(file)
            except RecurraError as error:
                if len(files) == 1:
                    raise
                note(f"left out: {error}")
                faults += 1
        for file, captions in zip(readable, loaded.captions(pixels, search), strict=True):
            told.append(_told(loaded, file, captions))
            lines += _lines(file, captions, search.n_best, named=len(files) > 1 or out is not None)
    if faults == len(files):
        raise RecurraError(f"none of the {faults:,} pictures can be read; give others")
    if faults:
        note(f"{faults:,} of {len(files):,} pictures were left out")
    if json:
        print_json({"text": told[0]["text"], "pictures": told, "count": len(told)})
    elif not out:
        print("\n".join(lines))
    if out:
        write_text_atomic(out, "\n".join(lines) + "\n")
        note(f"{out}: {len(lines):,} lines")


def _files(named: Sequence[Path]) -> list[Path]:
    """The pictures that are named, and those in folders, by their names."""
    files: list[Path] = []
    for path in named:
        if not path.is_dir():
            files.append(path)
            continue
        with os_errors("reading", path):
            held = [file for file in path.iterdir() if file.is_file()]
        inside = sorted(file for file in held if file.suffix.lower() in SUFFIXES)
        if not inside:
            raise RecurraError(f"the folder {path} holds no picture; name the files themselves")
        if others := len(held) - len(inside):
            note(f"{path}: {others:,} of {len(held):,} files are left out, whose names do not end like a picture's")
        files += inside
    return files


def _lines(file: Path, captions: Sequence[Caption], n_best: int, named: bool) -> list[str]:
    """Captions as lines of text."""
    name = f"{str(file) if str(file).isprintable() else repr(str(file))}\t" if named else ""
    return [
        f"{name}{f'{caption.score:.4f}' + chr(9) if n_best > 1 else ''}{caption.text}"
        f"{'' if caption.finished else UNFINISHED}"
        for caption in captions
    ]


def _told(model: Model, file: Path, captions: Sequence[Caption]) -> dict[str, Any]:
    best = [
        {
            "text": caption.text,
            "finished": caption.finished,
            "score": caption.score,
            "log_prob": round(caption.log_prob, 6),
            "tokens": model.vocabulary.shown(caption.tokens),
            "log_probs": [round(value, 6) for value in caption.log_probs],
        }
        for caption in captions
    ]
    return {"path": str(file), "text": best[0]["text"], "n_best": best}


@command
def explain(
    model: Path,
    *pictures: Path,
    out: Path,
    count: int = 50,
    json: bool = False,
    search: BeamSearch = BeamSearch(),
) -> None:
    """Show where a model looked at each word of its captions: a page of all pictures, and the first of them as a PNG.

    Args:
        model: The model folder.
        pictures: JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF files, folders of them, or sample:shapes.
        out: The page to write, say page.html, with a picture beside it.
        count: So many pictures are shown, the first ones; 1 to 200.
        json: Print one JSON object with the words, their probabilities and their attention.
    """
    require_given([str(picture) for picture in pictures], "a picture, a folder of them, or sample:shapes")
    if not 1 <= count <= MOST_PICTURES:
        raise OptionError(f"`count` is {count:,}; give 1 to {MOST_PICTURES}")
    require_suffix(out, ".html", ".htm")
    require_file_name(out)
    require_writable_parent(out)
    named = _named(pictures)
    if len(named) > count:
        note(f"the first {count:,} of {len(named):,} pictures are shown; `count` says how many")
    found = Model.load(model, "auto").explain(named[:count], out, search)
    if found.left_out:
        note(f"{len(found.left_out):,} of {len(named[:count]):,} pictures were left out")
    if json:
        told = [told_of(each) for each in found.explanations]
        files = [str(file) for file in found.files]
        several = {"count": len(told), "left_out": list(found.left_out), "path": files[0], "files": files}
        print_json({"text": told[0]["text"], "pictures": told, **several})
        return
    for each in found.explanations:
        print("\n".join(_lines(Path(each.source), each.captions[:1], 1, named=len(named) > 1)))
    print("\n" + "\n".join(map(str, found.files)))


def _named(pictures: Sequence[Path]) -> list[Captioned]:
    """The pictures that are named; of the drawn scenes those that no model learns from."""
    items: list[Captioned] = []
    for path in pictures:
        sample = sample_named([str(path)], "sample of pictures")
        items += [item for item in sample() if item.split == "test"] if sample else map(as_captioned, _files([path]))
    return items


@command
def evaluate(
    model: Path,
    *pictures: str,
    split: str = "",
    images: str = "",
    columns: str = "",
    header: Header = "auto",
    encoding: str = "utf-8",
    json: bool = False,
    search: BeamSearch = BeamSearch(),
) -> None:
    """Describe pictures and compare with their captions: BLEU, ROUGE-L, CIDEr; on sample:shapes whether they are true.

    Args:
        model: The model folder.
        pictures: COCO's or Karpathy's .json, a table of file and caption, a folder with one, or sample:shapes.
        split: Only the pictures of this part: train, val or test.
        images: Folder with the pictures, where it is not beside the captions file.
        columns: Columns or keys of a table to read as file,caption: names or numbers.
        header: Whether the first line of a table names its columns; judged by its contents if not given.
        encoding: How the captions file encodes text.
        json: Print one JSON object.
    """
    require_given(pictures, PICTURES)
    found = Model.load(model, "auto").evaluate(
        pictures, search, encoding=encoding, columns=columns, header=header, images=images, split=split
    )
    if json:
        print_json(found)
    else:
        print_table({name: "not defined" if value is None else value for name, value in found.items()})


def demo(out: Path, minutes: float | None) -> None:
    """Train on drawn scenes, describe some that are new; see `recurra demo`."""
    length = {"steps": DEMO_STEPS} if minutes is None else {"minutes": minutes}
    model = train_model("sample:shapes", out / "shapes", Config(patience=0, **length), overwrite=True)
    folder = out / "pictures"
    with os_errors("writing", folder):
        folder.mkdir(exist_ok=True)
        items = shapes(DEMO_PICTURES, seed=2)
        for item in items:
            item.open().save(folder / item.name)
    found = model.explain(items, out / "looked.html")
    for each in found.explanations:
        print(f"{folder / each.source}: {written(each)}")
    print(f"\nThe loss curve: {out / 'shapes' / 'loss.png'}")
    print(f"Where it looked: {', '.join(map(str, found.files))}")
    print(f"\nType next:\n  recurra captions describe {out / 'shapes'} {folder} --n-best 3")
    print("  recurra captions train YOUR_CAPTIONS.json --out my-model")
