"""How long `recurra --help` takes, and that it imports no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from common import median_seconds, table


def main() -> None:
    """Measure and print the table."""
    command = [str(Path(sys.executable).parent / "recurra"), "--help"]
    seconds = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), repeats=9)
    code = "import sys; from recurra.cli import main; main(['--help']); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    imported = said.split()[-1]
    table(
        "`recurra --help`", ["target", "seconds (median of 9)", "torch imported"], [["0.3", f"{seconds:.2f}", imported]]
    )


if __name__ == "__main__":
    main()
