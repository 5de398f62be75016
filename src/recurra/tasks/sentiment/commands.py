"""`recurra sentiment ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from recurra.data.columns import Header
from recurra.data.lines import groups
from recurra.data.tables import read_lines
from recurra.errors import OptionError, RecurraError
from recurra.files import require_suffix, require_writable_parent
from recurra.progress import in_groups, note
from recurra.tasks.sentiment.classifier import AnyClassifier, Classifier, Label
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.contrast import CONTRAST, Score, draw_contrast
from recurra.tasks.shared.commands import Several, command, note_unknown, require_file_name, require_given
from recurra.tasks.shared.output import print_json, print_table, stream

if TYPE_CHECKING:
    from recurra.tasks.sentiment.model import Evaluation

TEXTS = "a table of texts and labels, or sample:moods"

NOTHING = {"label": None, "probability": None, "probabilities": None}
"""The answer to an empty line."""

DEMO_STEPS = 5000
"""Steps of training in the demo, of all models together."""

EXAMPLES = (
    "The service was slow at first, but wonderful in the end.",
    "I would not, after all we had been through, call it good.",
    "Nobody could say the soup was not delicious.",
)
"""What the demo explains beside "not feeling happy"."""

GROUP = 512
"""Texts that are classified together."""


@command
def train(
    *texts: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    embeddings: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Config = Config(),
) -> None:
    """Train a model on labelled texts.

    Args:
        texts: Tables with a text and its label in each row (.tsv, .csv, .jsonl, .json), or sample:moods.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights and the temperature; a tenth is drawn if not
            given.
        embeddings: An embeddings model, whose vectors the network begins with.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights, words and labels.
    """
    from recurra.tasks.sentiment.training import train as train_model

    require_given(texts, TEXTS, "validation" if validation else None)
    train_model(
        texts,
        out,
        config,
        validation=validation,
        embeddings=embeddings,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
    )


@command
def classify(
    model: Path,
    *text: str,
    file: Path | None = None,
    encoding: str = "utf-8",
    json: bool = False,
) -> None:
    """Say what a text is, or each line of a file or of standard input as it comes: a label and its probability.

    Args:
        model: The model folder.
        text: What to classify, in quotes or not; standard input if neither this nor --file is given.
        file: A text file (plain or packed) with a text a line.
        encoding: How FILE encodes text; standard input is UTF-8.
        json: Print one JSON object with the probabilities of all labels.
    """
    if text and file is not None:
        raise OptionError("a text and --file are given; give one of them")
    if file is None and encoding != "utf-8":
        raise OptionError("`encoding` says how `file` encodes text; leave it out or give the file")
    loaded = _classifier(model, many=file is not None)
    told: list[dict[str, Any]] = []
    unknown: dict[str, None] = {}
    for group in _lines(text, file, encoding):
        for line, found in zip(group, _classified(loaded, group), strict=True):
            unknown.update(dict.fromkeys(loaded.unknown_in(line)))
            if json:
                told.append({"text": line} | (NOTHING if found is None else found._asdict()))
            else:
                stream("\n" if found is None else f"{found.label}\t{found.probability:.4f}\n")
    note_unknown(unknown)
    if json:
        print_json((told[0] if told else {}) | {"texts": told, "count": len(told)})


def _classifier(model: Path, many: bool) -> AnyClassifier:
    """A model that starts at once; for many texts the one that works on a GPU if there is one, where PyTorch is."""
    if not many or find_spec("torch") is None:
        return Classifier.load(model)
    from recurra.tasks.sentiment.model import Model

    return Model.load(model, "auto")


def _lines(text: Sequence[str], file: Path | None, encoding: str) -> Iterable[Sequence[str]]:
    if text:
        return [[" ".join(text)]]
    if file is not None:
        return in_groups(read_lines(file, encoding), GROUP, "classifying")
    if sys.stdin is None:
        raise RecurraError("there is no standard input; give a text or `file`")
    return groups(sys.stdin.buffer, GROUP)


def _classified(model: AnyClassifier, lines: Sequence[str]) -> list[Label | None]:
    """The answer to each line; of an empty one there is none."""
    found = iter(model.classify([line for line in lines if line.strip()]))
    return [next(found) if line.strip() else None for line in lines]


@command
def evaluate(
    model: Path,
    *texts: str,
    out: Path | None = None,
    picture: Path | None = None,
    against: Annotated[tuple[Path, ...], Several] = (),
    encoding: str = "utf-8",
    columns: str = "",
    header: Header = "auto",
    json: bool = False,
) -> None:
    """Classify labelled texts and compare with their labels: accuracy, calibration, each class by itself.

    Args:
        model: The model folder.
        texts: Tables with a text and its label in each row, sample:moods, or sample:contrast: pairs of sentences that
            differ by a negation, a "but" or the order of their words.
        out: A table to write, .tsv or .jsonl, with every text, its label, the answer and the probabilities.
        picture: A picture to write, .png: how far probabilities can be trusted, and what is taken for what; of
            sample:contrast which pairs are right.
        against: Further models to compare with on sample:contrast.
        encoding: How the files encode text.
        columns: Columns or keys of a table to read as text,label: names or numbers, joined with a plus.
        header: Whether the first line of a table names its columns; judged by its contents if not given.
        json: Print one JSON object.
    """
    from recurra.tasks.sentiment.answers import write_answers
    from recurra.tasks.sentiment.model import Model, contrast_figures, contrast_scores, figures

    require_given(texts, TEXTS, "against" if against else None)
    contrast = texts == (CONTRAST,)
    if against and not contrast:
        raise OptionError(f"`against` is for {CONTRAST}; leave it out, or evaluate on that")
    for path, endings in ((out, (".tsv", ".jsonl")), (picture, (".png",))):
        if path is not None:
            require_suffix(path, *endings)
            require_file_name(path)
            require_writable_parent(path)
    models = [Model.load(folder, "auto") for folder in (model, *against)]
    loaded, *_ = models
    found, *others = [each.answers(texts, encoding=encoding, columns=columns, header=header) for each in models]
    shown = figures(found.scores, loaded.labels) | (contrast_figures(found) if contrast else {})
    if out is not None:
        write_answers(found, loaded.labels, out)
        note(f"{out}: {found.scores.count:,} answers")
    compared: dict[str, dict[str, Score]] = {}
    if contrast:
        for each, its in zip(models, (found, *others), strict=True):
            again = sum(name.split(" (")[0] == each.name for name in compared)
            compared[f"{each.name} ({again + 1})" if again else each.name] = contrast_scores(its)
    if picture is not None:
        _draw(picture, compared, found, loaded.labels)
    if json:
        print_json(shown | ({"against": [contrast_figures(its) for its in others]} if against else {}))
        return
    _print_figures(shown)
    if contrast:
        _print_contrast(compared)


def _draw(picture: Path, compared: Mapping[str, Mapping[str, Score]], found: Evaluation, labels: Sequence[str]) -> None:
    """The picture of the contrast set if that was evaluated on, else that of the scores."""
    if compared:
        draw_contrast(compared, picture)
        note(f"{picture}: pairs wholly right")
        return
    from recurra.explain.classification import draw_scores

    draw_scores(found.scores, labels, picture)
    note(f"{picture}: reliability and confusion")


def _print_contrast(compared: Mapping[str, Mapping[str, Score]]) -> None:
    """A row for each kind; for each model the pairs wholly right, and the sentences."""
    width = max(16, *(len(name) + 2 for name in compared))
    print("\npairs wholly right, and sentences")
    print(f"{'kind':<16}  pairs" + "".join(f"{name:>{width}}" for name in compared))
    for kind, score in next(iter(compared.values())).items():
        shares = (f"{scores[kind].pairs_right:.1%} {scores[kind].accuracy:6.1%}" for scores in compared.values())
        print(f"{kind:<16}  {score.pairs:>5}" + "".join(f"{share:>{width}}" for share in shares))


def _print_figures(shown: dict[str, Any]) -> None:
    """A table of the figures, and one of the classes."""
    low, high = shown["ece_range"]
    names = ("accuracy", "ece", "nats", "macro_f1", "count")
    print_table({name: shown[name] for name in names})
    print(f"\nexactly right probabilities would give an ece of {low:.4f} to {high:.4f} on so many texts")
    width = max(len(score["label"]) for score in shown["classes"])
    print(f"\n{'label':<{max(width, 5)}}   precision   recall       F1    texts")
    for score in shown["classes"]:
        points = f"{score['precision']:9.1%}   {score['recall']:6.1%}   {score['f1']:6.1%}"
        print(f"{score['label']:<{max(width, 5)}}   {points}   {score['count']:6,}")


@command
def explain(
    model: Path,
    *text: str,
    file: Path | None = None,
    out: Path | None = None,
    examples: Annotated[tuple[str, ...], Several] = (),
    encoding: str = "utf-8",
    columns: str = "",
    header: Header = "auto",
    json: bool = False,
) -> None:
    """Show why a text has its label: the effect of each word and of pairs of words, and the mood after each word.

    Args:
        model: The model folder.
        text: What to explain, in quotes or not.
        file: A text file (plain or packed) with a text a line, at most 50.
        out: A page to write, say page.html, with a picture beside it.
        examples: Labelled texts, as the model was trained on, to look for the nearest among.
        encoding: How FILE and the tables of examples encode text.
        columns: Columns or keys of a table of examples to read as text,label: names or numbers, joined with a plus.
        header: Whether the first line of a table of examples names its columns; judged by its contents if not given.
        json: Print one JSON object.
    """
    from recurra.tasks.sentiment.model import Model
    from recurra.tasks.sentiment.telling import explained_figures, told

    if bool(text) == (file is not None):
        raise OptionError("give either a text to explain or `file`")
    if out is not None:
        require_suffix(out, ".html", ".htm")
        require_file_name(out)
        require_writable_parent(out)
    loaded = Model.load(model, "auto")
    texts = [" ".join(text)] if file is None else [line for line in read_lines(file, encoding) if line.strip()]
    found = loaded.explain(texts, out, examples=examples, encoding=encoding, columns=columns, header=header)
    note_unknown(dict.fromkeys(word for line in texts for word in loaded.unknown_in(line)))
    if json:
        print_json(explained_figures(found))
        return
    print("\n\n".join(told(explanation) for explanation in found.explanations))
    if found.files:
        print("\n" + "\n".join(map(str, found.files)))


def demo(out: Path, minutes: float | None) -> None:
    """Train averaged vectors and an LSTM on made-up sentences, compare them, explain an answer; see `recurra demo`."""
    from recurra.tasks.sentiment.model import contrast_scores
    from recurra.tasks.sentiment.telling import told
    from recurra.tasks.sentiment.training import train as train_model

    average = train_model("sample:moods", out / "average", model="average", overwrite=True, **_duration(minutes, 0.2))
    # One direction, and its last state: what it makes of a text then is what it makes of the last word.
    lstm = train_model(
        "sample:moods", out / "lstm", bidirectional=False, pooling="last", overwrite=True, **_duration(minutes, 0.8)
    )
    compared = {each.name: contrast_scores(each.answers(CONTRAST)) for each in (average, lstm)}
    draw_contrast(compared, out / "contrast.png")
    _print_contrast(compared)
    found = lstm.explain(["not feeling happy", *EXAMPLES], out / "explained.html", examples="sample:moods")
    print("\n" + "\n\n".join(told(explanation) for explanation in found.explanations[:2]))
    print(f"\nWhich pairs are right: {out / 'contrast.png'}")
    print("Why these answers: " + ", ".join(map(str, found.files)))
    print(f'\nType next:\n  recurra sentiment explain {out / "lstm"} "It was hardly a great film."')
    print(f'  recurra sentiment classify {out / "average"} "It was hardly a great film."')
    print("  recurra sentiment train YOUR_REVIEWS.tsv --out my-model")


def _duration(minutes: float | None, share: float) -> dict[str, Any]:
    """How long the demo trains a model: a share of some minutes, or else of the steps that are enough for it.

    By steps what is shown does not depend on how busy the machine is.
    """
    return {"steps": round(share * DEMO_STEPS)} if minutes is None else {"minutes": share * minutes}
