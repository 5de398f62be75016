"""One HTML file that shows what was measured; it holds all it needs and asks no network for anything."""

from __future__ import annotations

import base64
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.explain.html import embed
from recurra.explain.measurements import Measured
from recurra.explain.pictures import LINE_COLOURS, surprisal_scale
from recurra.explain.units import MARGIN
from recurra.files import write_text_atomic

DATA, SCRIPT, STYLE = "{{data}}", "{{script}}", "{{style}}"
"""Where the template wants the figures, and the script and the style of a view."""


def write_page(path: Path, measured: Measured) -> None:
    """Write the page, all or nothing.

    Raises:
        RecurraError: if it cannot be written.
    """
    template = resources.files("recurra.explain").joinpath("page.html").read_text(encoding="utf-8")
    view = measured.passage.view
    template = template.replace(SCRIPT, view.script() if view else "", 1).replace(
        STYLE, view.style() if view else "", 1
    )
    write_text_atomic(path, template.replace(DATA, embed(page_data(measured)), 1))


def page_data(measured: Measured) -> dict[str, Any]:
    """What the page shows, as JSON values."""
    passage, subject = measured.passage, measured.subjects[0]
    return {
        "name": subject.name,
        "facts": dict(subject.facts),
        "source": passage.source,
        "unit": passage.unit,
        "read": len(passage),
        "labels": list(passage.labels[: measured.shown]),
        "neurons": _neurons(measured),
        "context": _context(measured),
        "surprisal": _surprisal(measured),
        "view": passage.view.page_data(measured) if passage.view else None,
    }


def _neurons(measured: Measured) -> dict[str, Any]:
    recurrent = measured.subjects[0].network.recurrent
    shown = measured.activations[: measured.shown]
    largest = np.maximum(np.abs(measured.activations).max(axis=0), 1e-9)
    bytes_of_units = np.round(127 * shown / largest).astype(np.int8).T
    holds = measured.passage.features
    return {
        "layers": recurrent.num_layers,
        "hidden_size": recurrent.hidden_size,
        "largest": [short(value) for value in largest],
        "activations": base64.b64encode(np.ascontiguousarray(bytes_of_units).tobytes()).decode(),
        "trackers": [
            {
                "feature": tracker.feature,
                "unit": tracker.unit,
                "sign": tracker.sign,
                "auc": short(tracker.auc, 4),
                "chosen_auc": short(tracker.chosen_auc, 4),
                "token_auc": short(tracker.token_auc, 4),
                "discovery": tracker.own >= MARGIN,
                "given_auc": None if tracker.given_auc is None else short(tracker.given_auc, 4),
                "holds": "".join("01"[int(held)] for held in holds[tracker.feature][: measured.shown]),
            }
            for tracker in measured.findings.trackers
        ],
        "rare": list(measured.findings.rare),
    }


def _context(measured: Measured) -> list[dict[str, Any]]:
    return [
        {
            "name": subject.label,
            "colour": LINE_COLOURS[number % len(LINE_COLOURS)],
            "gradient": shorts(gradient.relative[1:]),
            "steps": gradient.steps,
            "lengths": list(context.lengths),
            "losses": shorts(context.mean, 5),
            "targets": len(context.losses),
            "effective": context.effective,
        }
        for number, (subject, gradient, context) in enumerate(
            zip(measured.subjects, measured.gradients, measured.contexts, strict=True)
        )
    ]


def _surprisal(measured: Measured) -> dict[str, Any]:
    surprisal = measured.surprisal
    return {
        "mean": short(surprisal.bits.mean()),
        "scale": surprisal_scale(surprisal.bits),
        "bits": shorts(surprisal.bits),
        "silent_bits": None if surprisal.silent_bits is None else shorts(surprisal.silent_bits),
        "entropy": shorts(surprisal.entropy),
        "alternatives": surprisal.alternatives.tolist(),
        "probabilities": [shorts(row) for row in surprisal.probabilities],
        "names": {int(token): measured.passage.name(int(token)) for token in np.unique(surprisal.alternatives)},
    }


def shorts(values: NDArray[np.floating], digits: int = 3) -> list[float | None]:
    """Each as by `short`."""
    return [short(value, digits) for value in values]


def short(value: float, digits: int = 3) -> float | None:
    """So many significant digits; None, JSON's null, for what is not finite."""
    return float(f"{float(value):.{digits}g}") if math.isfinite(value) else None
