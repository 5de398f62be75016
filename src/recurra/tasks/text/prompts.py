"""Prompts out of a file, and the texts written for them into another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.data.columns import Wanted
from recurra.data.tables import ending, read_lines, read_tables
from recurra.errors import OptionError
from recurra.files import require_writable_parent, write_text_atomic
from recurra.progress import note

WANTED = Wanted(("prompt",), whole=True, fixed=True)

JSON_LINES = (".jsonl", ".ndjson")


def read_prompts(path: Path) -> list[str]:
    """The prompts of a file, one a line as it is, or in JSONL under the key "prompt", line ends and all.

    Raises:
        RecurraError: if it cannot be read, or holds nothing.
    """
    if ending(path) not in JSON_LINES:
        return [line for line in read_lines(path) if line]
    table = read_tables([path], WANTED, "prompt")
    for reason in table.skipped:
        note(f"left out: {reason}")
    return table.columns[0]


def require_output(out: Path | None, prompt_file: Path | None) -> None:
    """Refuse a place where nothing can be written, or that is what is read.

    Raises:
        OptionError: if it is.
    """
    if out is None:
        return
    if out.is_dir():
        raise OptionError(f"`out` {out} is a folder; give the name of a file in it")
    if prompt_file is not None and out.exists() and prompt_file.exists() and out.samefile(prompt_file):
        raise OptionError(f"`out` {out} is the file with the prompts; name another")
    require_writable_parent(out)


def write_texts(out: Path, texts: Sequence[Mapping[str, Any]]) -> None:
    """Write texts to a file: one after another with an empty line between, or an object a line (.jsonl)."""
    if out.suffix.lower() in JSON_LINES:
        content = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    else:
        content = "\n\n".join(str(text["text"]) for text in texts) + "\n"
    write_text_atomic(out, content)
    note(f"{out}: {len(texts):,} text(s)")
