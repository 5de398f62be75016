"""`recurra text ...`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.commands.output import print_json, print_table, stream
from recurra.decoding.sampling import Sampling
from recurra.errors import RecurraError
from recurra.progress import note
from recurra.tasks import text
from recurra.tasks.text import Config, Model, Piece

Flat = Parameter(name="*")
"""Options of a dataclass, each under its own name."""

MAX_LENGTH = 100_000_000
"""More symbols than this are not written in one go."""


def train(
    *corpus: str,
    out: Path,
    held_out: str | None = None,
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
    held_out
        A text that is not trained on, to choose the best weights; a tenth is cut off the end if not given.
    resume
        Go on with the run that was stopped, or has ended, in OUT.
    overwrite
        Replace what is in OUT.
    """
    if not corpus:
        raise RecurraError("there is no corpus to train on; name a text file, a folder or sample:pydocs")
    text.train(corpus, out, config, held_out, resume, overwrite)


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
        How many symbols to write after the prompt.
    stop
        End the text before this string.
    samples
        How many texts to write.
    json
        Print one JSON object with the texts and every symbol's log-probability instead.
    """
    _require(1 <= length <= MAX_LENGTH, f"--length is {length}, but must be between 1 and {MAX_LENGTH:,}")
    _require(1 <= samples <= 10_000, f"--samples is {samples}, but must be between 1 and 10,000")
    _require(stop != "", "--stop is empty; give the string to stop at, or leave it out")
    loaded = Model.load(model)
    sampling = replace(sampling, seed=text.fresh_seed()) if sampling.seed is None else sampling
    if unknown := loaded.unknown_in(prompt):
        note(f"the model has never seen {' '.join(unknown)}; read as its unknown symbol")
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
        "pieces": [piece.text for piece in made],
        "log_probs": [round(piece.log_prob, 6) for piece in made],
    }


def evaluate(model: Path, data: str, *, dynamic: bool = False, json: bool = False) -> None:
    """Measure how well a model predicts a text: nats, bits and perplexity a symbol.

    Parameters
    ----------
    model
        The model folder.
    data
        A text file (plain or .gz), a folder or sample:pydocs.
    dynamic
        Let the model learn from the text as it goes (dynamic evaluation, Krause et al. 2018).
    json
        Print one JSON object.
    """
    figures = Model.load(model).evaluate(data, dynamic)
    (print_json if json else print_table)(figures)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RecurraError(message)
