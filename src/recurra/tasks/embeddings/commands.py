"""`recurra embeddings ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from recurra.data.tables import read_lines, split_lines
from recurra.errors import OptionError, RecurraError
from recurra.files import require_suffix, require_writable_parent
from recurra.progress import note
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.evaluation import VOCABULARY_SIZE
from recurra.tasks.embeddings.io.formats import Format
from recurra.tasks.embeddings.model import COUNT, NAMED, Model, Neighbour
from recurra.tasks.embeddings.nearest import AnalogyMethod
from recurra.tasks.shared.commands import Several, command, require_file_name, require_given
from recurra.tasks.shared.output import print_json

DEMO_WORDS = ("list", "string", "error", "returns", "file", "two")
"""Whose neighbours the demo shows."""

DEMO_EPOCHS = 40
"""Passes over Python's documentation, which is little text."""


@command
def train(
    *corpus: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Config = Config(),
) -> None:
    """Learn vectors of the words of a text.

    Args:
        corpus: Text files (plain or packed), folders of .txt files, JSONL, or sample:pydocs.
        out: The model folder to make.
        validation: The same, not learned from, to measure the loss on; a hundredth if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A model to go on from with more text; its words keep their vectors and counts.
    """
    from recurra.tasks.embeddings.training import train as train_model

    require_given(corpus, "a text file, a folder or sample:pydocs", "validation" if validation else None)
    train_model(corpus, out, config, validation=validation, resume=resume, overwrite=overwrite, from_model=from_model)


@command
def similar(model: Path, *words: str, count: int = COUNT, among: Path | None = None, json: bool = False) -> None:
    """Find the words nearest to each of some words, by cosine similarity.

    Args:
        model: The model folder.
        words: What to look for; lines of standard input if none are given.
        count: Neighbours of each word.
        among: A file of words, one a line, to find the neighbours among; all words of the model if not given.
        json: Print one JSON object.
    """
    asked = list(words) or _typed()
    loaded = Model.load(model)
    known = _known(loaded, asked)
    found = dict(zip(known, loaded.similar(known, count=count, among=_listed(among)), strict=True))
    if json:
        told = [{"word": word, "neighbours": _told(found.get(word, []))} for word in asked]
        print_json({"similar": told, "count": len(told)})
        return
    for number, word in enumerate(known):
        if len(asked) > 1:
            print(f"{'' if number == 0 else chr(10)}{word}")
        _print(found[word])


def _typed() -> list[str]:
    """The lines of standard input that have a word."""
    if sys.stdin.isatty():
        raise OptionError("there is no word to look for; name one, or give words as lines of standard input")
    text = sys.stdin.buffer.read().decode("utf-8-sig", "replace")
    words = [line.strip() for line in split_lines(text) if line.strip()]
    if not words:
        raise OptionError("there is no word to look for: standard input is empty; name one")
    return words


def _listed(file: Path | None) -> list[str]:
    """The words of a file, one a line."""
    return [line.strip() for line in read_lines(file) if line.strip()] if file else []


def _known(model: Model, words: Sequence[str]) -> list[str]:
    """The words that have neighbours; a single one must, of several those that have none are told."""
    vectors = model.vectors.of(words)[0]
    known = [word for word, vector in zip(words, vectors, strict=True) if vector.any()]
    unknown = [word for word, vector in zip(words, vectors, strict=True) if not vector.any()]
    for word in unknown[:NAMED]:
        try:
            model.similar(word)
        except RecurraError as error:
            if not known:
                raise
            note(str(error))
    if len(unknown) > NAMED:
        note(f"so it is with {len(unknown) - NAMED:,} more words")
    return known


def _told(found: Sequence[Neighbour]) -> list[dict[str, Any]]:
    return [{"word": neighbour.word, "similarity": round(neighbour.similarity, 6)} for neighbour in found]


def _print(found: Sequence[Neighbour]) -> None:
    for neighbour in found:
        print(f"{neighbour.similarity:8.4f}  {neighbour.word}")


@command
def analogy(
    model: Path, a: str, b: str, c: str, *, count: int = COUNT, method: AnalogyMethod = "add", json: bool = False
) -> None:
    """Find what is to C as B is to A: man king woman.

    Args:
        model: The model folder.
        a: A word.
        b: What goes with it.
        c: The word that an answer is to go with.
        count: Answers, the best first.
        method: Add vectors (3CosAdd), or multiply similarities (3CosMul).
        json: Print one JSON object.
    """
    found = Model.load(model).analogy(a, b, c, count=count, method=method)
    if json:
        print_json({"text": found[0].word if found else "", "answers": _told(found), "count": len(found)})
    else:
        _print(found)


@command
def odd_one_out(model: Path, *words: str, json: bool = False) -> None:
    """Find the word that fits the others worst: how near each is to the mean of all, the odd one first.

    Args:
        model: The model folder.
        words: Three words or more.
        json: Print one JSON object.
    """
    found = Model.load(model).fitting(words)
    if json:
        print_json({"text": found[0].word, "words": _told(found), "count": len(found)})
    else:
        _print(found)


@command
def evaluate(
    model: Path,
    *tests: Path,
    method: AnalogyMethod = "add",
    vocabulary_size: int = VOCABULARY_SIZE,
    json: bool = False,
) -> None:
    """Measure vectors: the share of analogies that are right, the rank correlation with word similarity.

    Args:
        model: The model folder.
        tests: Files of analogies (four words a line) or of word similarity (two words and a score).
        method: How analogies are answered: add vectors (3CosAdd), or multiply similarities (3CosMul).
        vocabulary_size: Only so many of the most frequent words are known, and may be answers.
        json: Print one JSON object.
    """
    require_given([str(test) for test in tests], "a file of analogies or of word similarity")
    figures = Model.load(model).evaluate(tests, vocabulary_size=vocabulary_size, method=method)
    if json:
        print_json(figures)
        return
    rows = []
    for name, figure in figures.items():
        rows.append((Path(name).name, figure["kind"], figure))
        rows += [(f"  {section}", "", part) for section, part in figure.get("sections", {}).items()]
    width = max(len(name) for name, _, _ in rows)
    print(f"{'test':<{width}}  {'kind':<10}  {'score':>6}  coverage    count")
    for name, kind, figure in rows:
        score = "-" if figure["score"] is None else f"{figure['score']:.4f}"
        print(f"{name:<{width}}  {kind:<10}  {score:>6}  {figure['coverage']:>8.1%}  {figure['count']:>7,}")


@command
def plot(
    model: Path,
    *words: str,
    out: Path,
    among: Path | None = None,
    count: int = 400,
    method: Literal["pca", "t-sne"] = "t-sne",
    analogy: tuple[str, str, str, str] | None = None,
    seed: int = 1,
    json: bool = False,
) -> None:
    """Draw words on a map, those near each other that are used alike.

    Args:
        model: The model folder.
        words: What to draw; the most frequent words if none are given.
        out: The picture (.png), or a page to search and zoom (.html).
        among: A file of words to draw, one a line.
        count: Words to draw if none are given.
        method: How vectors come to lie in a plane: by principal components, or t-SNE.
        analogy: Four words a b c d to draw as an analogy: a is to b as c is to d.
        seed: Seed of t-SNE.
        json: Print one JSON object.
    """
    require_suffix(out, ".png", ".html")
    from recurra.tasks.embeddings.maps.plot import plot as draw

    chosen = [*words, *_listed(among)]
    files = draw(Model.load(model), out, words=chosen, count=count, method=method, analogy=analogy, seed=seed)
    _print_files(files, json, {})


@command
def export(model: Path, *, out: Path, format: Format = "auto", json: bool = False) -> None:
    """Write vectors for other programs: .txt or .vec as text, .bin as word2vec's binary, .npy with a .txt of words.

    Args:
        model: The model folder.
        out: The file to write.
        format: Text has a first line with the counts (word2vec, fastText, gensim), glove has none; told by OUT if auto.
        json: Print one JSON object.
    """
    require_file_name(out)
    require_writable_parent(out)
    loaded = Model.load(model)
    _print_files(loaded.export(out, format), json, _sizes(loaded))


@command
def import_(file: Path, *, out: Path, overwrite: bool = False, json: bool = False) -> None:
    """Make a model of vectors in word2vec's text or binary format, fastText's .vec, GloVe's text or .npy.

    Args:
        file: The vectors, packed or not; the words of an .npy stand in a .txt of the same name, one a line.
        out: The model folder to make.
        overwrite: Replace what is in OUT.
        json: Print one JSON object.
    """
    from recurra.tasks.embeddings.io.importing import import_vectors

    model = import_vectors(file, out, overwrite=overwrite)
    if not json:
        note(f"{out}: {model.network_words()}; next: recurra embeddings {model.use.format(name=out)}")
    _print_files((out,), json, _sizes(model))


def _sizes(model: Model) -> dict[str, int]:
    return {"count": len(model.vectors.words), "size": model.vectors.size}


def _print_files(files: Sequence[Path], json: bool, more: dict[str, int]) -> None:
    names = [str(file) for file in files]
    if json:
        print_json({"path": names[0], "files": names, **more})
    else:
        print("\n".join(names))


def demo(out: Path, minutes: float | None) -> None:
    """Learn vectors from Python's documentation, look at some, draw them; see `recurra demo`."""
    from recurra.tasks.embeddings.maps.plot import plot as draw
    from recurra.tasks.embeddings.training import train as train_model

    model = train_model("sample:pydocs", out / "pydocs", epochs=DEMO_EPOCHS, minutes=minutes, overwrite=True)
    for word in DEMO_WORDS:
        if word in model:
            print(f"{word}: {', '.join(neighbour.word for neighbour in model.similar(word, count=6))}")
    files = draw(model, out / "map.html")
    print(f"\nThe loss curve: {out / 'pydocs' / 'loss.png'}")
    print(f"The words on a map: {', '.join(map(str, files))}")
    print(f"\nType next:\n  recurra embeddings similar {out / 'pydocs'} string")
    print("  recurra embeddings train YOUR_TEXT.txt --out my-vectors")
