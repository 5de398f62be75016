"""`recurra translation ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from cyclopts import Parameter

from recurra.data.columns import Header
from recurra.data.lines import groups
from recurra.data.sentences import split_sentences as split_into_sentences
from recurra.data.tables import ending, read_lines
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
from recurra.tasks.translation.data import ENDINGS as PAIR_ENDINGS
from recurra.tasks.translation.data import Sentence
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.pair_scores import ENDINGS
from recurra.tasks.translation.translator import GROUP, Translating, Translator
from recurra.tasks.translation.word_alignment import pharaoh

ModelT = TypeVar("ModelT", bound=Translating)

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
        pairs: Tables with two columns (.tsv, .csv, .jsonl, .json), TMX, XLIFF, PO, two parallel files, or sample:dates.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a tenth is drawn if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and vocabularies.
        embeddings: An embeddings model to begin from, for the words of the source, with --tokens words.
        target_embeddings: Likewise, for the words of the target.
    """
    from recurra.tasks.translation.training import train as train_model

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
    prefix_file: Path | None = None,
    glossary: Path | None = None,
    copy_unknown: bool = False,
    split_sentences: bool = False,
    line_numbers: bool = False,
    alignments: Path | None = None,
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
        encoding: How FILE and PREFIX_FILE encode text; standard input is UTF-8, and so is what is written to OUT.
        out: The file to write, a line for each; with --n-best several, each with its score and a tab before it.
        prefix: What every translation must begin with.
        prefix_file: A text file with a line for each of FILE: what its translation must begin with, or nothing.
        glossary: A table of terms and translations; whenever a term is read, one of its translations is written.
        copy_unknown: Write words the model does not know as they are in the source, where it attends to them.
        split_sentences: Translate the sentences of each line one by one, and put them together again.
        line_numbers: Put the number of the line, from 1, and a tab before each translation.
        alignments: A file to write, with the pairs of words that belong together, 0-0 1-2, for each translation.
        ensemble: Further models with the same vocabularies, which translate together with this one.
        sample: Draw a translation of each sentence at random instead of searching for the best.
        json: Print one JSON object with scores, tokens, their log-probabilities and attention weights.
    """
    if sentence and file is not None:
        raise OptionError("a sentence and --file are given; give one of them")
    if file is None and encoding != "utf-8":
        raise OptionError("`encoding` says how `file` encodes text; leave it out or give the file")
    _require_use(sample, search, sampling, glossary)
    if split_sentences and (json or alignments or search.n_best > 1):
        raise OptionError("`split_sentences` gives one text for each line; leave out --n-best, --json and --alignments")
    _require_prefixes(prefix_file, file, prefix, split_sentences)
    _require_files(file, out, alignments, prefix_file)
    load = _loader(many=file is not None)
    loaded, others = load(model), _members(ensemble, load)
    reader = _Reader(loaded, search, loaded.glossary(glossary) if glossary else None, split_sentences)
    prefixes: list[str] | None = None
    if sentence:
        lines: Iterable[Sequence[Line]] = [[reader.read(" ".join(sentence))]]
    elif file is not None:
        read = _lines_of(file, encoding, reader)
        if prefix_file is not None:
            prefixes = _prefixes_of(prefix_file, encoding, loaded, file, len(read))
        lines = in_groups(read, GROUP, "translating")
    elif sys.stdin is None:
        raise RecurraError("there is no standard input; give a sentence or `file`")
    else:
        lines = _as_they_come(groups(sys.stdin.buffer, GROUP), reader)
    for path in filter(None, (out, alignments)):
        require_writable_parent(path)
    made: list[str] = []
    told: list[dict[str, Any]] = []
    aligned: list[str] = []
    unknown: dict[str, None] = {}
    drawing = sampling.seeded() if sample else None
    done = sentences = 0
    for group in lines:
        sources = [source for line in group for source, _ in line]
        found = iter(
            loaded.hypotheses(
                sources, search, ensemble=others, prefix=prefix,
                prefixes=prefixes and prefixes[sentences : sentences + len(sources)],
                sampling=drawing, first=sentences, copy_unknown=copy_unknown,
            )
        )  # fmt: skip
        sentences += len(sources)
        for source in sources:
            unknown.update(dict.fromkeys(loaded.unknown_in(source)))
        for line in group:
            done += 1
            answers = [(source, next(found), after) for source, after in line]
            shown = _shown(loaded, answers, search.n_best, f"{done}\t" if line_numbers else "")
            if out:
                made.append(shown)
            if alignments:
                aligned += _aligned(loaded, answers)
            if json:
                told.append(_told(loaded, *answers[0][:2]))
            elif not out:
                stream(shown)
    if copy_unknown:
        unknown = {}
    note_unknown(unknown)
    if json:
        print_json({"text": told[0]["text"] if told else "", "translations": told, "count": len(told)})
    if alignments:
        write_text_atomic(alignments, "".join(line + "\n" for line in aligned))
    if out:
        write_text_atomic(out, "".join(made))
        note(f"{out}: {done:,} lines")


Line = Sequence[tuple[Sentence, str]]
"""The sentences of a line, and what stands between each and the next."""

Answers = Sequence[tuple[Sentence, Sequence[Hypothesis], str]]
"""The sentences of a line, their translations, and what stands between each and the next."""


class _Reader(NamedTuple):
    """Makes sentences of lines."""

    model: Translating
    search: BeamSearch
    glossary: Glossary | None
    split: bool

    def read(self, line: str, where: str = "") -> Line:
        """The sentences of a line; `where` names it in errors."""
        try:
            if not self.split:
                return [(self._sentence(line), "")]
            parts = split_into_sentences(line.strip())
            return [(self._sentence(part), part[len(part.rstrip()) :]) for part in parts]
        except RecurraError as error:
            if not where:
                raise
            raise RecurraError(f"{where}: {error}") from error

    def _sentence(self, text: str) -> Sentence:
        return self.model.source(text, self.search, self.glossary)


def _require_prefixes(prefix_file: Path | None, file: Path | None, prefix: str, split_sentences: bool) -> None:
    """Refuse prefixes for what has no numbered sentences, or beside another prefix."""
    if prefix_file is None:
        return
    if file is None:
        raise OptionError(
            "`prefix_file` has a line for each line of `file`; give the file, or --prefix for one sentence"
        )
    if prefix or split_sentences:
        raise OptionError("`prefix_file` says how each line begins; leave out `prefix` and `split_sentences`")


def _prefixes_of(path: Path, encoding: str, model: Translating, file: Path, count: int) -> list[str]:
    """What each translation must begin with, which the model must be able to write."""
    prefixes = read_lines(path, encoding)
    if len(prefixes) != count:
        raise RecurraError(
            f"{path} has {len(prefixes):,} line(s) and {file} {count:,}; give one prefix a line, an empty line for none"
        )
    for number, prefix in enumerate(prefixes, 1):
        try:
            model.forced(prefix)
        except RecurraError as error:
            raise RecurraError(f"{path}, line {number:,}: {error}") from error
    return prefixes


def _require_files(file: Path | None, out: Path | None, alignments: Path | None, prefix_file: Path | None) -> None:
    """Refuse a table to translate, and files to write that are none or would replace what is read."""
    if file is not None and ending(file) in PAIR_ENDINGS:
        raise OptionError(
            f"{file} is a table by its name, but `file` has a sentence a line, with nothing else in it; write the "
            "column to a .txt file, or measure the model on the table with `recurra translation evaluate`"
        )
    pairs = ((out, file), (alignments, file), (alignments, out), (out, prefix_file), (alignments, prefix_file))
    for path, other in pairs:
        if path is not None:
            require_file_name(path)
        if path is not None and other is not None and _is_same_file(path, other):
            raise OptionError(f"{path} is named twice, to read and to write or for two things; name another file")


def _is_same_file(path: Path, other: Path) -> bool:
    return path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other))


def _require_use(sample: bool, search: BeamSearch, sampling: Sampling, glossary: Path | None) -> None:
    """Refuse options that would do nothing."""
    if not sample and sampling != Sampling():
        raise OptionError("--temperature, --top-k, --seed and the like are for drawing at random; give --sample too")
    if sample and glossary:
        raise OptionError("what is drawn at random keeps to no `glossary`; leave out `sample`")
    if sample and replace(search, min_length=0, max_length=None, no_repeat_ngram_size=0) != BeamSearch():
        raise OptionError(
            "--sample draws one output of each sentence and ranks none; leave out --beam-size, --n-best, "
            "--normalization, --alpha and --coverage-penalty"
        )


def _lines_of(file: Path, encoding: str, reader: _Reader) -> list[Line]:
    """The lines of a file, all of which can be translated."""
    return [reader.read(line, f"{file}, line {number:,}") for number, line in enumerate(read_lines(file, encoding), 1)]


def _as_they_come(groups: Iterable[list[str]], reader: _Reader) -> Iterator[list[Line]]:
    """Groups of lines of standard input, up to the first that cannot be translated; then what is wrong with it."""
    done = 0
    for group in groups:
        lines: list[Line] = []
        try:
            for line in group:
                lines.append(reader.read(line, f"standard input, line {done + len(lines) + 1:,}"))
        except RecurraError:
            if lines:
                yield lines
            raise
        yield lines
        done += len(group)


def _loader(many: bool) -> Callable[[Path], Translating]:
    """How to read a model that starts at once; of many sentences one that works on a GPU, where PyTorch is."""
    if not many or find_spec("torch") is None:
        return Translator.load
    from recurra.tasks.translation.model import Model

    return partial(Model.load, device="auto")


def _members(ensemble: Sequence[Path], load: Callable[[Path], ModelT]) -> list[ModelT]:
    """Further models; a sentence that was taken for one of them is said to stand in the wrong place."""
    for folder in ensemble:
        if not folder.exists():
            raise OptionError(
                f"there is no model folder {folder}; check the name, and put a sentence or pairs before --ensemble, "
                "which takes all the names after it"
            )
    return [load(folder) for folder in ensemble]


def _shown(model: Translating, answers: Answers, n_best: int, before: str) -> str:
    """What is printed for a line: its translation, or several of its only sentence, each with its score."""
    if n_best > 1 and answers[0][1]:
        source, hypotheses, _ = answers[0]
        texts = [f"{hypothesis.score:.4f}\t{model.text_of(hypothesis, source)}" for hypothesis in hypotheses]
    else:
        texts = ["".join(model.text_of(best[0], source) + after if best else "" for source, best, after in answers)]
    return "".join(f"{before}{text}\n" for text in texts)


def _aligned(model: Translating, answers: Answers) -> list[str]:
    """The pairs of words of each translation; an empty line for an empty line."""
    (source, hypotheses, _), *_ = answers
    return [pharaoh(model.alignment(hypothesis, source)) for hypothesis in hypotheses] or [""]


def _told(model: Translating, source: Sentence, hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    target = model.vocabularies.target
    best = [
        {
            "text": model.text_of(hypothesis, source),
            "score": hypothesis.score,
            "tokens": model.shown(target, source, hypothesis.tokens),
            "log_probs": [round(value, 6) for value in hypothesis.log_probs],
            "attention": None if hypothesis.weights is None else hypothesis.weights.round(6).tolist(),
        }
        for hypothesis in hypotheses
    ]
    return {"source": source.text, "text": best[0]["text"] if best else "", "n_best": best}


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
    glossary: Path | None = None,
    copy_unknown: bool = False,
    out: Path | None = None,
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
        glossary: A table of terms and translations; whenever a term is read, one of its translations is written.
        copy_unknown: Write words the model does not know as they are in the source, where it attends to them.
        out: A table to write (.tsv, .csv or .jsonl): for each pair what is made of it, and its scores.
        json: Print one JSON object.
    """
    from recurra.tasks.translation.model import Model

    require_given(pairs, PAIRS, "ensemble" if ensemble else None)
    if out is not None:
        require_suffix(out, *ENDINGS)
        if any(_is_same_file(out, Path(name)) for name in pairs):
            raise OptionError(f"`out` {out} is what is read; name another file")
    load = partial(Model.load, device="auto")
    loaded, others = load(model), _members(ensemble, load)
    if out is not None:
        require_writable_parent(out)
    figures = loaded.evaluate(
        pairs,
        search,
        ensemble=others,
        tokenize=tokenize,
        lowercase=lowercase,
        encoding=encoding,
        columns=columns,
        header=header,
        glossary=glossary,
        copy_unknown=copy_unknown,
        out=out,
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
    from recurra.tasks.translation.model import Model

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
    from recurra.tasks.translation.training import train as train_model

    model = train_model("sample:dates", out / "dates", tokens="characters", minutes=minutes or 2.0, overwrite=True)
    examples = ["Sunday, 9 March 2014", "2014年3月9日", "le 14 juillet 1989"]
    for example, made in zip(examples, model.translate(examples), strict=True):
        print(f"{example} → {made}")
    files = model.explain(examples[0], out / "explained.html")
    print(f"\nThe loss curve: {out / 'dates' / 'loss.png'}")
    print("What the model attends to: " + ", ".join(map(str, files)))
    print(f'\nType next:\n  recurra translation translate {out / "dates"} "3. Mai 1999"')
    print("  recurra translation train YOUR_PAIRS.tsv --out my-model")
