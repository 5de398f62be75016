"""Sentence pairs out of what people have, and as tokens: tables, two parallel files, pairs in Python, or a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.config import fill_in, required
from recurra.data import memories
from recurra.data.columns import Header, Wanted
from recurra.data.placeholders import MARKUP, NUMBERS, Placeholders, fit
from recurra.data.sources import find_files, sample_named
from recurra.data.tables import TABLES, Row, Table, collect, ending, read_lines, read_tables
from recurra.data.text import require_encoding
from recurra.data.tokenizer import TokenKind, Tokens
from recurra.data.vocabulary import Sequences, VocabularyPair
from recurra.decoding.constraints import Required
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.tasks.translation.alignment import parting
from recurra.tasks.translation.config import MAX_TOKENS, Config
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.keyed import rows_by_key
from recurra.tasks.translation.reading import Reading, read_sentence, required_placeholders

WANTED = Wanted(
    (
        "source,target",
        "src,tgt",
        "src,trg",
        "instruction+input,output",
        "instruction+context,response",
        "input,output",
        "input,target",
        "instruction,output",
        "instruction,response",
        "question,answer",
        "query,response",
        "prompt,completion",
        "prompt,response",
        "system+user,assistant",
        "user,assistant",
        "system+human,gpt",
        "human,gpt",
    ),
    ", or two parallel files",
)

ENDINGS = (*TABLES, *memories.ENDINGS)
"""How the names of files end that hold both sides of pairs."""

MIN_PAIRS = 10
"""Fewer pairs are refused: there is nothing to learn from them, and nothing to validate on."""

GIVEN = "pairs given in Python"

_VOCABULARY_SIZES: dict[TokenKind, int] = {"characters": 5_000, "bytes": 256, "words": 30_000}


def _vocabulary_size(kind: TokenKind, pairs: int) -> int:
    """The more pairs there are, the rarer the words that can be learned whole."""
    if kind == "subwords":
        return 4000 if pairs >= 5_000 else 2000
    return _VOCABULARY_SIZES[kind]


@dataclass(frozen=True)
class Pairs:
    """Sentences with their translations.

    Attributes:
        name: what a person would call them, for notes and the model card.
        sources: sentences, without white space around them and without line ends; otherwise as they were.
        targets: their translations, as many.
        skipped: sentences for the user on what was left out, with file and line.
    """

    name: str
    sources: list[str]
    targets: list[str]
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.sources)

    def answers(self) -> dict[str, list[str]]:
        """The different targets of each source, sources and targets in their first order."""
        found: dict[str, dict[str, None]] = {}
        for source, target in zip(self.sources, self.targets, strict=True):
            found.setdefault(source, {})[target] = None
        return {source: list(targets) for source, targets in found.items()}


def open_pairs(data: Sequence[Any], encoding: str = "utf-8", columns: str = "", header: Header = "auto") -> Pairs:
    """Read sentence pairs; lines without a pair are left out and told in `Pairs.skipped`.

    Args:
        data: tables, two parallel files (line n is the translation of line n; of two JSON objects the texts with the
            same key), one `sample:NAME`, or the pairs themselves, as tuples of source and target. For tables see
            `read_tables`: several are read as one.
        encoding: how the files encode text, a name Python knows.
        columns: which columns of a table hold source and target, see `parse_columns`.
        header: whether the first line of a table names its columns.

    Raises:
        RecurraError: if a file is missing, is not text, or most of its lines do not hold a pair; if parallel files have
            unequal numbers of lines; if no pair is left.
    """
    require_encoding(encoding)
    names = [str(each) for each in data if isinstance(each, str | Path)]
    if len(names) < len(data):
        pairs = _given(data)
    elif sample := sample_named(names, "sample of sentence pairs"):
        written, answers = zip(*sample(), strict=True)
        pairs = Pairs(names[0], list(written), list(answers), [])
    else:
        paths = _files(names)
        if len(paths) == 2 and not columns and (keyed := rows_by_key(paths[0], paths[1], encoding)):
            name = f"{paths[0].name} and {paths[1].name}"
            return _pairs(collect(name, name, WANTED, *keyed, unit="key"))
        if len(paths) != 2 or ending(paths[0]) in ENDINGS:
            return _pairs(read_tables(paths, WANTED, columns, header, encoding))
        pairs = _parallel(paths[0], paths[1], encoding)
    if columns or header != "auto":
        pairs.skipped.append(f"`columns` and `header`, which do nothing for {pairs.name}: they are for tables")
    return pairs


def _pairs(table: Table) -> Pairs:
    sources, targets = table.columns
    return Pairs(table.name, sources, targets, table.skipped)


def _given(data: Sequence[Any]) -> Pairs:
    """The pairs of a list."""
    rows: list[Row] = []
    for index, pair in enumerate(data):
        match pair:
            case (str(source), str(target)):
                rows.append((index, [source, target]))
            case _:
                raise RecurraError(
                    f"{GIVEN}, index {index}: this is not two texts but {type(pair).__name__}; give (source, target)"
                )
    return _pairs(collect(GIVEN, GIVEN, WANTED, rows, unit="index"))


def _files(names: Sequence[str]) -> list[Path]:
    """The files that are named: tables only, one file of any kind, or two that are not tables."""
    for name in names:
        with os_errors("reading", name):
            if name and Path(name).is_dir():
                raise RecurraError(f"{name} is a folder; name tables or two parallel files in it")
    paths, _ = find_files(names, ENDINGS)
    others = [path for path in paths if ending(path) not in ENDINGS]
    if not paths or (others and len(paths) > 2):
        raise RecurraError(f"{len(paths)} files are given for sentence pairs; give tables or two parallel files")
    if len(others) == 1 and len(paths) == 2:
        table = next(path for path in paths if path not in others)
        raise RecurraError(f"{table} is a table, but {others[0]} is not; give tables or two parallel text files")
    return paths


def _parallel(first: Path, second: Path, encoding: str) -> Pairs:
    """The pairs of two files, line by line."""
    sources, targets = read_lines(first, encoding), read_lines(second, encoding)
    told = []
    for path, lines, other in ((first, sources, targets), (second, targets, sources)):
        rest = lines[len(other) :]
        if rest and not any(line.strip() for line in rest):
            del lines[len(other) :]
            told.append(f"{path}: the last {len(rest)} line(s), which are empty")
    if len(sources) != len(targets):
        position = parting(sources, targets)
        hint = f", and the files part probably near line {position:,}" if position else ""
        raise RecurraError(
            f"{first} has {len(sources):,} lines but {second} has {len(targets):,}{hint}; line n of one must be the "
            "translation of line n of the other: put in what is missing or cut off what is too much"
        )
    rows = ((number, [source, target]) for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1))
    name = f"{first.name} and {second.name}"
    return _pairs(collect(name, name, WANTED, rows, told))


def split_validation(pairs: Pairs, share: float = 0.1, most: int = 1000, seed: int = 0) -> tuple[Pairs, Pairs]:
    """Cut a random part off for validation, none of whose sources is left in the rest.

    Args:
        pairs: all there are.
        share: of them that is kept for validation, above 0 and below 1, ...
        most: ... but not more pairs than this.
        seed: of the draw.

    Returns:
        What is left to train on, and what is kept for validation; both in their old order. The part is larger than
        asked for only if every single source has more translations than that.

    Raises:
        RecurraError: if there are fewer than two different sources.
    """
    if not 0 < share < 1 or most < 1:
        raise OptionError(
            f"a share of {share} and {most} at most cannot be kept for validation; give above 0 and below 1, and 1"
        )
    groups: dict[str, list[int]] = {}
    for position, source in enumerate(pairs.sources):
        groups.setdefault(source, []).append(position)
    if len(groups) < 2:
        raise RecurraError(
            f"{pairs.name} has fewer than two different sources, so none can be kept for validation; give more"
        )
    wanted = min(int(np.ceil(share * len(pairs))), most, len(pairs) - 1)
    held = set(_drawn(list(groups.values()), wanted, seed))
    rest = (position for position in range(len(pairs)) if position not in held)
    name = f"{len(held):,} pairs of {pairs.name}, drawn at random"
    return _part(pairs, rest, pairs.name, pairs.skipped), _part(pairs, sorted(held), name, [])


def _drawn(groups: list[list[int]], wanted: int, seed: int) -> Iterator[int]:
    """The members of groups drawn at random, as long as they fit; of the smallest one, if none does."""
    left = wanted
    for number in np.random.default_rng(seed).permutation(len(groups)).tolist():
        if len(groups[number]) <= left:
            left -= len(groups[number])
            yield from groups[number]
    if left == wanted:
        yield from min(groups, key=lambda group: len(group))


def _part(pairs: Pairs, indices: Iterable[int], name: str, skipped: list[str]) -> Pairs:
    kept = list(indices)
    return Pairs(
        name, [pairs.sources[position] for position in kept], [pairs.targets[position] for position in kept], skipped
    )


@dataclass(frozen=True)
class Data:
    """Sentence pairs as tokens.

    Attributes:
        name: where they came from.
        config: as it was given, with what decides on the vocabularies filled in.
        vocabularies: what made the tokens.
        train: to learn from.
        validation: to choose the best weights on.
        validation_name: what the validation part is, for the model card.
        left_out: sentences on what was left out.
    """

    name: str
    config: Config
    vocabularies: VocabularyPair
    train: Sequences
    validation: Sequences
    validation_name: str
    left_out: list[str]

    @property
    def digest(self) -> str:
        """Of all tokens, in their order."""
        digest = hashlib.sha256()
        for side in (*self.train, *self.validation):
            digest.update(np.concatenate(side).tobytes())
        return digest.hexdigest()


def read_data(
    sources: Sequence[Any],
    validation: Sequence[Any],
    config: Config,
    vocabularies: VocabularyPair | None = None,
) -> Data:
    """Read sentence pairs.

    Args:
        sources: tables, two parallel files, a sample, or pairs, see `open_pairs`.
        validation: likewise, to validate on; nothing cuts a part off.
        config: which tokens.
        vocabularies: existing ones, for a resumed run; None builds them.

    Raises:
        RecurraError: if the pairs cannot be read or are too few.
    """
    options = (config.encoding, config.columns, config.header)
    pairs = open_pairs(sources, *options)
    if len(pairs) < MIN_PAIRS:
        raise RecurraError(
            f"{pairs.name} is too small to train on: at least {MIN_PAIRS} pairs are needed, and it has {len(pairs)}"
        )
    train, other = (pairs, open_pairs(validation, *options)) if validation else split_validation(pairs)
    name = other.name if validation else f"{len(other):,} pairs drawn from it"
    config = fill_in(config, target_tokens=config.tokens)
    kinds: tuple[TokenKind, TokenKind] = config.tokens, config.target_tokens or config.tokens
    size = max(_vocabulary_size(kind, len(train)) for kind in kinds)
    config = fill_in(config, joint=kinds in (("subwords",) * 2, ("bytes",) * 2), vocabulary_size=size)
    if vocabularies is None:
        placeholders = fit(config.keep, config.copy_words, train.sources, train.targets, config.min_count)
        limit, joint = required(config.vocabulary_size, "vocabulary_size"), required(config.joint, "joint")
        sources, targets = placeholders.hide(train.sources, train.targets)
        vocabularies = VocabularyPair.build(
            kinds, sources, targets, joint, limit, config.min_count, placeholders=placeholders
        )
    learned, long = encode_pairs(_hidden(train, vocabularies), vocabularies, config.longest)
    kept, other_long = encode_pairs(other, vocabularies, MAX_TOKENS)
    left_out = [*pairs.skipped, *(other.skipped if validation else ())]
    if long:
        left_out.append(f"{long:,} pair(s) of more than {config.longest} {vocabularies.kind} a side (`longest`)")
    if other_long:
        left_out.append(f"{other_long:,} validation pair(s) of more than {MAX_TOKENS} {vocabularies.kind} a side")
    return Data(pairs.name, config, vocabularies, learned, kept, name, left_out)


def _hidden(pairs: Pairs, vocabularies: VocabularyPair) -> Pairs:
    """The pairs with some words that both sides share behind placeholders, if that is to be learned."""
    sources, targets = vocabularies.placeholders.hide(pairs.sources, pairs.targets)
    return replace(pairs, sources=sources, targets=targets)


def encode_pairs(pairs: Pairs, vocabularies: VocabularyPair, longest: int) -> tuple[Sequences, int]:
    """Pairs as tokens, and how many were too long; not all may be."""
    sequences, long = vocabularies.encode(pairs.sources, pairs.targets, longest)
    if not sequences.sources:
        remedy = "" if longest == MAX_TOKENS else ", or a larger `longest`"
        raise RecurraError(
            f"no pair of {pairs.name} has at most {longest} {vocabularies.kind} a side; give shorter ones{remedy}"
        )
    return sequences, long


class Sentence(NamedTuple):
    """A sentence to translate, read and encoded once for all that asks about it.

    Attributes:
        text: without white space around it.
        reading: as the network reads it.
        tokens: its tokens, the end at last.
        required: what must be in its translation.
    """

    text: str
    reading: Reading
    tokens: Tokens
    required: Required


def encode_sentence(sentence: str, vocabularies: VocabularyPair, glossary: Glossary | None = None) -> Sentence:
    """A sentence as it is translated."""
    text = sentence.strip()
    terms = glossary.terms_in(text) if glossary else []
    reading = read_sentence(text, vocabularies, {part.casefold() for term in terms for part in term.parts})
    required = [*(term.runs for term in terms), *required_placeholders(reading.text, vocabularies)]
    return Sentence(text, reading, vocabularies.source.encode(reading.text), required)


def too_long(sentence: Sentence, kind: TokenKind) -> str:
    """Why a sentence has too many tokens to be translated; empty if it has not."""
    length = len(sentence.tokens) - 1
    if length <= MAX_TOKENS:
        return ""
    return (
        f"the sentence that begins with {sentence.text[:20]!r} is {length:,} {kind} long, but at most {MAX_TOKENS:,} "
        "are translated at once; split it into sentences"
    )


def describe(config: Config, data: Data) -> tuple[str, ...]:
    """What a person is told of the pairs, lines."""
    vocabularies, tokens = data.vocabularies, sum(map(len, data.train.targets))
    size = f"{vocabularies.source.size:,}"
    sizes = f"{size} for both sides" if vocabularies.joint else f"{size} and {vocabularies.target.size:,}"
    return (
        *(f"left out: {reason}" for reason in data.left_out),
        f"{data.name}: {len(data.train.sources):,} pairs with {tokens:,} target {config.target_tokens} to train on, "
        f"{len(data.validation.sources):,} for validation, vocabulary {sizes}",
        *_kept(vocabularies.placeholders),
        *_unknown(config, data),
    )


def _kept(placeholders: Placeholders) -> tuple[str, ...]:
    """What is copied; nothing if nothing is."""
    if not placeholders.count:
        return ()
    names = {"markup and addresses": MARKUP, "numbers": NUMBERS}
    kept = [name for name, pattern in names.items() if pattern in placeholders.pattern]
    own = [] if kept or not placeholders.pattern else [f"what {placeholders.pattern[:60]} finds"]
    words = [] if placeholders.words is None else ["words never seen"]
    return (
        f"copied as they are, up to {placeholders.count} in a sentence: {', '.join([*kept, *own, *words])} (`keep`)",
    )


def _unknown(config: Config, data: Data) -> tuple[str, ...]:
    """How much of the validation pairs the vocabularies do not know; nothing if that is nothing."""
    source = data.vocabularies.source.unknown_share(data.validation.sources)
    target = data.vocabularies.target.unknown_share(data.validation.targets)
    if max(source, target) < 0.0005:
        return ()
    shares = f"{source:.1%} of the sources and {target:.1%} of the targets"
    return (f"read as the unknown token in the validation pairs: {shares} ({data.vocabularies.kind})",)
