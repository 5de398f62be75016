"""Many clients at once, by the measurement itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.slow
def test_fifty_clients_lose_nothing_and_memory_stays_flat(
    trained_folder: Path, trained_music: Path, trained_sentiment: Path, trained_translation: Path
) -> None:
    models = [trained_folder, trained_music, trained_sentiment, trained_translation]
    command = [sys.executable, str(BENCH / "serve.py"), *map(str, models), "--seconds", "10", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["lost"] == 0, found["first lost"]
    assert found["answers"] >= 50
    assert found["status"] == 0
    assert found["memory in the last third, MB"] < 1.1 * found["memory in the first third, MB"]
    assert found["stopped after, seconds"] < 10
