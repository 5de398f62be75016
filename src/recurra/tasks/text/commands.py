"""`recurra text ...`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from recurra.tasks.text import novelty as novelties
from recurra.tasks.text.choosing import choose
from recurra.tasks.text.config import Config
from recurra.tasks.text.growing import GrowingText, WrittenToken
from recurra.tasks.text.prompts import read_prompts, require_output, write_texts
from recurra.tasks.text.writing import LENGTH, MAX_LENGTH, Writer

if TYPE_CHECKING:
    from recurra.tasks.text.lines import ScoredLine

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


CANDIDATES = 10
"""Next tokens that are shown to choose among."""


@command
def write(
    model: Path,
    *,
    prompt: str = "",
    prompt_file: Path | None = None,
    without_prompt: bool = False,
    length: int = LENGTH,
    stop: str | None = None,
    no_repeat_ngram_size: int = 0,
    samples: int = 1,
    precision: Precision = "float32",
    show_candidates: int = 0,
    interactive: bool = False,
    out: Path | None = None,
    json: bool = False,
    sampling: Sampling = Sampling(),
) -> None:
    """Write text, shown as it is made.

    With --interactive you answer each step by the number of a candidate, by nothing for one that is drawn, or by text
    of your own (after a plus sign, if it could be a number); the end of the input ends the text.

    Args:
        model: The model folder.
        prompt: What the text begins with.
        prompt_file: Several prompts: a line each, or JSONL with the key "prompt"; a text is written for each.
        without_prompt: Give what comes after the prompt only.
        length: Most tokens to write after the prompt; a document may end earlier.
        stop: End the text before this string.
        no_repeat_ngram_size: No run of this many tokens is written twice, the prompt's counted; 0 allows any.
        samples: How many texts to write for each prompt.
        precision: Weights as they were trained, or rounded to int8: faster with many units, not quite the same text.
        show_candidates: Write nothing; show so many of the most probable next tokens, with their probabilities.
        interactive: Choose each token yourself, among so many candidates as --show-candidates says, or 10.
        out: The file to write the texts to; .jsonl for an object each, with its prompt.
        json: Print one JSON object with the texts and every token's log-probability.
    """
    check_range("length", length, 1, MAX_LENGTH)
    check_range("samples", samples, 1, 10_000)
    check_range("show_candidates", show_candidates, 0, 1000)
    if prompt and prompt_file:
        raise OptionError("`prompt` and `prompt_file` are given; give one of them")
    prompts = [prompt] if prompt_file is None else read_prompts(prompt_file)
    if json and length * samples * len(prompts) > MAX_JSON_LENGTH:
        raise OptionError(f"`json` keeps all it writes: `length` times `samples` must be at most {MAX_JSON_LENGTH:,}")
    if stop == "":
        raise OptionError("`stop` is empty; give the string to stop at, or leave it out")
    require_output(out, prompt_file)
    if interactive and (json or prompt_file or stop or samples > 1 or no_repeat_ngram_size):
        raise OptionError(
            "`interactive` writes one text as you choose it; leave `json`, `prompt_file`, `stop`, `samples` and "
            "`no_repeat_ngram_size` out"
        )
    total = len(prompts) * samples
    loaded = Writer.load(model, precision, length * total + samples * sum(map(len, prompts)))
    sampling = sampling.seeded()
    note_unknown(list(dict.fromkeys(part for each in prompts for part in loaded.unknown_in(each))))
    if stop and (never := loaded.never_written(stop)):
        note(f"no text will end at `stop`: the model has never seen {never[0]!r}, and does not write it")
    if interactive:
        answers = (line.rstrip("\r\n") for line in sys.stdin or ())
        added = choose(GrowingText(loaded, prompt), answers, show_candidates or CANDIDATES, sampling, length)
        whole = ("" if without_prompt else prompt) + "".join(added)
        if out:
            write_texts(out, [{"text": whole}])
        else:
            print(whole)
        return
    if show_candidates:
        if json and len(prompts) > 1:
            raise OptionError("`show_candidates` with `json` is for one prompt; leave out `prompt_file`")
        _show_candidates(loaded, prompts, show_candidates, json)
        return
    texts = []
    for number in range(total):
        start = prompts[number // samples]
        tokens = loaded.generate(
            start, length=length, stop=stop, sampling=sampling, number=number, no_repeat_ngram_size=no_repeat_ngram_size
        )
        before = "" if without_prompt else start
        last = number == total - 1
        text = _collect(before, tokens) if json or out else _show(before, tokens, last)
        texts.append({"prompt": start, **text} if prompt_file else text)
    if out:
        write_texts(out, texts)
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


def _show_candidates(model: Writer, prompts: Sequence[str], count: int, json: bool) -> None:
    """The most probable next tokens after each prompt."""
    found = [model.candidates(prompt, count) for prompt in prompts]
    boundary = model.tokenizer.boundary
    if json:
        rows = [
            {"text": each.text, "end": each.token == boundary, "probability": round(math.exp(each.log_prob), 6)}
            for candidates in found[:1]
            for each in candidates
        ]
        print_json({"candidates": rows, "count": len(rows)})
        return
    for prompt, candidates in zip(prompts, found, strict=True):
        if len(prompts) > 1:
            print(f"after {prompt!r}:")
        for each in candidates:
            shown = "the end of the document" if each.token == boundary else repr(each.text)
            print(f"{math.exp(each.log_prob):9.4%}  {shown}")


@command
def evaluate(
    model: Path,
    data: str,
    *,
    dynamic: bool = False,
    lines: bool = False,
    encoding: str = "utf-8",
    columns: str = "",
    json: bool = False,
) -> None:
    """Measure how well a model predicts a text: nats, bits and perplexity a token.

    Args:
        model: The model folder.
        data: A text file (plain or packed), a folder or sample:pydocs.
        dynamic: Let the model learn from the text as it goes (Krause et al. 2018).
        lines: Give the figures of every line; with --json those of every token too.
        encoding: How the files encode text.
        columns: The key of the text in JSONL; that of training if not given.
        json: Print one JSON object.
    """
    from recurra.tasks.text.model import Model

    if lines and dynamic:
        raise OptionError("`lines` are measured by the model as it is; leave out `dynamic`")
    loaded = Model.load(model, "auto")
    if lines:
        _print_lines(loaded.score_lines(data, encoding=encoding, columns=columns), json)
        return
    figures = loaded.evaluate(data, dynamic=dynamic, encoding=encoding, columns=columns)
    (print_json if json else print_table)(figures)


def _print_lines(lines: Sequence[ScoredLine], json: bool) -> None:
    """The figures of each line, and of all together."""
    total, count = sum(line.nats for line in lines), sum(len(line.log_probs) for line in lines)
    if json:
        rows = [
            {
                "line": line.number,
                "nats": line.nats / max(len(line.log_probs), 1),
                "count": len(line.log_probs),
                "tokens": line.pieces,
                "log_probs": [round(value, 6) for value in line.log_probs],
            }
            for line in lines
        ]
        print_json({"nats": total / count, "count": count, "lines": rows})
        return
    print("  line  tokens    nats  text")
    for line in lines:
        each = line.nats / max(len(line.log_probs), 1)
        text = "".join(line.pieces).rstrip("\n")
        print(f"{line.number:>6} {len(line.log_probs):>7} {each:>7.4f}  {text[:60]}{'...' if len(text) > 60 else ''}")


@command
def compare(written: Path, *corpus: str, encoding: str = "utf-8", columns: str = "", json: bool = False) -> None:
    """Say how much of a written text is copied from a corpus: the longest passages, and what share of it is new.

    Args:
        written: A text file.
        corpus: What the model was trained on: text files, folders or sample:pydocs.
        encoding: How the files encode text.
        columns: The key of the text in JSONL; found by what it is called if not given.
        json: Print one JSON object.
    """
    from recurra.tasks.text.data import text_of

    require_given(corpus, "the text the model was trained on")
    texts = ((name, text_of(name, encoding, columns)) for name in corpus)
    novelty = novelties.compare(text_of(str(written), encoding), texts)
    if json:
        print_json(asdict(novelty))
        return
    print(f"copied in passages of at least {novelties.LEAST} characters: {novelty.copied:.1%} of {novelty.count:,}")
    for size, share in novelty.new.items():
        print(f"new n-grams of {size} word(s): {share:.1%}")
    for passage in novelty.passages:
        print(f"\n{len(passage.text):,} characters from {passage.begin:,} on, as in {passage.source}:\n{passage.text}")


@command
def explain(
    model: Path,
    data: str,
    *,
    out: Path,
    against: tuple[Path, ...] = (),
    encoding: str = "utf-8",
    columns: str = "",
    json: bool = False,
) -> None:
    """Show what a model sees in a text: one HTML page, and pictures beside it.

    Args:
        model: The model folder.
        data: A text the model was not trained on, or sample:pydocs; its beginning is read.
        out: The page to write, say page.html.
        against: Another model of the same text to compare with; may be given again.
        encoding: How the file encodes text.
        columns: The key of the text in JSONL; that of training if not given.
        json: Print one JSON object.
    """
    from recurra.tasks.text.model import Model

    require_suffix(out, ".html", ".htm")
    others = [Model.load(folder) for folder in against]
    print_explained(Model.load(model).explain(data, out, against=others, encoding=encoding, columns=columns), json)


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
