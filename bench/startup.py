"""How long `recurra --help` takes, and what using a model once costs, by command and with PyTorch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from common import median_seconds, table

from recurra import speech, text, translation
from recurra.tasks.speech.audio import write_sound
from recurra.tasks.speech.morse import RATE, morse

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
        head = ["", f"processor seconds (median of {REPEATS})", "largest memory, MB"]
        table("What using a model once costs, by command and with PyTorch", head, list(costs(Path(folder))))


def costs(folder: Path) -> Iterator[list[str]]:
    """What five characters, a sentence and a recording cost."""
    tiny: dict[str, Any] = dict(steps=5, evaluations=1, progress=False)
    text.train("sample:pydocs", folder / "text", preset="small", **tiny)
    translation.train("sample:dates", folder / "translation", tokens="characters", **tiny)
    speech.train("sample:morse", folder / "speech", **tiny)
    sound = folder / "message.wav"
    write_sound(sound, next(iter(morse(1, seed=1))).load(RATE), RATE)
    once = {
        "text": ("write", ("--length", "5"), "write(length=5)"),
        "translation": ("translate", ("9 March 2014",), "translate('9 March 2014')"),
        "speech": ("transcribe", (str(sound),), f"transcribe({str(sound)!r})"),
    }
    for task, (verb, arguments, call) in once.items():
        command = [task, verb, str(folder / task), *arguments]
        yield [f"`recurra {task} {verb}`", *measured(f"from recurra.cli import main; main({command!r})")]
        called = f"from recurra import {task}; {task}.Model.load({str(folder / task)!r}).{call}"
        yield [f"`{task}.Model.load(...).{verb}(...)`", *measured(called)]


if __name__ == "__main__":
    main()
