"""Training on tinyshakespeare: Recurra's defaults against a plain `nn.LSTM` loop, same data, same run.

The peer is the loop a person would write: one layer of 256 units, batch 32, 64 steps, carried state, AdamW at 4e-3
with cosine decay to the budget. Both run on one thread, so that wall time is core time; core-seconds are
`time.process_time` of everything between the first step and the last, evaluations included for Recurra, left out for
the peer. The figure is the whole validation part read in one piece.
"""

from __future__ import annotations

import math
import shutil
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import OUT, machine, table, tinyshakespeare
from torch import nn

from recurra import text
from recurra.data.tokenizer import Characters

BUDGETS = (4, 12, 60)
ANCHORS = {12: "1.886 (nanoGPT's CPU preset takes 112 core-seconds for it)", 60: "1.687 (a plain LSTM trial)"}


class Plain(nn.Module):
    """Embedding, `nn.LSTM`, output layer, as PyTorch initialises them."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 256)
        self.lstm = nn.LSTM(256, 256, batch_first=True)
        self.output = nn.Linear(256, vocabulary)

    def forward(self, tokens: torch.Tensor, state: tuple[torch.Tensor, ...] | None) -> tuple[torch.Tensor, ...]:
        outputs, state = self.lstm(self.embedding(tokens), state)
        return self.output(outputs), state


def plain(budget: float) -> tuple[float, float]:
    """Validation nats and core-seconds of the peer."""
    train_file, validation_file = tinyshakespeare()
    tokenizer = Characters.build([train_file.read_text()], 1000, 1)
    train = torch.from_numpy(tokenizer.encode(train_file.read_text()).astype(np.int64))
    validation = torch.from_numpy(tokenizer.encode(validation_file.read_text()).astype(np.int64))[None]
    torch.manual_seed(1)
    model = Plain(tokenizer.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    length = (len(train) - 1) // 32
    inputs, targets = train[: 32 * length].view(32, length), train[1 : 32 * length + 1].view(32, length)
    started, place, state = time.process_time(), 0, None
    while (spent := time.process_time() - started) < budget:
        optimizer.param_groups[0]["lr"] = 4e-3 * 0.5 * (1 + math.cos(math.pi * spent / budget))
        if place + 64 > length:
            place, state = 0, None
        logits, state = model(inputs[:, place : place + 64], state)
        state = tuple(part.detach() for part in state)
        loss = F.cross_entropy(logits.flatten(0, 1), targets[:, place : place + 64].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        place += 64
    total, state = 0.0, None
    with torch.no_grad():
        for begin in range(0, validation.shape[1] - 1, 512):
            here = validation[:, begin : begin + 513]
            logits, state = model(here[:, :-1], state)
            total += float(F.cross_entropy(logits[0], here[0, 1:], reduction="sum"))
    return total / (validation.shape[1] - 1), spent


def ours(minutes: float, preset: str | None = None, dynamic: bool = False) -> dict[str, float]:
    """Validation figures of Recurra's defaults, and what they cost."""
    train_file, validation_file = tinyshakespeare()
    folder = OUT / f"shakespeare-{preset or 'auto'}-{minutes:g}"
    shutil.rmtree(folder, ignore_errors=True)
    config = text.Config(minutes=minutes, preset=preset, min_count=1)
    model = text.train(train_file, folder, config, validation=validation_file, overwrite=True)
    figures = {"nats": model.record["nats"], "core_seconds": model.record["core_seconds"]}
    if dynamic:
        figures["dynamic"] = model.evaluate(validation_file, dynamic=True)["nats"]
    return figures


def main() -> None:
    """Measure and print the tables; `large` as an argument adds the half hour of `--preset large`."""
    print(machine())
    if "large" in sys.argv:
        figures = ours(30, "large", dynamic=True)
        rows = [
            ["validation, nats", "1.4697 (nanoGPT 10.8 M, A100)", "1.43", f"{figures['nats']:.4f}"],
            ["with dynamic evaluation", "", "1.38", f"{figures['dynamic']:.4f}"],
            ["core-seconds", "", "", f"{figures['core_seconds']:,.0f}"],
        ]
        table("tinyshakespeare, --preset large --minutes 30", ["", "anchor", "target", "Recurra"], rows)
        return
    figures = ours(5)
    rows = [[f"{figures['nats']:.4f}", f"{figures['core_seconds']:.0f}"]]
    table("tinyshakespeare, the defaults with --minutes 5", ["validation, nats", "core-seconds"], rows)
    torch.set_num_threads(1)
    rows = []
    for budget in BUDGETS:
        peer_nats, peer_cost = plain(budget)
        figures = ours(budget / 60)
        cost = f"{figures['core_seconds']:.1f}"
        rows.append(
            [
                str(budget),
                ANCHORS.get(budget, ""),
                f"{peer_nats:.3f} ({peer_cost:.1f})",
                f"{figures['nats']:.3f} ({cost})",
            ]
        )
    head = ["core-seconds given", "anchor", "plain nn.LSTM loop, nats (spent)", "Recurra, nats (spent)"]
    table("tinyshakespeare, validation part, one thread", head, rows)


if __name__ == "__main__":
    main()
