"""Trained models behind HTTP: what asks, limits, streams and refuses; no task is known here."""

from __future__ import annotations

from importlib.util import find_spec

from recurra.errors import RecurraError

PACKAGES = ("starlette", "uvicorn")


def require_installed() -> None:
    """Refuse in one sentence to go on without the packages that serve.

    Raises:
        RecurraError: if one is not installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise RecurraError(f"serving needs {' and '.join(missing)}; install recurra[serve]")
