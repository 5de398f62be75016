"""How fast the translation task trains and translates against a plain `nn.LSTMCell` loop with the same weights.

Times are `time.process_time` on one thread, so that other work on the machine changes them little; everything compared
takes turns: batch by batch in training, every TURN sentences in translating. What is compared is also shown to be the
same: the losses of training, and the translations found.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import table
from torch import Tensor, nn
from translation_plain import Better, Plain, Rules, naive_search

from recurra.data.buckets import Buckets, pad
from recurra.decoding.beam_search import BeamSearch
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.tasks import translation
from recurra.tasks.translation.config import resolve
from recurra.tasks.translation.data import read_data
from recurra.training.seq2seq import TeacherForced

SAME = 1e-4
"""Losses, nats a token, that differ by less are of the same model."""

BATCHES = 20
"""Measured in each round."""

TURN = 20
"""Sentences that one way translates before the next way does; all there are, where they are batched."""


class PlainObjective(TeacherForced):
    """The same loss by `F.cross_entropy`, as the peer would have it."""

    def loss(
        self, model: nn.Module, step: int, state: State | None, noise: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        pairs = self.buckets.batch(step)
        sources, targets = (pad([side[number] for number in pairs]) for side in self.train)
        right, there = torch.from_numpy(targets.tokens), torch.from_numpy(targets.mask)
        before = F.pad(right[:, :-1], (1, 0), value=self.start)
        mask = torch.from_numpy(sources.mask)
        logits = model(torch.from_numpy(sources.tokens), mask, before, there, self.dropout_of(noise, step, len(pairs)))
        loss = F.cross_entropy(logits, right[there], reduction="sum", label_smoothing=self.label_smoothing)
        return loss, int(there.sum()), None


class Learner:
    """One training step after another, as the trainer takes them.

    Args:
        model: the network.
        objective: with the batches.
        config: resolved.
    """

    def __init__(self, model: nn.Module, objective: TeacherForced, config: translation.Config) -> None:
        self.model, self.objective, self.config = model, objective, config
        self.optimizer = torch.optim.AdamW(
            model.parameters(), config.learning_rate, (0.9, 0.99), weight_decay=config.weight_decay, fused=True
        )

    def step(self, number: int) -> tuple[float, int]:
        """Learn from one batch; its loss, nats a token, and its tokens."""
        rows = slice(0, self.objective.batch_size)
        noise = DropoutGenerator.of_step(self.config.seed, number, rows, self.objective.batch_size)
        loss, count, _ = self.objective.loss(self.model, number, None, noise, torch.device("cpu"))
        (loss / count).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach()) / count, count


def learners(train: Sequence[Path], validation: Sequence[Path]) -> dict[str, Learner]:
    """Recurra's network and its two plain twins, with the same weights and batches."""
    config = translation.Config(num_layers=1, cell="lstm", attention="additive")
    read = read_data(train, validation, config)
    config = resolve(read.config, read.train)
    buckets = Buckets(read.train.lengths(), config.batch_size, config.seed)
    start = read.vocabularies.target.start
    about = (read.train, read.validation, start, buckets, config.label_smoothing, 0.0)
    ours, plain = TeacherForced(*about), PlainObjective(*about)
    torch.manual_seed(config.seed)
    network = translation.Model.build(config, read.vocabularies)
    return {
        "plain": Learner(Plain(network), plain, config),
        "better": Learner(Better(network), plain, config),
        "Recurra": Learner(network, ours, config),
    }


def training(train: Sequence[Path], validation: Sequence[Path], rounds: int) -> None:
    """Target tokens a second in training, and that all three learn the same."""
    threads = torch.get_num_threads()
    clock = time.process_time if threads == 1 else time.perf_counter
    who = learners(train, validation)
    apart = 0.0
    rates: dict[str, list[float]] = {name: [] for name in who}
    for turn in range(rounds + 1):  # the first warms up
        seconds = dict.fromkeys(who, 0.0)
        tokens = 0
        for number in range(turn * BATCHES, (turn + 1) * BATCHES):
            losses = {}
            for name, learner in who.items():
                started = clock()
                losses[name], count = learner.step(number)
                seconds[name] += clock() - started
            tokens += count
            apart = max(apart, max(losses.values()) - min(losses.values()))
            if number == 0 and apart > SAME:
                raise AssertionError(f"these are not the same model: {losses}")
        for name in who:
            rates[name].append(tokens / seconds[name])
    measured = {name: some[1:] for name, some in rates.items()}
    titles = {
        "plain": "nn.LSTMCell loop, everything in the loop",
        "better": "the same, embedding and keys before the loop, readout and output layer after it",
        "Recurra": "Recurra",
    }
    rows = []
    for name, some in measured.items():
        rows.append([titles[name], f"{statistics.median(some):,.0f}", _to_plain(some, measured["plain"])])
    config, steps = who["Recurra"].config, (rounds + 1) * BATCHES
    title = (
        f"Training, {config.hidden_size} units, {config.batch_size:,} tokens a batch, {threads} thread(s): median of "
        f"{rounds} rounds of {BATCHES} batches; losses of {steps} steps at most {apart:.0e} nats apart"
    )
    table(title, ["", "target tokens a second", "to the plain loop"], rows)


Ways = dict[str, Callable[[Sequence[str]], list[tuple[int, ...]]]]
"""What finds outputs of sentences, by name."""

TITLES = {
    "batched": "Recurra, batched, all {:,}",
    "plain": "plain loop, one hypothesis after the other, {} of them",
    "together": "plain loop, the beam as one batch, {} of them",
    "alone": "Recurra, one sentence at a time, {} of them",
}


def decoding(model: translation.Model, sources: Sequence[str], count: int) -> None:
    """Sentences a second, greedy and beam 5, batched and one at a time, against the plain loop; on one thread."""
    some = [sources[place] for place in np.linspace(0, len(sources) - 1, count).astype(int)]
    turns = [some[begin : begin + TURN] for begin in range(0, count, TURN)]
    rows = []
    for beam_size in (1, 5):
        ways = _ways(model, BeamSearch(beam_size=beam_size))
        expected = dict(zip(sources, ways["batched"](sources), strict=True))
        rates: dict[str, list[float]] = {name: [] for name in ways}
        same: dict[str, list[bool]] = {name: [] for name in ways}
        for turn in turns:  # not by single sentences: each way would find the other's weights cached
            for name, translate in ways.items():
                asked = sources if name == "batched" else turn
                started = time.process_time()
                made = translate(asked)
                rates[name].append(len(asked) / (time.process_time() - started))
                same[name] += [expected[source] == found for source, found in zip(asked, made, strict=True)]
        search = "greedy" if beam_size == 1 else f"beam {beam_size}"
        for name, title in TITLES.items():
            rate, share = f"{statistics.median(rates[name]):,.1f}", f"{100 * statistics.mean(same[name]):.1f} %"
            titled = title.format(len(sources) if name == "batched" else count)
            rows.append([search, titled, rate, _to_plain(rates[name], rates["plain"]), share])
    title = (
        f"Translating test_2016_flickr with {model.name} ({model.record['nats']:.2f} nats a token), one thread: "
        f"median of {len(turns)} turns"
    )
    table(title, ["", "", "sentences a second", "to the plain loop", "same outputs as batched"], rows)
    times = []
    for source in some:
        started = time.process_time()
        model.hypotheses([source], BeamSearch(beam_size=5))
        times.append(time.process_time() - started)
    p50, p95 = 1000 * np.quantile(times, [0.5, 0.95])
    table("One sentence at beam 5, milliseconds", ["p50", "p95"], [[f"{p50:.1f}", f"{p95:.1f}"]])


def _ways(model: translation.Model, options: BeamSearch) -> Ways:
    plain, target = Plain(model.network), model.vocabularies.target

    def batched(sentences: Sequence[str]) -> list[tuple[int, ...]]:
        return [best[0].tokens for best in model.hypotheses(sentences, options)]

    def alone(sentences: Sequence[str]) -> list[tuple[int, ...]]:
        return [found for sentence in sentences for found in batched([sentence])]

    def naive(sentences: Sequence[str], together: bool) -> list[tuple[int, ...]]:
        found = []
        for sentence in sentences:
            source = torch.from_numpy(model.vocabularies.source.encode(sentence).astype(np.int64))
            rules = Rules(target.start, target.end, target.unwritable, model.limit(len(source)))
            found.append(naive_search(plain, source, options.beam_size, rules, together))
        return found

    one, other = partial(naive, together=False), partial(naive, together=True)
    return {"batched": batched, "plain": one, "together": other, "alone": alone}


def _to_plain(rates: Sequence[float], plain: Sequence[float]) -> str:
    """How many times as fast, turn by turn: the median, and from the least to the most."""
    ratios = [mine / other for mine, other in zip(rates, plain, strict=True)]
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
