"""Training of speech models: which recordings come when, and how they are changed so that none comes twice the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import FloatArray, IntArray
from recurra.config import required
from recurra.data.buckets import Buckets
from recurra.data.tokenizer import Tokens
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.speech.audio import resampled
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.data import Part, frames_in, lengths_of, log_mel, steps_in, steps_needed, steps_of
from recurra.tasks.speech.features import Normalization, normalized, stacked
from recurra.tasks.speech.networks import Heard, heard, loss_of
from recurra.tasks.speech.symbols import BLANK, Symbols

QUIETEST_NOISE = 100.0
"""Decibels below a recording at which no noise is added."""

SHORTEST = (1 / 8, 1 / 4)
"""A run begins with this share of the recordings, the shortest, then with more (Platanios et al. 2019)."""

KEPT_BYTES = 2**29
"""The frames of so many bytes are kept in memory, at most."""

SCORED_SECONDS = 200.0
"""Seconds of sound that are scored side by side."""


def played(samples: FloatArray, config: Config, generator: np.random.Generator) -> FloatArray:
    """A recording played at another speed, louder or softer, and with noise; all within what the options say."""
    if config.speed:
        faster = float(np.exp(generator.uniform(-1, 1) * np.log1p(config.speed)))
        samples = resampled(samples, config.features.rate, round(config.features.rate / faster))
    most = required(config.gain_db, "gain_db")
    gain = 10 ** (generator.uniform(-most, most) / 20)
    loudest = required(config.noise_db, "noise_db")
    if loudest < QUIETEST_NOISE:
        below = generator.uniform(loudest, QUIETEST_NOISE)
        loudness = float(np.sqrt(np.mean(np.square(samples)))) * 10 ** (-below / 20)
        samples = samples + generator.normal(0, 1, len(samples)).astype(np.float32) * np.float32(loudness)
    return np.asarray(samples * np.float32(gain), np.float32)


def masked(frames: FloatArray, config: Config, generator: np.random.Generator) -> FloatArray:
    """Frames `(F, M)` with two runs of bands and two stretches of time at zero, which is their mean.

    SpecAugment (Park et al. 2019, arXiv 1904.08779) without its warping; a stretch is at most a fifth of all frames.
    """
    frames = frames.copy()
    longest = min(round(required(config.mask_ms, "mask_ms") / config.step_ms), len(frames) // 5)
    widest = min(required(config.mask_bands, "mask_bands"), frames.shape[1] // 3)
    for axis, most in ((1, widest), (0, longest)):
        for _ in range(2):
            width = int(generator.integers(0, most + 1))
            begin = int(generator.integers(0, frames.shape[axis] - width + 1))
            frames[(slice(None),) * axis + (slice(begin, begin + width),)] = 0
    return frames


def moved(frames: FloatArray, config: Config, generator: np.random.Generator) -> FloatArray:
    """Frames `(F, M)` spread or pressed in time, and moved by some bands; the band at the edge fills what is left.

    Frames come twice or are left out. A mean of two neighbours would be smoother than any frame of a noisy recording.
    """
    most = required(config.shift_bands, "shift_bands")
    longer = float(np.exp(generator.uniform(-1, 1) * np.log1p(required(config.stretch, "stretch"))))
    at = np.linspace(0, len(frames) - 1, round(len(frames) * longer))
    frames = frames[np.rint(at).astype(np.int64)]
    bands = np.arange(frames.shape[1]) + (int(generator.integers(-most, most + 1)) if most else 0)
    return frames[:, bands.clip(0, frames.shape[1] - 1)]


@dataclass(frozen=True)
class Transcribing:
    """The trainer's objective for speech.

    Attributes:
        config: resolved.
        train: to learn from.
        validation: scored while training.
        normalization: of the features.
        buckets: which recordings come when.
    """

    config: Config
    train: Part
    validation: Part
    normalization: Normalization
    buckets: Buckets

    @property
    def batch_size(self) -> int:
        """Steps of a whole batch."""
        return self.buckets.size

    @property
    def _attends(self) -> bool:
        return self.config.network == "attention"

    @cached_property
    def _stages(self) -> list[tuple[int, IntArray, int]]:
        """What a run begins with: the steps of each stage, its recordings, and how many of them are in a batch."""
        lengths = self.buckets.lengths[:, 0]
        order = np.argsort(lengths, kind="stable")
        stages = []
        for share in SHORTEST:
            chosen = order[: math.ceil(share * len(order))]
            rows = max(1, self.buckets.size // max(1, int(lengths[chosen[-1]])))
            stages.append((round(required(self.config.curriculum, "curriculum") * len(order) / rows), chosen, rows))
        return stages

    def _batch(self, step: int) -> IntArray:
        """The recordings of a step's batch.

        Those of the first stages are of any lengths: where all are of the same length the network learns which symbols
        are that long instead of how they sound.
        """
        for steps, chosen, rows in self._stages:
            if step < steps:
                return np.random.default_rng([self.config.seed, step]).choice(chosen, rows)
            step -= steps
        return self.buckets.batch(step)

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed -log p of the batch's transcripts; see `trainer.Objective`."""
        batch = self._batch(step)
        generator = generator.shared(len(batch))
        batch = batch[generator.rows]
        random = np.random.default_rng([self.config.seed, step, generator.rows.start])
        recordings = [self._augmented(int(number), random) for number in batch]
        symbols = [self.train.symbols[int(number)] for number in batch]
        loss = _loss(model, heard(recordings), symbols, device, generator, self._attends)
        return loss, sum(map(len, symbols)), None

    def _augmented(self, number: int, random: np.random.Generator) -> FloatArray:
        """The steps of a recording as they are in this batch; as they are without the changes, if too few are left."""
        frames = self._known.get(number)
        if frames is None:
            samples = self.train.sounds[number]
            other = played(samples, self.config, random)
            if steps_in(frames_in(len(other), self.config), self.config) < steps_needed(self.train.symbols[number]):
                other = samples
            frames = normalized(log_mel(other, self.config), self.config.features, self.normalization)
            if self._keeps:
                self._known[number] = frames
        other = moved(frames, self.config, random)
        if steps_in(len(other), self.config) < steps_needed(self.train.symbols[number]):
            other = frames
        return stacked(masked(other, self.config, random), self.config.features.stack)

    @cached_property
    def _known(self) -> dict[int, FloatArray]:
        """The frames of recordings that are always played the same."""
        return {}

    @cached_property
    def _keeps(self) -> bool:
        """Whether frames are kept: if they are always the same, and there is room for all."""
        changed = (
            self.config.speed or self.config.gain_db or required(self.config.noise_db, "noise_db") < QUIETEST_NOISE
        )
        return not changed and 4 * self.config.features.mel_bands * int(self.train.frames.sum()) <= KEPT_BYTES

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats a symbol on the validation recordings."""
        total = 0.0
        with torch.inference_mode():
            for batch, symbols in self._scored:
                total += float(_loss(model, batch, symbols, device, None, self._attends))
        return total / sum(map(len, self.validation.symbols))

    @cached_property
    def _scored(self) -> list[tuple[Heard, list[Tokens]]]:
        """The validation recordings in batches, with their symbols."""
        batches = []
        for numbers in batches_of(self.validation, self.config):
            steps = [steps_of(self.validation.sounds[number], self.config, self.normalization) for number in numbers]
            batches.append((heard(steps), [self.validation.symbols[number] for number in numbers]))
        return batches


def batches_of(part: Part, config: Config) -> list[list[int]]:
    """Recordings of similar lengths together, some minutes at a time."""
    batches: list[list[int]] = [[]]
    for number in np.argsort(part.frames, kind="stable").tolist():
        seconds = part.frames[number] * config.features.step_ms / 1000
        if batches[-1] and (len(batches[-1]) + 1) * seconds > SCORED_SECONDS:
            batches.append([])
        batches[-1].append(number)
    return batches


def guessing(part: Part, symbols: Symbols, config: Config) -> float:
    """Nats a symbol of a network that holds all symbols for equally likely at each step."""
    if config.network == "attention":  # which has to say where a transcript ends, too
        count = sum(map(len, part.symbols))
        return math.log(symbols.size) * (count + len(part)) / count
    total = 0.0
    for steps, numbers in zip(lengths_of(part, config)[:, 0].tolist(), part.symbols, strict=True):
        even = torch.full((steps, 1, symbols.size), -math.log(symbols.size))
        target = torch.from_numpy(numbers.astype(np.int64))
        loss = F.ctc_loss(even, target[None], torch.tensor([steps]), torch.tensor([len(numbers)]), BLANK, "sum")
        total += float(loss)
    return total / sum(map(len, part.symbols))


def _loss(
    model: nn.Module,
    batch: Heard,
    symbols: list[Tokens],
    device: torch.device,
    generator: DropoutGenerator | None,
    attends: bool,
) -> Tensor:
    """Of a network, or of what several processes wrap it in: nothing but calling it may be asked of that."""
    batch = batch.to(device)
    loss: Tensor = model(batch, symbols, generator) if attends else loss_of(model(batch, generator), batch, symbols)
    return loss
