"""Number agreement at a distance: "the cats, which ..., were" (Linzen et al. 2016; Gulordava et al. 2018).

A model reads a sentence up to its verb and is asked which form is the more probable, the right one or the one of the
other number. Attractors are nouns of the other number between subject and verb: the more of them, the more it takes to
remember the subject.

A test is two files side by side, `X.text` with one tokenised sentence a line and `X.gold` with one verb a line, either
also as `.gz`. A gold line is `index TAB right form TAB wrong form TAB attractors`, the index counted from 0, or the
twelve columns of the generated sentences of Gulordava et al., whose attractors are in `X.tab`, if that is there.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.data.text import read_text
from recurra.data.tokenizer import Tokenizer, Tokens
from recurra.errors import RecurraError
from recurra.explain.passage import device_of, to_tensor
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel
from recurra.progress import bar

BATCH = 128
"""Sentences read side by side, of about equal length; affects memory and speed only."""

OPENING = "\n"
"""What every sentence is read after, if documents do not have a beginning: texts begin as after a line end."""

Z_95 = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it."""


@dataclass(frozen=True)
class Item:
    """One verb of a test.

    Attributes:
        prefix: the sentence before it, tokens joined by spaces.
        right: the form that agrees.
        wrong: the form of the other number.
        attractors: nouns of the other number in between; None if the file does not say.
    """

    prefix: str
    right: str
    wrong: str
    attractors: int | None


@dataclass(frozen=True)
class Group:
    """How often the right form was the more probable one.

    Attributes:
        count: verbs.
        right: of them right; a tie is not.
    """

    count: int
    right: int

    @property
    def share(self) -> float:
        """Share right."""
        return self.right / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share by Wilson (1927)."""
        if not self.count:
            return 0.0, 1.0
        spread = Z_95**2 / self.count
        middle = (self.share + spread / 2) / (1 + spread)
        half = math.sqrt(self.share * (1 - self.share) * spread + spread**2 / 4) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Agreement:
    """The outcome of a test.

    Attributes:
        overall: all verbs.
        by_attractors: by number of attractors, ascending; None last, for verbs of which it is not known.
        left_out: verbs without a choice to make: the file gives the same form twice (it happens), or the vocabulary
            lacks one of them.
    """

    overall: Group
    by_attractors: dict[int | None, Group]
    left_out: int


def agreement(model: LanguageModel, tokenizer: Tokenizer, path: Path) -> Agreement:
    """Ask a model for the number of verbs.

    Forms are scored whole: for characters and bytes with the space that ends the word, so that "have" does not win as
    the beginning of "haven"; for words and byte-pair subwords without it.

    Args:
        model: the language model.
        tokenizer: its tokens.
        path: either file of the test, or both names' common stem.

    Raises:
        RecurraError: if the files cannot be read or do not fit together, or the model knows none of the verbs.
    """
    items = read_items(path)
    closing = " " if tokenizer.kind in ("characters", "bytes") else ""
    prefixes, forms, kept = [], [], []
    for item in items:
        space = " " if item.prefix else ""
        pair = [tokenizer.encode(f"{space}{form}{closing}") for form in (item.right, item.wrong)]
        if item.right != item.wrong and not any((form == tokenizer.unknown).any() for form in pair):
            prefixes.append(_opened(tokenizer, item.prefix))
            forms.append((pair[0], pair[1]))
            kept.append(item)
    if not kept:
        raise RecurraError(
            f"the model's vocabulary lacks every verb of {path}; use one trained on more of its language"
        )
    margins = _margins(model, prefixes, forms)
    return _summary(kept, margins, len(items) - len(kept))


def _opened(tokenizer: Tokenizer, prefix: str) -> Tokens:
    """The beginning of a sentence as that of a document, or of a line."""
    if tokenizer.boundary is None:
        return tokenizer.encode(OPENING + prefix)
    return np.append(tokenizer.boundary, tokenizer.encode(prefix))


def _summary(items: Sequence[Item], margins: Sequence[float], left_out: int) -> Agreement:
    numbers = sorted({item.attractors for item in items}, key=lambda n: math.inf if n is None else n)
    groups = {}
    for number in numbers:
        own = [margin for item, margin in zip(items, margins, strict=True) if item.attractors == number]
        groups[number] = Group(len(own), sum(margin > 0 for margin in own))
    return Agreement(Group(len(items), sum(margin > 0 for margin in margins)), groups, left_out)


def _margins(model: LanguageModel, prefixes: Sequence[Tokens], forms: Sequence[tuple[Tokens, Tokens]]) -> list[float]:
    """Log P(right) - log P(wrong) of each item, nats; each prefix is read once."""
    order = sorted(range(len(prefixes)), key=lambda index: len(prefixes[index]))
    margins = np.empty(len(order))
    with torch.no_grad(), bar("agreement") as progress:
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            state = _read(model, [prefixes[row] for row in rows])
            right, wrong = (_log_prob(model, [forms[row][which] for row in rows], state) for which in (0, 1))
            margins[rows] = (right - wrong).cpu().numpy()
            progress.update((begin + len(rows)) / len(order))
    return [float(margin) for margin in margins]


def _read(model: LanguageModel, sequences: Sequence[Tokens]) -> State:
    """The state after each of some sequences, from an empty one.

    What all rows have is read in PyTorch's fast kernel, the rest, a few tokens of sorted sequences, with a mask.
    """
    device = device_of(model)
    shortest = min(len(sequence) for sequence in sequences) - 1
    state: State | None = None
    if shortest:
        common = np.stack([sequence[:shortest] for sequence in sequences])
        _, state = model.layer_outputs(to_tensor(common, device))
    rest, mask = _pad([sequence[shortest:] for sequence in sequences], device)
    _, state = model.layer_outputs(rest, state, mask)
    return state


def _log_prob(model: LanguageModel, continuations: Sequence[Tokens], state: State) -> Tensor:
    """Log P of each row's continuation, `(batch,)`, nats, after the sequences whose last states are given."""
    tokens, mask = _pad(continuations, device_of(model))
    outputs = state[0][-1][:, None]  # the state's h is the output that came before
    if tokens.shape[1] > 1:
        more, _ = model.layer_outputs(tokens[:, :-1], state)
        outputs = torch.cat([outputs, more[-1]], dim=1)
    log_probs = F.log_softmax(model.compute_logits(outputs).float(), dim=-1)
    return (log_probs.gather(2, tokens[..., None])[..., 0] * mask).double().sum(dim=1)


def _pad(sequences: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens `(batch, time)`, zeros behind each row's end, and the mask of what is there."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros(mask.shape, dtype=np.int64)
    padded[mask] = np.concatenate(sequences)
    return to_tensor(padded, device), torch.from_numpy(mask).to(device)


def read_items(path: Path) -> list[Item]:
    """Read a test.

    Args:
        path: either of its two files, or their common stem.

    Raises:
        RecurraError: if a file is missing or empty, or a line is not as it should be.
    """
    stem = path.with_name(_without_suffix(path.name))
    text_file, gold_file = _require(stem, "text"), _require(stem, "gold")
    sentences, gold = _lines(text_file), _lines(gold_file)
    if not gold:
        raise RecurraError(f"{gold_file} is empty; give a file with a verb a line")
    if len(sentences) != len(gold):
        raise RecurraError(
            f"{text_file} has {len(sentences)} lines and {gold_file} {len(gold)}; they must go together line by line"
        )
    items = [
        _item(sentence.split(), line, f"{gold_file}, line {number}")
        for number, (sentence, line) in enumerate(zip(sentences, gold, strict=True), 1)
    ]
    return _with_attractors(items, stem) if all(item.attractors is None for item in items) else items


def _item(tokens: Sequence[str], line: str, where: str) -> Item:
    columns = line.split("\t")
    if len(columns) == 4:
        index, right, wrong, attractors = columns
    elif len(columns) == 12:
        index, right, wrong, attractors = columns[3], columns[6], columns[7], ""
    else:
        raise RecurraError(
            f"{where} has {len(columns)} columns; it needs 4, with tabs between: index, right, wrong, attractors"
        )
    if not index.isdecimal() or int(index) >= len(tokens):
        raise RecurraError(
            f"{where}: the index {index!r} does not fit a sentence of {len(tokens)} tokens; count from 0"
        )
    if attractors and not attractors.isdecimal():
        raise RecurraError(f"{where}: {attractors!r} is not a number of attractors; give a whole number")
    if not right.strip() or not wrong.strip():
        raise RecurraError(f"{where} needs two forms of the verb, the right one first")
    prefix = " ".join(tokens[: int(index)])
    return Item(prefix, right.strip(), wrong.strip(), int(attractors) if attractors else None)


def _with_attractors(items: list[Item], stem: Path) -> list[Item]:
    """The items with the numbers in `X.tab`, whose rows marked "correct" go with them one by one, if they do."""
    file = _beside(stem, "tab")
    if file is None:
        return items
    rows = [row for row in csv.DictReader(_lines(file), delimiter="\t") if row.get("class") == "correct"]
    if [row.get("form") for row in rows] != [item.right for item in items]:
        return items
    numbers = [row.get("n_attr") or "" for row in rows]
    if not all(number.isdecimal() for number in numbers):
        return items
    return [Item(item.prefix, item.right, item.wrong, int(number)) for item, number in zip(items, numbers, strict=True)]


def _without_suffix(name: str) -> str:
    name = name.removesuffix(".gz")
    for kind in (".text", ".gold", ".tab"):
        name = name.removesuffix(kind)
    return name


def _beside(stem: Path, kind: str) -> Path | None:
    candidates = (stem.with_name(f"{stem.name}.{kind}{zipped}") for zipped in ("", ".gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _require(stem: Path, kind: str) -> Path:
    file = _beside(stem, kind)
    if file is None:
        raise RecurraError(f"there is no {stem}.{kind} or {stem}.{kind}.gz; give the path of a test without suffix")
    return file


def _lines(path: Path) -> list[str]:
    """Lines of a file; only line feeds end them (`str.splitlines` also takes characters that sentences may hold)."""
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []
