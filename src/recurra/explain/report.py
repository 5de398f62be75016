"""What `explain` makes: one self-contained page about a model, and pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.explain import pictures
from recurra.explain.lettering import not_drawn
from recurra.explain.measurements import Measured, measure
from recurra.explain.page import write_page
from recurra.explain.passage import Drawing, Passage, Subject
from recurra.files import require_writable_parent
from recurra.progress import note


@dataclass(frozen=True)
class Explained:
    """What was measured, and where it was written.

    Attributes:
        measured: the figures.
        files: the page, then the pictures.
    """

    measured: Measured
    files: tuple[Path, ...]


def explain(subjects: Sequence[Subject], passage: Passage, out: Path) -> Explained:
    """Explain a model by what it does on a passage.

    Args:
        subjects: the model to explain, then any to compare its effective context with; all read the same tokens.
        passage: what to read; beyond `measured.searched_length` it is not.
        out: the page to write, say `page.html`; `page-neurons.png`, `page-context.png` and `page-surprisal.png` are
            written beside it.

    Raises:
        RecurraError: if the passage is too short, or writing fails.
    """
    require_writable_parent(out)
    if passage.view is None and (missing := not_drawn(passage.labels)):
        listed = " ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        note(
            f"no installed font has {listed}: left out of the pictures; the page shows them, if the browser has a font"
        )
    measured = measure(subjects, passage)
    neurons, context, surprisal = (
        out.with_name(f"{out.stem}-{name}.png") for name in ("neurons", "context", "surprisal")
    )
    write_page(out, measured)
    drawing: Drawing = measured.passage.view or pictures
    drawing.draw_units(measured.passage, measured.activations, measured.findings.discoveries, neurons)
    labels = [subject.label for subject in measured.subjects]
    pictures.draw_context(labels, measured.gradients, measured.contexts, passage.unit, context)
    drawing.draw_surprisal(measured.passage, measured.surprisal.bits, surprisal)
    return Explained(measured, (out, neurons, context, surprisal))
