"""Tang regulated verse, characters: chosen on the validation part, the test part scored once."""

from __future__ import annotations

import gzip
import math
import sys
from pathlib import Path

from common import OUT, data, machine, table

from recurra import text


def poems(part: str) -> Path:
    """One poem a line, the newline counted, as in the data's own figures."""
    lines = gzip.decompress(data(f"text/tang.{part}.tsv.gz").read_bytes()).decode().splitlines()
    OUT.mkdir(exist_ok=True)
    path = OUT / f"tang.{part}.txt"
    path.write_text("".join(line.split("\t")[3] + "\n" for line in lines))
    return path


def main() -> None:
    """Train, score, print the table; an argument gives the minutes (20)."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    model = text.train(
        poems("train"),
        OUT / "tang",
        text.Config(minutes=minutes, preset="medium"),
        validation=poems("valid"),
        overwrite=True,
    )
    figures = model.evaluate(poems("test"))
    # Characters the vocabulary lacks were predicted as one token; spelling each out among those costs more.
    distinct = len(set(poems("train").read_text())) - (model.tokenizer.size - 1)
    extra = figures["unknown"] * math.log2(max(distinct, 1)) / figures["count"]
    row = ["7.85", "6.5", f"{figures['bits']:.3f}", f"{figures['bits'] + extra:.3f}", f"{figures['unknown']:.0f}"]
    head = ["count model", "target", "Recurra", "with unknown characters spelled out", "unknown in the test part"]
    print(machine())
    table(f"Tang poems, test part, bits a character, {minutes:g} minutes", head, [row])


if __name__ == "__main__":
    main()
