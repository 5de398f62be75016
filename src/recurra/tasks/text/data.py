"""A corpus as tokens, a part of it kept for validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.data import tokenizer as tokenizers
from recurra.data.corpus import Corpus, Source, open_corpus
from recurra.data.streams import TokenFile, write_tokens
from recurra.data.tokenizer import Tokenizer, Tokens, WithBoundary
from recurra.errors import RecurraError
from recurra.progress import note
from recurra.tasks.text.config import VOCABULARY_SIZES, Config

MIN_TOKENS = 1000
"""A shorter corpus is refused: there is nothing to learn from it, and nothing to validate on."""

VALIDATION_SHARE = 0.1
"""What is cut off the end of a corpus for validation, if no file is given for that ..."""

MAX_VALIDATION = 500_000
"""... but not more tokens than this."""


@dataclass(frozen=True)
class Data:
    """A corpus as tokens.

    Attributes:
        corpus: where it came from.
        tokenizer: what made the tokens.
        train: to learn from.
        validation: to choose the best weights on.
        validation_name: what the validation part is, for the model card.
        file: of the whole corpus's tokens.
    """

    corpus: Corpus
    tokenizer: Tokenizer
    train: Tokens
    validation: Tokens
    validation_name: str
    file: TokenFile


def read_data(
    sources: Sequence[Source],
    validation: Sequence[Source],
    config: Config,
    folder: Path,
    tokenizer: Tokenizer | None = None,
) -> Data:
    """Read a corpus into token files.

    Args:
        sources: files, folders, texts or a sample, see `open_corpus`.
        validation: what to validate on, likewise; if empty, a part is cut off the end.
        config: which tokens.
        folder: where the token files go.
        tokenizer: an existing one, for a resumed run; None builds one.

    Raises:
        RecurraError: if the corpus cannot be read or is too short.
    """
    raw = config.tokens == "bytes"
    corpus = open_corpus(sources, config.encoding, raw, config.documents, config.columns)
    if tokenizer is None:
        limit = config.vocabulary_size or VOCABULARY_SIZES[config.tokens]
        tokenizer = tokenizers.build(config.tokens, corpus.text(), limit, config.min_count)
        tokenizer = tokenizer if corpus.documents == "none" else WithBoundary(tokenizer)
    file = write_tokens(corpus.blocks(), tokenizer, folder / "tokens.bin")
    if file.length < MIN_TOKENS:
        raise RecurraError(
            f"{corpus.name} is too short to train on: {file.length} {config.tokens}, at least {MIN_TOKENS} are needed"
        )
    tokens = file.open()
    if not validation:
        cut = file.length - min(int(np.ceil(VALIDATION_SHARE * file.length)), MAX_VALIDATION)
        name = f"the last {file.length - cut:,} {config.tokens}"
        return Data(corpus, tokenizer, tokens[:cut], tokens[cut:], name, file)
    other = open_corpus(validation, config.encoding, raw, corpus.documents, config.columns)
    other_file = write_tokens(other.blocks(), tokenizer, folder / "validation.bin")
    if other_file.length < 2:
        raise RecurraError(f"{other.name} is too short to validate on; give more text")
    return Data(corpus, tokenizer, tokens, other_file.open(), other.name, file)


def describe(data: Data, kind: str) -> tuple[str, ...]:
    """What a person is told of a corpus, lines."""
    share = 100 * data.file.unknown / data.file.length
    rare = f"{data.file.unknown:,} {kind} ({share:.2f} %) are not in the vocabulary and become the unknown token"
    return (
        *(f"left out: {reason}" for reason in data.corpus.skipped),
        *([rare] if data.file.unknown else []),
        f"{data.corpus.name}: {len(data.train):,} {kind} to train on, {len(data.validation):,} for validation, "
        f"{data.tokenizer.size:,} distinct" + (f"; {data.file.documents:,} documents" if data.file.documents else ""),
    )


def text_of(source: str, encoding: str = "utf-8", columns: str = "") -> str:
    """A whole corpus as one text; what is left out is told."""
    corpus = open_corpus([source], encoding, columns=columns)
    for reason in corpus.skipped:
        note(f"left out: {reason}")
    return "".join(corpus.text())
