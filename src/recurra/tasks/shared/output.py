"""How commands print: results to standard output, one JSON object if asked for."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.explain.report import Explained


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object, with null for what JSON has no number for."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()}
    print(json.dumps(clean, ensure_ascii=False))


def print_table(value: Mapping[str, Any]) -> None:
    """A name and a value a line."""
    width = max((len(name) for name in value), default=0)
    for name, item in value.items():
        print(f"{name:<{width}}  {_shown(item)}")


def _shown(item: object) -> str:
    """A value as people read it: five significant digits, thousands apart, 1e-05 for what is very small."""
    if isinstance(item, float):
        return f"{item:,.0f}" if 1e4 <= abs(item) < 1e15 else f"{item:,.5g}"
    return f"{item:,}" if type(item) is int else str(item)


def readable_size(size: int) -> str:
    """A number of bytes as people read it: 812 bytes, 12.3 kB, 4.56 MB, 1,230 MB."""
    if size < 1000:
        return f"{size} bytes"
    value, unit = (size / 1e3, "kB") if size < 1e6 else (size / 1e6, "MB")
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def print_explained(explained: Explained, json: bool) -> None:
    """What was found in a model, and the files that show it."""
    measured = explained.measured
    contexts = {
        subject.name: context.effective for subject, context in zip(measured.subjects, measured.contexts, strict=True)
    }
    findings = measured.findings
    units = [
        {"feature": t.feature, "unit": t.unit, "auc": round(t.auc, 4), "discovery": t in findings.discoveries}
        for t in findings.trackers
    ]
    files = [str(file) for file in explained.files]
    if json:
        print_json({"path": files[0], "files": files, "effective_context": contexts, "units": units})
        return
    for tracker in findings.discoveries:
        print(f"{tracker.feature:<24} unit {tracker.unit:>5}   AUC {tracker.auc:.3f}")
    plain = [tracker.feature for tracker in findings.trackers if tracker not in findings.discoveries]
    if plain:
        print(f"no unit knows more than the {measured.passage.unit} alone tells: {', '.join(plain)}")
    for name, length in contexts.items():
        print(f"{name} makes use of about {length} {measured.passage.unit}s of context")
    print("\n".join(files))


def stream(text: str) -> None:
    """Text at once, without waiting for a line end."""
    sys.stdout.write(text)
    sys.stdout.flush()
