"""Real speech: spoken digits one by one, digits joined to strings, and Arabic commands of speakers never heard.

`--parts digits left-out joined arabic` chooses; `--seeds N` trains N models of each, `--minutes M` each. What stands as
`name=value` before these goes to all trainings, as `recurra speech train` has it: `hidden_size=192`.

Strings are made of whole recordings of one speaker and one part, put together with a fixed seed and gaps of 50 to 300
ms.
"""

from __future__ import annotations

import argparse
import ast
import csv
import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from common import OUT, data, machine

from recurra import speech
from recurra.tasks.speech.accuracy import measure
from recurra.tasks.speech.audio import write_sound

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PARTS = ("digits", "left-out", "joined", "arabic")

JOINED = {"mask_bands": 0, "mask_ms": 0.0, "noise_db": 100.0}
"""Strings are put together of whole recordings in ever new ways; masks and noise only slowed learning down."""


class Clip(NamedTuple):
    """A word by a speaker."""

    path: Path
    word: str
    speaker: str
    part: str


Pairs = list[tuple[str, str]]


def unpacked(name: str) -> Path:
    """The folder of an archive's files; unpacked once."""
    folder = OUT / "speech" / Path(name).stem
    if not folder.exists():
        with zipfile.ZipFile(data(f"speech/{name}")) as archive:
            archive.extractall(folder)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "metadata.csv").read_text())))


def digits() -> list[Clip]:
    """FSDD: the official test part (recordings 0 to 4 of each digit and speaker), validation (5 to 9), training."""
    folder = unpacked("fsdd_flac.zip")
    clips = []
    for row in rows(folder):
        index = int(row["index"])
        part = "test" if index < 5 else "validation" if index < 10 else "train"
        path = folder / "recordings" / f"{row['id']}.flac"
        clips.append(Clip(path, DIGITS[int(row["digit"])], row["speaker"], part))
    return clips


def commands() -> list[Clip]:
    """Twenty Arabic commands; no speaker is in two parts."""
    folder = unpacked("arabic_speech_commands_20_flac.zip")
    names = {"train": "train", "val": "validation", "test": "test"}
    return [Clip(folder / row["file"], row["word"], row["speaker"], names[row["split"]]) for row in rows(folder)]


def pairs(clips: Sequence[Clip]) -> Pairs:
    return [(str(clip.path), clip.word) for clip in clips]


def joined(clips: Sequence[Clip], name: str, count: int, fewest: int, most: int) -> Pairs:
    """Strings of words by one speaker, as files."""
    folder = OUT / "speech" / name
    random = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    speakers = sorted({clip.speaker for clip in clips})
    by_speaker = {speaker: [clip for clip in clips if clip.speaker == speaker] for speaker in speakers}
    made: Pairs = []
    for number in range(count):
        own = by_speaker[speakers[number % len(speakers)]]
        chosen = [own[int(random.integers(len(own)))] for _ in range(int(random.integers(fewest, most + 1)))]
        path = folder / f"{number}.wav"
        parts = []
        for clip in chosen:
            samples, rate = soundfile.read(clip.path, dtype="float32")
            parts += [samples, np.zeros(int(random.uniform(0.05, 0.3) * rate), np.float32)]
        if not path.exists():
            write_sound(path, np.concatenate(parts[:-1]), rate)
        made.append((str(path), " ".join(clip.word for clip in chosen)))
    return made


def part(clips: Sequence[Clip], name: str) -> list[Clip]:
    return [clip for clip in clips if clip.part == name]


def run(
    name: str, train: Pairs, validation: Pairs, test: Pairs, options: dict[str, Any], seeds: int
) -> tuple[list[Any], list[float]]:
    """Train and measure, once a seed; word error rates on test."""
    models, rates = [], []
    for seed in range(1, seeds + 1):
        begun = time.process_time()
        model = speech.train(train, validation=validation, progress=False, **{"seed": seed, **options})
        seconds = time.process_time() - begun
        found = measure([model.transcribe(path).text for path, _ in test], [text for _, text in test])
        low, high = found.interval
        print(
            f"{name:<24} seed {seed}: {seconds:5.0f} core-seconds; validation {model.record['wer']:.2%} WER; test "
            f"{found.wer:.2%} WER ({low:.2%} to {high:.2%}), {found.cer:.2%} CER, {found.exact_match:.2%} exact",
            flush=True,
        )
        models.append(model)
        rates.append(found.wer)
    return models, rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("rest", nargs="*", help="name=value: options of all trainings")
    given = parser.parse_args()
    options = {"minutes": given.minutes} | {
        name: _value(text) for name, _, text in (item.partition("=") for item in given.rest)
    }
    print(machine(), options)
    spoken = digits()
    train, validation, test = (part(spoken, name) for name in ("train", "validation", "test"))
    low_rate = {"rate": 8000, **options}
    if "digits" in given.parts:
        run("digits", pairs(train), pairs(validation), pairs(test), low_rate, given.seeds)
    if "left-out" in given.parts:
        wrong = []
        for speaker in sorted({clip.speaker for clip in spoken}):
            rest = [[clip for clip in each if clip.speaker != speaker] for each in (train, validation)]
            out = [clip for clip in test if clip.speaker == speaker]
            wrong += run(f"without {speaker}", *map(pairs, (*rest, out)), low_rate, 1)[1]
        print(f"one speaker left out: {np.mean(wrong):.2%} wrong, worst {max(wrong):.2%}")
    if "joined" in given.parts:
        strings = [
            joined(clips, f"digits-{name}-{count}", count, fewest, 7)
            for name, clips, count, fewest in (
                ("train", train, 8000, 1),
                ("validation", validation, 200, 3),
                ("test", test, 300, 3),
            )
        ]
        run("digits, 3 to 7 joined", *strings, JOINED | low_rate, given.seeds)
    if "arabic" in given.parts:
        spoken = commands()
        train, validation, test = (part(spoken, name) for name in ("train", "validation", "test"))
        models, _ = run("Arabic commands", pairs(train), pairs(validation), pairs(test), options, given.seeds)
        strings = [
            joined(clips, f"arabic-{name}-{count}", count, fewest, 4)
            for name, clips, count, fewest in (
                ("train", train, 6000, 1),
                ("validation", validation, 150, 2),
                ("test", test, 200, 2),
            )
        ]
        run("Arabic, 2 to 4 joined", *strings, {"from_model": models[0], **JOINED, **options}, given.seeds)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
