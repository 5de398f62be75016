"""Listening live: time for each 40 ms of sound, and memory, over an hour of speech, on one core.

A network of 2 x 128 units that reads from one end and writes letters, with the default search; trained for
`--minutes` on digits that are joined to strings (see `spoken.py`). The stream is such strings of the test part.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from pathlib import Path

import numpy as np
import torch
from common import machine
from spoken import digits, joined, part

from recurra import speech
from recurra.tasks.speech.audio import read_sound

RATE = 8000
CHUNK = 0.04
REPORTED = (1, 5, 15, 30, 60)
"""Minutes at which memory is reported."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    spoken = digits()
    train = joined(part(spoken, "train"), "digits-train", 2400, 1, 7)
    test = joined(part(spoken, "test"), "digits-test", 300, 3, 7)
    model = speech.train(
        train, rate=RATE, tokens="characters", bidirectional=False, minutes=options.minutes, progress=False
    )
    print(f"validation: {model.record['wer']:.2%} of words wrong")
    sounds = [read_sound(Path(path), RATE) for path, _ in test]
    size, listener = round(CHUNK * RATE), model.listen()
    taken, heard, left = [], 0, np.zeros(0, np.float32)
    reported = iter(REPORTED)
    due = next(reported)
    for samples in itertools.cycle(sounds):
        left = np.concatenate([left, samples])
        while len(left) >= size:
            chunk, left = left[:size], left[size:]
            begun = time.process_time()
            listener.feed(chunk)
            taken.append(time.process_time() - begun)
            heard += size
            if heard >= 60 * RATE * due:
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                milliseconds = 1000 * np.array(taken[100:])
                print(
                    f"{due:>3} min: {np.mean(milliseconds) / 1000 / CHUNK:.4f} of real time; a chunk of 40 ms takes "
                    f"{np.median(milliseconds):.2f} ms, p95 {np.quantile(milliseconds, 0.95):.2f} ms, "
                    f"p99.9 {np.quantile(milliseconds, 0.999):.2f} ms; {memory:.0f} MB at most",
                    flush=True,
                )
                due = next(reported, 10**9)
            if heard >= options.hours * 3600 * RATE:
                return


if __name__ == "__main__":
    main()
