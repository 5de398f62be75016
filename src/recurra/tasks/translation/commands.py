"""`recurra translation ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.data.columns import Header
from recurra.data.lines import groups
from recurra.data.tables import read_lines
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.text_metrics import Tokenize
from recurra.files import require_suffix, require_writable_parent, write_text_atomic
from recurra.progress import in_groups, note
from recurra.tasks.shared.commands import Several, command, note_unknown, require_file_name, require_given
from recurra.tasks.shared.output import print_json, print_table, stream
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.data import Sentence
from recurra.tasks.translation.model import GROUP, Model
from recurra.tasks.translation.training import train as train_model

PAIRS = "a table, two files or sample:dates"


@command
def train(
    *pairs: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    embeddings: Path | None = None,
    target_embeddings: Path | None = None,
    config: Config = Config(),
) -> None:
    """Train a model on sentence pairs.

    Args:
        pairs: Tables with two columns (.tsv, .csv, .jsonl, .json), two parallel files, or sample:dates.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a tenth is drawn if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and vocabularies.
        embeddings: An embeddings model to begin from, for the words of the source, with --tokens words.
        target_embeddings: Likewise, for the words of the target.
    """
    require_given(pairs, PAIRS, "validation" if validation else None)
    train_model(
        pairs,
        out,
        config,
        validation=validation,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
        embeddings=embeddings,
        target_embeddings=target_embeddings,
    )


@command
def translate(
    model: Path,
    *sentence: str,
    file: Path | None = None,
    encoding: str = "utf-8",
    out: Path | None = None,
    prefix: str = "",
    ensemble: Annotated[tuple[Path, ...], Several] = (),
    sample: bool = False,
    json: bool = False,
    search: BeamSearch = BeamSearch(),
    sampling: Sampling = Sampling(),
) -> None:
    """Translate a sentence, a file, or the lines of standard input as they come.

    Args:
        model: The model folder.
        sentence: What to translate, in quotes or not; standard input if neither this nor --file is given.
        file: A text file (plain or packed) with a sentence a line.
        encoding: How FILE encodes text; standard input is UTF-8, and so is what is written to OUT.
        out: The file to write, a line for each; with --n-best several, each with its score and a tab before it.
        prefix: What every translation must begin with.
        ensemble: Further models with the same vocabularies, which translate together with this one.
        sample: Draw a translation of each sentence at random instead of searching for the best.
        json: Print one JSON object with scores, tokens, their log-probabilities and attention weights.
    """
    if sentence and file is not None:
        raise OptionError("a sentence and --file are given; give one of them")
    if file is None and encoding != "utf-8":
        raise OptionError("`encoding` says how `file` encodes text; leave it out or give the file")
    _require_use(sample, search, sampling)
    loaded, others = Model.load(model, "auto"), _members(ensemble)
    if sentence:
        lines: Iterable[Sequence[Sentence]] = [[loaded.source(" ".join(sentence), search)]]
    elif file is not None:
        lines = in_groups(_sources_of(file, encoding, loaded, search), GROUP, "translating")
    elif sys.stdin is None:
        raise RecurraError("there is no standard input; give a sentence or `file`")
    else:
        lines = _as_they_come(groups(sys.stdin.buffer, GROUP), loaded, search)
    if out:
        require_file_name(out)
        require_writable_parent(out)
    made: list[str] = []
    told: list[dict[str, Any]] = []
    unknown: dict[str, None] = {}
    drawing = sampling.seeded() if sample else None
    done = 0
    for group in lines:
        found = loaded.hypotheses(group, search, ensemble=others, prefix=prefix, sampling=drawing, first=done)
        for source, hypotheses in zip(group, found, strict=True):
            unknown.update(dict.fromkeys(loaded.unknown_in(source)))
            shown = "".join(_shown(loaded, hypothesis, search.n_best) + "\n" for hypothesis in hypotheses) or "\n"
            if out:
                made.append(shown)
            if json:
                told.append(_told(loaded, source.text, hypotheses))
            elif not out:
                stream(shown)
        done += len(group)
    note_unknown(unknown)
    if json:
        print_json({"text": told[0]["text"] if told else "", "translations": told, "count": len(told)})
    if out:
        write_text_atomic(out, "".join(made))
        note(f"{out}: {done:,} lines")


def _require_use(sample: bool, search: BeamSearch, sampling: Sampling) -> None:
    """Refuse options that would do nothing."""
    if not sample and sampling != Sampling():
        raise OptionError("--temperature, --top-k, --seed and the like are for drawing at random; give --sample too")
    if sample and replace(search, min_length=0, max_length=None, no_repeat_ngram_size=0) != BeamSearch():
        raise OptionError(
            "--sample draws one output of each sentence and ranks none; leave out --beam-size, --n-best, "
            "--normalization, --alpha and --coverage-penalty"
        )


def _sources_of(file: Path, encoding: str, model: Model, search: BeamSearch) -> list[Sentence]:
    """The lines of a file, all of which can be translated."""
    return [
        _source(model, line, search, f"{file}, line {number:,}")
        for number, line in enumerate(read_lines(file, encoding), 1)
    ]


def _as_they_come(groups: Iterable[list[str]], model: Model, search: BeamSearch) -> Iterator[list[Sentence]]:
    """Groups of lines of standard input, up to the first that cannot be translated; then what is wrong with it."""
    done = 0
    for group in groups:
        sources: list[Sentence] = []
        try:
            for line in group:
                sources.append(_source(model, line, search, f"standard input, line {done + len(sources) + 1:,}"))
        except RecurraError:
            if sources:
                yield sources
            raise
        yield sources
        done += len(group)


def _source(model: Model, line: str, search: BeamSearch, where: str) -> Sentence:
    try:
        return model.source(line, search)
    except RecurraError as error:
        raise RecurraError(f"{where}: {error}") from error


def _members(ensemble: Sequence[Path]) -> list[Model]:
    """Further models; a sentence that was taken for one of them is said to stand in the wrong place."""
    for folder in ensemble:
        if not folder.exists():
            raise OptionError(
                f"there is no model folder {folder}; check the name, and put a sentence or pairs before --ensemble, "
                "which takes all the names after it"
            )
    return [Model.load(folder, "auto") for folder in ensemble]


def _shown(model: Model, hypothesis: Hypothesis, n_best: int) -> str:
    text = model.text_of(hypothesis)
    return text if n_best == 1 else f"{hypothesis.score:.4f}\t{text}"


def _told(model: Model, line: str, hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    target = model.vocabularies.target
    best = [
        {
            "text": model.text_of(hypothesis),
            "score": hypothesis.score,
            "tokens": target.shown(hypothesis.tokens),
            "log_probs": [round(value, 6) for value in hypothesis.log_probs],
            "attention": None if hypothesis.weights is None else hypothesis.weights.round(6).tolist(),
        }
        for hypothesis in hypotheses
    ]
    return {"source": line, "text": best[0]["text"] if best else "", "n_best": best}


@command
def evaluate(
    model: Path,
    *pairs: str,
    ensemble: Annotated[tuple[Path, ...], Several] = (),
    tokenize: Tokenize = "13a",
    lowercase: bool = False,
    encoding: str = "utf-8",
    columns: str = "",
    header: Header = "auto",
    json: bool = False,
    search: BeamSearch = BeamSearch(),
) -> None:
    """Translate sentences and compare with their translations: BLEU, chrF, exact match, by length of the source too.

    Args:
        model: The model folder.
        pairs: A table with two columns, two files whose lines belong together, or sample:dates.
        ensemble: Further models with the same vocabularies, which translate together with this one.
        tokenize: How BLEU splits sentences into words; none if they are split already.
        lowercase: Count capital letters as small ones.
        encoding: How the files encode text.
        columns: Columns or keys of a table to read as source,target: names or numbers, joined with a plus.
        header: Whether the first line of a table names its columns; judged by its contents if not given.
        json: Print one JSON object.
    """
    require_given(pairs, PAIRS, "ensemble" if ensemble else None)
    figures = Model.load(model, "auto").evaluate(
        pairs,
        search,
        ensemble=_members(ensemble),
        tokenize=tokenize,
        lowercase=lowercase,
        encoding=encoding,
        columns=columns,
        header=header,
    )
    if json:
        print_json(figures)
        return
    groups = figures.pop("by_length")
    if any(part["bleu"] == 0 < part["exact_match"] for part in (figures, *groups)):
        note("BLEU is 0 where no output has four words; of outputs as short as these --tokenize char says more")
    print_table(figures)
    print("\nwords of the source   sentences    BLEU    chrF   exact match")
    for group in groups:
        shortest, longest = group["shortest"], group["longest"]
        words = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        points = f"{group['bleu']:7.2f} {group['chrf']:7.2f}"
        print(f"{words:<19} {group['count']:>11,} {points} {group['exact_match']:>13.1%}")


@command
def explain(
    model: Path,
    *sentence: str,
    out: Path,
    json: bool = False,
    search: BeamSearch = BeamSearch(),
) -> None:
    """Show how a sentence is translated: one HTML page with attention map and beam tree, and the map as a picture.

    Args:
        model: The model folder.
        sentence: What to translate, in quotes or not.
        out: The page to write, say page.html.
        json: Print one JSON object.
    """
    require_suffix(out, ".html", ".htm")
    loaded = Model.load(model)
    require_file_name(out)
    require_writable_parent(out)
    text = " ".join(sentence)
    files = [str(file) for file in loaded.explain(text, out, search)]
    note_unknown(loaded.unknown_in(loaded.source(text)))
    if json:
        print_json({"path": files[0], "files": files})
    else:
        print("\n".join(files))


def demo(out: Path, minutes: float | None) -> None:
    """Train on dates, translate some, draw the map; see `recurra demo`."""
    model = train_model("sample:dates", out / "dates", tokens="characters", minutes=minutes or 2.0, overwrite=True)
    examples = ["Sunday, 9 March 2014", "2014年3月9日", "le 14 juillet 1989"]
    for example, made in zip(examples, model.translate(examples), strict=True):
        print(f"{example} → {made}")
    files = model.explain(examples[0], out / "explained.html")
    print(f"\nThe loss curve: {out / 'dates' / 'loss.png'}")
    print("What the model attends to: " + ", ".join(map(str, files)))
    print(f'\nType next:\n  recurra translation translate {out / "dates"} "3. Mai 1999"')
    print("  recurra translation train YOUR_PAIRS.tsv --out my-model")
