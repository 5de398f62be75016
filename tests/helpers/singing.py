"""Recordings that are made up: a pitch for each letter, which a small model learns in a second or two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

SUNG_RATE = 8000
"""Samples a second of what is sung."""


def sung(text: str, seed: int = 0) -> np.ndarray:
    """A text as sound: each letter from a to h has a pitch of its own, and a space is a pause."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(800)]
    for letter in text:
        seconds = np.arange(int(rng.integers(800, 1200))) / SUNG_RATE
        loud = 0.0 if letter == " " else 0.5
        parts += [loud * np.sin(2 * np.pi * 300 * 1.35 ** (ord(letter) - ord("a")) * seconds), np.zeros(500)]
    samples = np.concatenate(parts)
    return np.asarray(samples + rng.normal(0, 0.01, len(samples)), np.float32)


def songs(count: int, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Texts of one or two words of the letters a to e, and how each is sung."""
    rng = np.random.default_rng(seed)

    def word() -> str:
        return "".join(rng.choice(list("abcde"), size=rng.integers(1, 4)))

    texts = [" ".join(word() for _ in range(rng.integers(1, 3))) for _ in range(count)]
    return [(text, sung(text, seed + number)) for number, text in enumerate(texts)]


def short_songs(count: int, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Texts of up to three of the letters a to d, none twice, in one word or two, and how each is sung.

    What attends learns these sooner than `songs`: nothing sounds the same in two places.
    """
    rng = np.random.default_rng(seed)
    sung_texts = []
    for number in range(count):
        letters = rng.permutation(list("abcd"))[: rng.integers(1, 4)].tolist()
        if len(letters) > 1 and rng.random() < 0.5:
            letters.insert(int(rng.integers(1, len(letters))), " ")
        sung_texts.append(("".join(letters), sung("".join(letters), seed + number)))
    return sung_texts


def write_recordings(folder: Path, recordings: list[tuple[str, np.ndarray]], rate: int = SUNG_RATE) -> Path:
    """A table of recordings and the files that it names, in a folder."""
    folder.mkdir(parents=True)
    lines = ["file\ttranscript"]
    for number, (said, samples) in enumerate(recordings):
        soundfile.write(folder / f"{number}.wav", samples, rate)
        lines.append(f"{number}.wav\t{said}")
    (folder / "songs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "songs.tsv"
