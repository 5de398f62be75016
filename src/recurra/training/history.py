"""What happened in a training run: a table, a file of JSON lines and a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from recurra.errors import RecurraError, os_errors
from recurra.files import write_atomic, write_text_atomic

HISTORY, PICTURE = "metrics.jsonl", "loss.png"


@dataclass(frozen=True)
class Measurement:
    """A point of a run.

    Attributes:
        step: optimiser steps done.
        seconds: time spent, interruptions left out.
        tokens: tokens trained on.
        loss: mean training loss since the point before, nats.
        validation_loss: loss on the validation part, nats; None where it was not evaluated.
        learning_rate: of the last step.
    """

    step: int
    seconds: float
    tokens: int
    loss: float
    validation_loss: float | None
    learning_rate: float


def write_history(history: Sequence[Measurement], path: Path) -> None:
    """Write one JSON object a line."""
    write_text_atomic(path, "".join(json.dumps(asdict(row)) + "\n" for row in history))


def read_history(path: Path) -> tuple[Measurement, ...]:
    """The rows of a file that `write_history` wrote; none if there is no such file.

    Raises:
        RecurraError: if it is damaged.
    """
    if not path.exists():
        return ()
    try:
        with os_errors("reading", path):
            return tuple(Measurement(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
    except (ValueError, TypeError) as error:
        raise RecurraError(f"{path} is damaged ({error}); delete it, or copy the model again") from error


def plot_history(history: Sequence[Measurement], path: Path, unit: str = "nats a token") -> None:
    """Draw training and validation loss over time, and say where the best validation figure is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([row.seconds / 60 for row in history], [row.loss for row in history], color="#9aa5b1", label="training")
    evaluations = [
        (row.seconds / 60, row.validation_loss, row.step) for row in history if row.validation_loss is not None
    ]
    axes.plot(
        [point[0] for point in evaluations],
        [point[1] for point in evaluations],
        ".-",
        color="#c8553d",
        label="validation",
    )
    if evaluations:
        minute, best, step = min(evaluations, key=lambda point: point[1])
        axes.plot([minute], [best], "o", color="#c8553d")
        axes.annotate(
            f"{best:.3f}\nstep {step:,}", (minute, best), xytext=(-6, 16), textcoords="offset points", ha="right"
        )
    values = [value for row in history for value in (row.loss, row.validation_loss or row.loss) if math.isfinite(value)]
    low, high = min(values, default=0.0), sorted(values)[int(0.97 * (len(values) - 1))] if values else 1.0
    axes.set_ylim(low - 0.12 * (high - low + 1e-3), high + 0.05 * (high - low + 1e-3))
    axes.set_xlim(left=0)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(f"loss, {unit}")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120, format="png"))
