"""An installation without PyTorch: what it is made of, and one of its own that writes text and translates."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from recurra import load

ROOT = Path(__file__).parents[1]
TRAINING = ("accelerate", "torch")


def test_the_runtime_needs_all_but_what_trains() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "runtime.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == [needed for needed in project["dependencies"] if not needed.startswith(TRAINING)]


@pytest.mark.slow
def test_an_environment_without_pytorch_writes_and_translates_the_same(
    trained_folder: Path, trained_translation: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"  # a build leaves things beside what it builds
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "runtime.txt"):
        shutil.copy(ROOT / name, source)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=300)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for what in (["-r", source / "runtime.txt"], ["--no-deps", source]):
        done = subprocess.run([*pip, *what], capture_output=True, text=True, timeout=900, env=environment)
        if done.returncode:
            pytest.skip(f"pip cannot install here: {done.stderr.strip().splitlines()[-1][:200]}")
    written = [python.with_name("recurra"), "text", "write", trained_folder, "--length", "40", "--seed", "2"]
    done = subprocess.run(written, capture_output=True, text=True, timeout=300, env=environment, check=True)
    assert done.stdout == load(trained_folder, "cpu", task="text").write(length=40, seed=2) + "\n"
    translated = [python.with_name("recurra"), "translation", "translate", trained_translation, "beach"]
    done = subprocess.run(translated, capture_output=True, text=True, timeout=300, env=environment, check=True)
    assert done.stdout == load(trained_translation, "cpu", task="translation").translate("beach") + "\n"
    training = [python.with_name("recurra"), "text", "train", "sample:pydocs", "--out", tmp_path / "model"]
    done = subprocess.run(training, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")


def test_what_lies_beside_the_modules_is_installed_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["recurra"]
    package = ROOT / "src" / "recurra"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    beside = {
        path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert beside <= installed
