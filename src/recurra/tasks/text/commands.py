"""`recurra text ...`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.data import samples
from recurra.decoding.sampling import Sampling, fresh_seed
from recurra.errors import OptionError
from recurra.files import require_suffix, write_text_atomic
from recurra.progress import note
from recurra.tasks import text
from recurra.tasks.output import print_explained, print_json, print_table, stream
from recurra.tasks.text.model import Config, Model, Piece

Flat = Parameter(name="*")
"""Options of a dataclass, each under its own name."""

MAX_LENGTH = 100_000_000
"""More tokens than this are not written in one go ..."""

MAX_JSON_LENGTH = 1_000_000
"""... nor kept for one JSON object, in all its samples together."""


def train(
    *corpus: str,
    out: Path,
    validation: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    config: Annotated[Config, Flat] = Config(),
) -> None:
    """Train a model on text files, folders of them, or `sample:pydocs`.

    Parameters
    ----------
    corpus
        Text files (plain or .gz), folders of .txt files, or sample:pydocs.
    out
        The model folder to make.
    validation
        A text that is not trained on, to choose the best weights; a tenth is cut off the end if not given.
    resume
        Go on with the run that was stopped, or has ended, in OUT.
    overwrite
        Replace what is in OUT.
    """
    if not corpus:
        raise OptionError("there is no corpus to train on; name a text file, a folder or sample:pydocs")
    text.train(corpus, out, config, validation, resume, overwrite)


def write(
    model: Path,
    *,
    prompt: str = "",
    length: int = 400,
    stop: str | None = None,
    samples: int = 1,
    json: bool = False,
    sampling: Annotated[Sampling, Flat] = Sampling(),
) -> None:
    """Write text, shown as it is made.

    Parameters
    ----------
    model
        The model folder.
    prompt
        What the text begins with.
    length
        How many tokens to write after the prompt.
    stop
        End the text before this string.
    samples
        How many texts to write.
    json
        Print one JSON object with the texts and every token's log-probability instead.
    """
    _require(1 <= length <= MAX_LENGTH, f"--length is {length}, but must be between 1 and {MAX_LENGTH:,}")
    _require(
        not json or length * samples <= MAX_JSON_LENGTH,
        f"--json keeps all it writes: --length times --samples must be at most {MAX_JSON_LENGTH:,}",
    )
    _require(1 <= samples <= 10_000, f"--samples is {samples}, but must be between 1 and 10,000")
    _require(stop != "", "--stop is empty; give the string to stop at, or leave it out")
    loaded = Model.load(model)
    sampling = replace(sampling, seed=fresh_seed()) if sampling.seed is None else sampling
    if unknown := loaded.unknown_in(prompt):
        note(f"the model has never seen {' '.join(unknown)}; read as its unknown token")
    texts = []
    for number in range(samples):
        numbered = replace(sampling, seed=(sampling.seed or 0) + number)
        pieces = loaded.write_pieces(prompt, length, numbered, stop)
        texts.append(_collect(prompt, pieces) if json else _show(prompt, pieces, last=number == samples - 1))
    if json:
        print_json({"text": texts[0]["text"], "seed": sampling.seed, "samples": texts, "count": len(texts)})


def _show(prompt: str, pieces: Iterator[Piece], last: bool) -> dict[str, Any]:
    stream(prompt)
    for piece in pieces:
        stream(piece.text)
    stream("\n" if last else "\n\n")
    return {}


def _collect(prompt: str, pieces: Iterator[Piece]) -> dict[str, Any]:
    made = list(pieces)
    return {
        "text": prompt + "".join(piece.text for piece in made),
        "subwords": [piece.text for piece in made],
        "log_probs": [round(piece.log_prob, 6) for piece in made],
    }


def evaluate(model: Path, data: str, *, dynamic: bool = False, encoding: str = "utf-8", json: bool = False) -> None:
    """Measure how well a model predicts a text: nats, bits and perplexity a token.

    Parameters
    ----------
    model
        The model folder.
    data
        A text file (plain or .gz), a folder or sample:pydocs.
    dynamic
        Let the model learn from the text as it goes (dynamic evaluation, Krause et al. 2018).
    encoding
        How the files encode text.
    json
        Print one JSON object.
    """
    figures = Model.load(model).evaluate(data, dynamic, encoding)
    (print_json if json else print_table)(figures)


def explain(
    model: Path,
    data: str,
    *,
    out: Path,
    against: tuple[Path, ...] = (),
    encoding: str = "utf-8",
    json: bool = False,
) -> None:
    """Show what a model sees in a text: one HTML page, and pictures beside it.

    Parameters
    ----------
    model
        The model folder.
    data
        A text the model was not trained on (plain or .gz), or sample:pydocs; its beginning is read.
    out
        The page to write, say page.html.
    against
        Further models, trained on the same text, to compare the effective context of: a GRU, a plain RNN. May be
        given again.
    encoding
        How the file encodes text.
    json
        Print one JSON object.
    """
    require_suffix(out, ".html", ".htm")
    others = {folder.name: Model.load(folder) for folder in against}
    print_explained(Model.load(model).explain(data, out, others, encoding), json)


def agreement(model: Path, test: Path, *, json: bool = False) -> None:
    """Measure number agreement: how often the right verb form is the more probable, by number of attractors.

    Parameters
    ----------
    model
        The model folder.
    test
        Sentences in X.text and forms in X.gold (or .gz): give either, or X. Each line of X.gold: the verb's place in
        the sentence, the right form, the wrong form, the number of attractors, with tabs between.
    json
        Print one JSON object.
    """
    result = Model.load(model).agreement(test)
    groups = {"all": result.overall} | {
        "unknown" if number is None else str(number): group for number, group in result.by_attractors.items()
    }
    if json:
        shares = {name: {"count": group.count, "accuracy": group.share} for name, group in groups.items()}
        print_json({"accuracy": result.overall.share, "count": result.overall.count, "attractors": shares})
        return
    print("attractors   verbs   right   95 % interval")
    for name, group in groups.items():
        low, high = group.interval
        print(f"{name:<10} {group.count:>7,}   {group.share:5.1%}   {low:.1%} to {high:.1%}")
    if result.left_out:
        note(f"{result.left_out} verbs were left out: both forms the same, or a form is not in the vocabulary")


def demo(out: Path, minutes: float | None) -> None:
    """Train on Python's documentation, write a page, draw the pictures; see `recurra demo`."""
    sample = samples.pydocs()
    cut = int(0.9 * len(sample))
    corpus, validation = out / "pydocs.txt", out / "pydocs-validation.txt"
    write_text_atomic(corpus, sample[:cut])
    write_text_atomic(validation, sample[cut:])
    model = text.train(corpus, out / "pydocs", Config(minutes=minutes or 1.0), validation, overwrite=True)
    page = model.write("The ", 2000, Sampling(seed=1))
    write_text_atomic(out / "page.txt", page + "\n")
    print(page)
    explained = model.explain(validation, out / "explained.html")
    print(f"\nThe page above: {out / 'page.txt'}\nThe loss curve: {out / 'pydocs' / 'loss.png'}")
    print("What the model sees: " + ", ".join(str(file) for file in explained.files))
    print(f'\nType next:\n  recurra text write {out / "pydocs"} --prompt "The class "')
    print("  recurra text train YOUR_TEXT.txt --out my-model")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise OptionError(message)
