"""`recurra text ...`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.config import check_range
from recurra.data import samples
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError
from recurra.files import require_suffix, write_text_atomic
from recurra.progress import note
from recurra.runtime.layers import Precision
from recurra.tasks.shared.commands import Several, command, note_unknown, require_given
from recurra.tasks.shared.output import print_explained, print_json, print_table, stream
from recurra.tasks.text.config import Config
from recurra.tasks.text.writing import LENGTH, MAX_LENGTH, Writer, WrittenToken

MAX_JSON_LENGTH = 1_000_000
"""More tokens than this are not kept for one JSON object, in all its samples together."""


@command
def train(
    *corpus: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    embeddings: Path | None = None,
    config: Config = Config(),
) -> None:
    """Train a model on text.

    Args:
        corpus: Text files (plain or packed), folders of .txt files, JSONL, or sample:pydocs.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a tenth if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and vocabulary.
        embeddings: An embeddings model to begin from, for --tokens words.
    """
    from recurra.tasks.text.training import train as train_model

    require_given(corpus, "a text file, a folder or sample:pydocs", "validation" if validation else None)
    train_model(
        corpus,
        out,
        config,
        validation=validation,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
        embeddings=embeddings,
    )


@command
def write(
    model: Path,
    *,
    prompt: str = "",
    length: int = LENGTH,
    stop: str | None = None,
    samples: int = 1,
    precision: Precision = "float32",
    json: bool = False,
    sampling: Sampling = Sampling(),
) -> None:
    """Write text, shown as it is made.

    Args:
        model: The model folder.
        prompt: What the text begins with.
        length: Most tokens to write after the prompt; a document may end earlier.
        stop: End the text before this string.
        samples: How many texts to write.
        precision: Weights as they were trained, or rounded to int8: faster with many units, not quite the same text.
        json: Print one JSON object with the texts and every token's log-probability.
    """
    check_range("length", length, 1, MAX_LENGTH)
    check_range("samples", samples, 1, 10_000)
    if json and length * samples > MAX_JSON_LENGTH:
        raise OptionError(f"`json` keeps all it writes: `length` times `samples` must be at most {MAX_JSON_LENGTH:,}")
    if stop == "":
        raise OptionError("`stop` is empty; give the string to stop at, or leave it out")
    loaded, sampling = Writer.load(model, precision), sampling.seeded()
    note_unknown(loaded.unknown_in(prompt))
    texts = []
    for number in range(samples):
        tokens = loaded.generate(prompt, length=length, stop=stop, sampling=sampling, number=number)
        texts.append(_collect(prompt, tokens) if json else _show(prompt, tokens, last=number == samples - 1))
    if json:
        print_json({"text": texts[0]["text"], "seed": sampling.seed, "samples": texts, "count": len(texts)})


def _show(prompt: str, tokens: Iterator[WrittenToken], last: bool) -> dict[str, Any]:
    stream(prompt)
    for token in tokens:
        stream(token.text)
    stream("\n" if last else "\n\n")
    return {}


def _collect(prompt: str, tokens: Iterator[WrittenToken]) -> dict[str, Any]:
    made = list(tokens)
    return {
        "text": prompt + "".join(token.text for token in made),
        "tokens": [token.text for token in made],
        "log_probs": [round(token.log_prob, 6) for token in made],
    }


@command
def evaluate(model: Path, data: str, *, dynamic: bool = False, encoding: str = "utf-8", json: bool = False) -> None:
    """Measure how well a model predicts a text: nats, bits and perplexity a token.

    Args:
        model: The model folder.
        data: A text file (plain or packed), a folder or sample:pydocs.
        dynamic: Let the model learn from the text as it goes (Krause et al. 2018).
        encoding: How the files encode text.
        json: Print one JSON object.
    """
    from recurra.tasks.text.model import Model

    figures = Model.load(model, "auto").evaluate(data, dynamic=dynamic, encoding=encoding)
    (print_json if json else print_table)(figures)


@command
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

    Args:
        model: The model folder.
        data: A text the model was not trained on, or sample:pydocs; its beginning is read.
        out: The page to write, say page.html.
        against: Another model of the same text to compare with; may be given again.
        encoding: How the file encodes text.
        json: Print one JSON object.
    """
    from recurra.tasks.text.model import Model

    require_suffix(out, ".html", ".htm")
    others = [Model.load(folder) for folder in against]
    print_explained(Model.load(model).explain(data, out, against=others, encoding=encoding), json)


@command
def agreement(model: Path, test: Path, *, json: bool = False) -> None:
    """Measure number agreement: how often the right verb form is the more probable, by number of attractors.

    Args:
        model: The model folder.
        test: The files X.text and X.gold (or .gz): give either, or X; docs/text.md has their format.
        json: Print one JSON object.
    """
    from recurra.tasks.text.model import Model

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
    from recurra.tasks.text.training import train as train_model

    sample = samples.pydocs()
    cut = int(0.9 * len(sample))
    corpus, kept = out / "pydocs.txt", out / "pydocs-validation.txt"
    write_text_atomic(corpus, sample[:cut])
    write_text_atomic(kept, sample[cut:])
    model = train_model(corpus, out / "pydocs", validation=kept, overwrite=True, minutes=minutes or 1.0)
    page = model.write("The ", length=2000, seed=1)
    write_text_atomic(out / "page.txt", page + "\n")
    print(page)
    explained = model.explain(kept, out / "explained.html")
    print(f"\nThe page above: {out / 'page.txt'}\nThe loss curve: {out / 'pydocs' / 'loss.png'}")
    print("What the model sees: " + ", ".join(str(file) for file in explained.files))
    print(f'\nType next:\n  recurra text write {out / "pydocs"} --prompt "The class "')
    print("  recurra text train YOUR_TEXT.txt --out my-model")
