"""What can happen to a model folder, and how to see whether anything did."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def alter_config(folder: Path, **entries: Any) -> None:
    """Put other entries into a model's `config.json`."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | entries))


def alter_options(folder: Path, **options: Any) -> None:
    """Put other options into a model's configuration."""
    config = json.loads((folder / "config.json").read_text())["config"]
    alter_config(folder, config=config | options)


def truncate(path: Path) -> None:
    """Cut off the last bytes of a file."""
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def seal(folder: Path) -> None:
    """Give altered files the checksums of sound ones."""
    names = ("model.safetensors", "vocabulary.json")
    alter_config(folder, sha256={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names})


def enlarge(folder: Path) -> None:
    """Make all weights huge, though still numbers."""
    path = folder / "model.safetensors"
    save_file({name: torch.full_like(tensor, 1e38) for name, tensor in load_file(path).items()}, path)
    seal(folder)
