"""Text that is on the machine already, so that every task runs with no download: `sample:NAME`."""

from __future__ import annotations


def pydocs() -> str:
    """Python's own reference text: the help topics of the running interpreter, about 700 kB of English."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))
