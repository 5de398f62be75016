"""`sample:morse`: messages keyed on the machine, with noise, fading and uneven hands (ITU-R M.1677-1).

The signal-to-noise ratio is that of amateur radio: the carrier's power while the key is down over the noise's power in
2,500 Hz. Decibels throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recurra.arrays import BoolArray, FloatArray
from recurra.tasks.speech.audio import resampled
from recurra.tasks.speech.recordings import Recording

_TABLE = """
A .-    B -...  C -.-.  D -..   E .     F ..-.  G --.   H ....  I ..    J .---  K -.-   L .-..  M --    N -.    O ---
P .--.  Q --.-  R .-.   S ...   T -     U ..-   V ...-  W .--   X -..-  Y -.--  Z --..  0 ----- 1 .---- 2 ..--- 3 ...--
4 ....- 5 ..... 6 -.... 7 --... 8 ---.. 9 ----. ? ..--.. / -..-. = -...- . .-.-.- , --..--
"""
CODE = dict(zip(_TABLE.split()[::2], _TABLE.split()[1::2], strict=True))
"""Dots and dashes of each character."""

RATE = 4000
"""Samples a second that messages are keyed at."""

NOISE_BANDWIDTH = 2500.0
"""Hz over which the noise's power counts."""

RISE = 0.005
"""Seconds that the carrier takes to rise and fall, so that the key does not click."""

_TRAFFIC = """
CQ DE K TNX FER CALL UR RST IS NAME QTH HR WX RIG ANT PWR WATTS AGE YRS HW CPY PSE AGN QSL VIA BURO ES GL DX 73 SK FINE
BUSINESS OM GOOD MORNING EVENING WEATHER SUNNY CLOUDY RAIN COLD WARM SIGNAL STRONG WEAK FADING NOISE STATION THE OF AND
TO IN THAT WAS HIS HE IT WITH FOR AS HAD YOU NOT BE HER ON AT BY WHICH HAVE OR FROM THIS HIM BUT ALL SHE THEY WERE MY
ARE ME ONE THEIR SO AN SAID THEM WE WHO WOULD BEEN WILL NO WHEN THERE IF MORE OUT UP INTO DO ANY YOUR WHAT HAS MAN COULD
OTHER THAN OUR SOME VERY TIME UPON ABOUT MAY ITS ONLY NOW LIKE LITTLE THEN CAN SHOULD MADE DID US
"""
"""What amateurs send, and frequent English words."""


@dataclass(frozen=True)
class Conditions:
    """How a message is sent and heard.

    Attributes:
        snr: signal to noise, decibels in 2,500 Hz.
        words_a_minute: speed, by the word PARIS.
        jitter: how uneven the hand is: standard deviation of the logarithm of each length.
        fading: how far the carrier falls and rises, decibels from its highest to its lowest.
        pitch: of the carrier, Hz.
    """

    snr: float = 0.0
    words_a_minute: float = 20.0
    jitter: float = 0.1
    fading: float = 3.0
    pitch: float = 600.0


def message(generator: np.random.Generator) -> str:
    """A short message of words, call signs, reports and groups of letters and digits."""
    words = _TRAFFIC.split()

    def group(letters: str, length: int) -> str:
        return "".join(generator.choice(list(letters), size=length))

    parts, letters = [], "".join(filter(str.isalpha, CODE))
    for _ in range(int(generator.integers(1, 4))):
        kind = generator.random()
        if kind < 0.6:
            parts.append(str(generator.choice(words)))
        elif kind < 0.75:
            letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            parts.append(
                group(letters, 2)[: int(generator.integers(1, 3))] + group("0123456789", 1) + group(letters, 3)
            )
        else:
            parts.append(group("".join(CODE), int(generator.integers(1, 6))))
    return " ".join(parts)


def drawn(generator: np.random.Generator, hardness: float = 1.0) -> Conditions:
    """Conditions as a model meets them in training.

    Args:
        generator: draws them.
        hardness: 0 for loud, steady, even and well tuned; 1 for all there is, down to the nearly hopeless.
    """
    return Conditions(
        snr=float(generator.uniform(6 - 16 * hardness, 15)),
        words_a_minute=float(generator.uniform(14, 30)),
        jitter=float(generator.uniform(0, 0.05 + 0.2 * hardness)),
        fading=float(generator.choice([0.0, 6.0, 15.0])) * hardness,
        pitch=float(generator.uniform(590 - 90 * hardness, 610 + 90 * hardness)),
    )


def keying(text: str, conditions: Conditions, generator: np.random.Generator) -> BoolArray:
    """When the key is down, `(samples,)`.

    A dash is three dots long, a gap within a character one, between characters three, between words seven.

    Args:
        text: characters of `CODE`, and single spaces between words.
        conditions: speed and hand.
        generator: of the hand.
    """
    dot = 1.2 / conditions.words_a_minute
    lengths: list[tuple[bool, int]] = [(False, 4)]
    for word in text.split(" "):
        for character in word:
            for mark in CODE[character]:
                lengths += [(True, 3 if mark == "-" else 1), (False, 1)]
            lengths[-1] = (False, 3)
        lengths[-1] = (False, 7)
    uneven = (
        np.exp(generator.normal(0, conditions.jitter, len(lengths))) if conditions.jitter else np.ones(len(lengths))
    )
    samples = [round(dot * units * hand * RATE) for (_, units), hand in zip(lengths, uneven, strict=True)]
    return np.repeat([down for down, _ in lengths], samples)


def key(text: str, conditions: Conditions, seed: int) -> FloatArray:
    """A message as it is heard, `(samples,)` at `RATE`, from -1 to 1."""
    generator = np.random.default_rng(seed)
    down = keying(text, conditions, generator)
    length = len(down)
    width = max(1, round(RISE * RATE))
    window = np.hanning(width + 2)[1:-1]
    envelope = np.convolve(down, window / window.sum(), "same")
    seconds = np.arange(length) / RATE
    if conditions.fading:
        speed, phase = generator.uniform(0.1, 0.5), generator.uniform(0, 2 * np.pi)
        depth = 0.5 * (1 + np.sin(2 * np.pi * speed * seconds + phase))
        envelope = envelope * 10 ** (-conditions.fading * depth / 20)
    carrier = np.sin(2 * np.pi * conditions.pitch * seconds + generator.uniform(0, 2 * np.pi))
    power = 0.5 * 10 ** (-conditions.snr / 10) * (RATE / 2) / NOISE_BANDWIDTH
    heard = envelope * carrier + np.sqrt(power) * generator.standard_normal(length, np.float32)
    return np.asarray(0.5 * heard / max(1.0, float(np.abs(heard).max())), np.float32)


def recording(text: str, conditions: Conditions, seed: int) -> Recording:
    """A message as a recording, keyed when it is asked for."""
    even = replace(conditions, jitter=0.0)
    seconds = len(keying(text, even, np.random.default_rng(0))) / RATE
    return Recording(f"morse:{seed}", text, seconds, make=partial(_at_rate, text, conditions, seed))


def _at_rate(text: str, conditions: Conditions, seed: int, rate: int) -> FloatArray:
    return resampled(key(text, conditions, seed), RATE, rate)


def morse(count: int = 8000, seed: int = 1, conditions: Conditions | None = None) -> list[Recording]:
    """Messages to learn from, each with conditions of its own.

    An eighth are single characters under easy conditions, another eighth up to four under harder ones, and whole
    messages are from rather easy to very hard. A network that is given whole messages in noise from the beginning
    answers with blanks for hundreds of steps.

    Args:
        count: how many.
        seed: other messages for another seed.
        conditions: the same for all, which are whole messages then; drawn for each if not given.
    """
    recordings = []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        part = 1.0 if conditions else number / count
        if part < 0.25:
            text = "".join(generator.choice(list(CODE), size=int(generator.integers(2, 5)) if part >= 0.125 else 1))
        else:
            text = message(generator)
        own = conditions or drawn(generator, 0.0 if part < 0.125 else 0.4 if part < 0.25 else generator.uniform(0.2, 1))
        recordings.append(recording(text, own, int(generator.integers(2**31))))
    return recordings
