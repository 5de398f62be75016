"""A wake word: a detector of "alexa", its misses and false alarms on recordings that were not trained on, in noise.

The first 63 recordings of "alexa" in file-number order are for the test, every sixth of the other 252 for the
threshold. There are no speakers' names: a speaker may be in both parts. Other sound, likewise in three parts:

- the five other wake words of Picovoice and the words, near-misses among them, of Mycroft: a third each by file name,
- Arabic commands: the splits of the set, whose speakers are others,
- FSDD: three speakers to learn from, one for the threshold, two for the test,
- read sentences (SpeechBrain's samples): a speaker to learn from, one for the test,
- the washing machine and the boiler: 10 seconds to learn from, the other 10 as noise of the test.

For noise every recording is brought to the same level, and the noise is 10 decibels below their loud parts all the
time; without noise they are as loud as they are. `--steps` and `--seeds` choose the training.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import common
import numpy as np
import soundfile

from recurra import speech
from recurra.tasks.speech.audio import resampled
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.wakeword.measuring import measured_stream
from recurra.tasks.speech.wakeword.rates import rates
from recurra.tasks.speech.wakeword.streams import LEVEL, Overlay, at_level, levelled, looped

PARTS = ("train", "validation", "test")
RATE = 16_000
SNR = 10.0
FSDD_PARTS = {"theo": "test", "yweweler": "test", "nicolas": "validation"}
FOLDER = common.OUT / "alexa"


def rows() -> Iterator[tuple[str, str, str, bytes]]:
    """Part, transcript, name and bytes of each recording."""
    with zipfile.ZipFile(common.data("speech/wakeword_picovoice_flac.zip")) as file:
        names = [name for name in file.namelist() if name.endswith(".flac")]
        alexa = sorted((n for n in names if n.startswith("alexa/")), key=lambda n: int(Path(n).stem))
        for number, name in enumerate(alexa):
            part = "test" if number < 63 else "validation" if number % 6 == 0 else "train"
            yield part, "alexa", name, file.read(name)
        for number, name in enumerate(sorted(set(names) - set(alexa))):
            yield PARTS[number % 3], name.split("/")[0], name, file.read(name)
    with zipfile.ZipFile(common.data("speech/wakeword_mycroft_flac.zip")) as file:
        for number, name in enumerate(sorted(n for n in file.namelist() if n.endswith(".flac"))):
            yield PARTS[number % 3], name.split("/")[0], name, file.read(name)
    with zipfile.ZipFile(common.data("speech/arabic_speech_commands_20_flac.zip")) as file:
        for row in csv.DictReader(io.StringIO(file.read("metadata.csv").decode())):
            yield row["split"].replace("val", "validation"), row["word"], row["file"], file.read(row["file"])
    with zipfile.ZipFile(common.data("speech/fsdd_flac.zip")) as file:
        for name in sorted(n for n in file.namelist() if n.endswith(".flac")):
            digit, speaker, _ = Path(name).stem.split("_")
            yield FSDD_PARTS.get(speaker, "train"), digit, name, file.read(name)
    with zipfile.ZipFile(common.data("speech/speechbrain_samples_wav.zip")) as file:
        for name in sorted(n for n in file.namelist() if n.endswith(".wav")):
            yield "train" if name.startswith("spk1") else "test", "sentence", name, file.read(name)


def noises() -> dict[str, np.ndarray]:
    """The noises of the test; the halves that are learned from are written out."""
    found = {}
    with zipfile.ZipFile(common.data("speech/arabic_speech_commands_20_flac.zip")) as file:
        for name in ("washing_machine", "boiler"):
            samples, rate = soundfile.read(io.BytesIO(file.read(f"background_noise/{name}.flac")), dtype="float32")
            half = len(samples) // 2
            place = FOLDER / "train" / "_background_noise_"
            place.mkdir(parents=True, exist_ok=True)
            soundfile.write(place / f"{name}.wav", samples[:half], rate)
            found[name.replace("_", " ")] = resampled(samples[half:], rate, RATE)
    found["white noise"] = np.random.default_rng(5).normal(0, 0.1, 60 * RATE).astype(np.float32)
    return found


def extract() -> None:
    """All recordings as folders of words, a folder a part."""
    for part, word, name, content in rows():
        path = FOLDER / part / word / f"{name.split('/')[0]}-{Path(name).name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def over(noise: np.ndarray) -> Overlay:
    """Adds a noise, `SNR` decibels below the level of recordings."""
    noise = at_level(noise, LEVEL - SNR)

    def add(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return samples + looped(noise, len(samples), random)

    return add


def report(model: Model, noise: dict[str, np.ndarray]) -> list[list[str]]:
    """Rows of the table."""
    paths = sorted((FOLDER / "test").glob("*/*"))
    order = np.random.default_rng(3).permutation(len(paths))
    lines, threshold = [], float(model.record["threshold"])
    for name, overlay in {"none": None, **{name: over(samples) for name, samples in noise.items()}}.items():
        recordings = ((speech_of(paths[n], overlay is not None), paths[n].parent.name == "alexa") for n in order)
        stream = measured_stream(model.probability_stream(), recordings, model.config, over=overlay)
        step = model.config.features.step_seconds
        for least in (threshold, 0.5, 0.9, 0.99):
            found = rates(*stream, least, step)
            low, high = found.interval
            lines.append(
                [
                    *(name, f"{least:.3f}" + (" (chosen)" if least == threshold else "")),
                    *(f"{found.missed} of {found.words}: {found.misses:.1%}", f"{low:.1%} to {high:.1%}"),
                    *(f"{found.alarms} in {60 * found.hours:.1f} min", f"{found.alarms_an_hour:.1f}"),
                    f"{found.bound:.1f}",
                ]
            )
    return lines


def speech_of(path: Path, same_level: bool) -> np.ndarray:
    """Samples of a recording, as loud as it is or brought to the level of all."""
    samples, rate = soundfile.read(path, dtype="float32")
    samples = resampled(samples, rate, RATE)
    return levelled(samples, RATE) if same_level else samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=900)
    options = parser.parse_args()
    extract()
    noise = noises()
    for seed in range(1, options.seeds + 1):
        begun = time.process_time()
        model = speech.train(
            FOLDER / "train",
            FOLDER / f"model-{seed}",
            validation=FOLDER / "validation",
            detect="alexa",
            steps=options.steps,
            patience=0,
            seed=seed,
            overwrite=True,
        )
        print(f"seed {seed}: {time.process_time() - begun:.0f} core-seconds, {model.record['steps']} steps")
        head = ["noise", "threshold", "missed", "95 %", "false alarms", "an hour", "at most (95 %)"]
        common.table(f"alexa, seed {seed}", head, report(model, noise))


if __name__ == "__main__":
    main()
