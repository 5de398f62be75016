"""Morse code: character error rates of a model trained as in the demo, beside those of a plain threshold decoder.

`--seeds N` trains N models, about three minutes on a core each; `--steps` shortens that.
"""

from __future__ import annotations

import argparse
import time

from recurra import speech
from recurra.tasks.speech.accuracy import measure
from recurra.tasks.speech.commands import DEMO_STEPS
from recurra.tasks.speech.morse import RATE, Conditions, morse
from recurra.tasks.speech.threshold import threshold_decode

CONDITIONS = {
    "0 dB": Conditions(snr=0, fading=0),
    "-6 dB": Conditions(snr=-6, fading=0),
    "-10 dB": Conditions(snr=-10, fading=0),
    "0 dB, 15 dB fading": Conditions(snr=0, fading=15),
    "0 dB, jitter 0.25": Conditions(snr=0, fading=0, jitter=0.25),
}
"""20 words a minute at 600 Hz, jitter 0.1 where nothing else is said."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEMO_STEPS)
    parser.add_argument("--count", type=int, default=100, help="fresh messages under each condition")
    options = parser.parse_args()
    models = []
    for seed in range(1, options.seeds + 1):
        begun = time.process_time()
        models.append(speech.train("sample:morse", steps=options.steps, seed=seed, patience=0))
        print(f"seed {seed}: {time.process_time() - begun:.0f} core-seconds")
    for name, conditions in CONDITIONS.items():
        messages = morse(options.count, seed=77, conditions=conditions)
        sounds = [message.load(RATE) for message in messages]
        said = [message.text.lower() for message in messages]
        plain = measure([threshold_decode(samples, RATE).lower() for samples in sounds], said)
        rates = [measure([model.transcribe(samples).text for samples in sounds], said).cer for model in models]
        print(f"{name:<20} threshold {plain.cer:7.2%}   model " + " ".join(f"{rate:7.2%}" for rate in rates))


if __name__ == "__main__":
    main()
