"""How long `recurra --help` takes, and what writing five characters costs, by command and with PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common import median_seconds, table

from recurra import text

REPEATS = 9

COST = """
import sys, time
memory = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time(), memory, file=sys.stderr)
"""
"""Has a process say the seconds of the processor it took, and its largest memory in kB; of Linux."""


def measured(code: str) -> list[str]:
    """The median cost of some Python code, whose first run compiles what the others find compiled."""
    costs = []
    for _ in range(REPEATS + 1):
        done = subprocess.run([sys.executable, "-c", code + COST], check=True, capture_output=True, text=True)
        costs.append([float(figure) for figure in done.stderr.split()[-2:]])
    seconds, memory = zip(*costs[1:], strict=True)
    return [f"{median(seconds):.2f}", f"{median(memory) / 1000:.0f}"]


def main() -> None:
    """Measure and print the tables."""
    command = [str(Path(sys.executable).parent / "recurra"), "--help"]
    seconds = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), repeats=9)
    code = "import sys; from recurra.cli import main; main(['--help']); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    imported = said.split()[-1]
    table(
        "`recurra --help`", ["target", "seconds (median of 9)", "torch imported"], [["0.3", f"{seconds:.2f}", imported]]
    )
    with TemporaryDirectory() as folder:
        text.train("sample:pydocs", f"{folder}/model", preset="small", steps=5, evaluations=1, progress=False)
        command = ["text", "write", f"{folder}/model", "--length", "5"]
        loaded = f"text.Model.load('{folder}/model').write(length=5)"
        rows = [
            ["`recurra text write`", *measured(f"from recurra.cli import main; main({command!r})")],
            ["`text.Model.load(...).write(...)`", *measured(f"from recurra import text; {loaded}")],
        ]
    head = ["five characters", f"processor seconds (median of {REPEATS})", "largest memory, MB"]
    table("What writing five characters costs", head, rows)


if __name__ == "__main__":
    main()
