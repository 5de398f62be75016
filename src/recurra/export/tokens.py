"""What a program without Recurra needs to know of a tokenizer."""

from __future__ import annotations

from typing import Any

from recurra.data.tokenizer import Tokenizer


def metadata_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as JSON values.

    `kind`, `normalization`, `unknown` and `boundary` are those of `Tokenizer`; `tokens` is the text of each token, with
    lone surrogates for bytes that are no whole character (Python's error handler `surrogateescape`); subwords also have
    what `Subwords.to_json` gives, `subwords`, of which byte-pair encoding is made.
    """
    pieces = [tokenizer.piece(token).decode("utf-8", "surrogateescape") for token in range(tokenizer.size)]
    facts = {name: getattr(tokenizer, name) for name in ("kind", "normalization", "unknown", "boundary")}
    made_of = {"subwords": tokenizer.to_json()} if tokenizer.kind == "subwords" else {}
    return {"tokens": pieces} | facts | made_of
