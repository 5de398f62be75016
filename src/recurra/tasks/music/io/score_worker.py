"""A process that reads scores for another: `python -m recurra.tasks.music.io.score_worker`.

Each line of standard input is a JSON list: a score, where to write what it is read as, and how to read it. For each
there is a line on standard output, a JSON list of one string: why it cannot be read, or nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from recurra.errors import RecurraError
from recurra.tasks.music.io.score_cache import store
from recurra.tasks.music.io.scores import read_score


def main() -> None:
    """Answer until there are no more lines."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks, who then ends this one
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever else is printed is no answer
    for line in sys.stdin:
        path, out, expand, charset = json.loads(line)
        reason = ""
        try:
            store(Path(out), read_score(Path(path), expand, charset))
        except RecurraError as error:
            reason = str(error)
        print(json.dumps([reason]), file=answers, flush=True)


if __name__ == "__main__":
    main()
