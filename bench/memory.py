"""Peak memory of training on 1 MB and on 300 MB of generated text: it does not grow with the corpus."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import table

SIZES = (1, 300)
COMMAND = "import sys; from recurra.cli import main; sys.exit(main(sys.argv[1:]))"


def generate(path: Path, megabytes: int) -> None:
    """Sentences of made-up words, the same for the same size."""
    chance = random.Random(0)
    words = ["".join(chance.choices("aeioulnrst", k=chance.randint(2, 9))) for _ in range(5000)]
    with open(path, "w", encoding="utf-8") as file:
        written = 0
        while written < megabytes * 10**6:
            written += file.write(" ".join(chance.choices(words, k=12)) + ".\n")


def main() -> None:
    """Measure and print the table."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.txt"
            generate(corpus, size)
            arguments = ["text", "train", str(corpus), "--out", f"{folder}/model", "--steps", "30", "--preset", "small"]
            started = time.perf_counter()
            child = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.DEVNULL)
            _, status, usage = _wait(child.pid)
            seconds = time.perf_counter() - started
            rows.append([f"{size} MB", f"{usage.ru_maxrss / 1024:,.0f} MB", f"{seconds:.0f} s", str(status)])
    table("Peak memory of `recurra text train --steps 30`", ["corpus", "peak memory", "time", "exit status"], rows)


def _wait(pid: int) -> tuple[int, int, resource.struct_rusage]:
    import os

    return os.wait4(pid, 0)


if __name__ == "__main__":
    main()
