"""A Python without some packages, as on a machine where they were never installed."""

from __future__ import annotations

import subprocess
import sys

_REFUSE = "import sys; sys.modules.update(torch=None, accelerate=None)\n"
"""What Python takes for packages that are not there."""


def without_torch(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process in which PyTorch and accelerate cannot be imported."""
    return subprocess.run([sys.executable, "-c", _REFUSE + code], capture_output=True, text=True, timeout=120)


def command_without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of recurra where PyTorch and accelerate cannot be imported."""
    return without_torch(f"from recurra.cli import main; sys.exit(main({[str(item) for item in arguments]!r}))")
