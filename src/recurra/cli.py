"""The command line: `recurra TASK VERB ...`. Nothing heavy is imported before a command is known."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App

from recurra import __version__
from recurra.errors import Interrupted, RecurraError, explain_os_error
from recurra.tasks import TASKS

VERBS = {
    "text": {
        "train": "Train a model on text files, folders of them, or sample:pydocs.",
        "write": "Write text, shown as it is made.",
        "evaluate": "Measure how well a model predicts a text.",
        "explain": "Show what a model sees: its neurons, its effective context, its surprisal.",
        "agreement": "Measure number agreement: how often the right verb form is the more probable.",
    },
    "music": {
        "train": "Train a model on music files, folders of them, or sample:chorales.",
        "compose": "Compose a piece: sound, MIDI, score, piano roll.",
        "evaluate": "Measure how well a model predicts pieces.",
        "explain": "Show what a model hears: its neurons, its effective context, its surprisal.",
        "compare": "Compare pieces with what a model was trained on, and tell what is copied.",
    },
    "translation": {
        "train": "Train a model on a table of sentence pairs, two parallel files, or sample:dates.",
        "translate": "Translate a sentence, a file, or lines as they come.",
        "evaluate": "Measure translations: BLEU, chrF, exact match, by length too.",
        "explain": "Show how a sentence is translated: its attention map, its beam tree, its runners-up.",
    },
}
"""The verbs of every task, in the order they are needed."""

NO_MEMORY = "the memory is used up; a smaller --hidden-size, --batch-size or --vocabulary-size helps"


def make_app() -> App:
    """The whole tree of commands, each imported only when called."""
    app = App(
        name="recurra",
        help="Train recurrent sequence models on your own data, use them, and see why they say what they say.",
        version=__version__,
        help_format="plaintext",
        exit_on_error=False,
        print_error=False,
    )
    for task, verbs in VERBS.items():
        task_app = App(name=task, help=TASKS[task])
        for verb, summary in verbs.items():
            task_app.command(f"recurra.tasks.{task}.commands:{verb}", name=verb, help=summary)
        app.command(task_app)
    app.command("recurra.tasks.general:info", name="info", help="Say what a model folder holds.")
    app.command("recurra.tasks.general:demo", name="demo", help="Train on a sample and show what comes out.")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 input or machine at fault, 2 usage, 130 interrupted."""
    from cyclopts import CycloptsError

    from recurra.progress import note

    _accept_any_text()
    try:
        make_app()(sys.argv[1:] if arguments is None else list(arguments), result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(str(error), 2)
    except Interrupted as error:
        note(str(error))
        return error.status
    except RecurraError as error:
        return _fail(str(error), error.status)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:  # whoever read our output has had enough; nothing is wrong
        _discard_output()
    except OSError as error:
        _discard_output()
        return _fail(str(explain_os_error(error, "reading or writing", error.filename or "the output")), 1)
    except MemoryError:
        return _fail(NO_MEMORY, 1)
    except RuntimeError as error:  # what PyTorch raises instead, on a processor and on a GPU
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            return _fail(NO_MEMORY, 1)
        raise
    return 0


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(message.splitlines())}", file=sys.stderr)
    return status


def _accept_any_text() -> None:
    """Show as `?` what the terminal's encoding has no place for, such as bytes in a prompt that are no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if isinstance(sys.stderr, io.TextIOWrapper):  # Python's own choice, kept when somebody has put another in its place
        sys.stderr.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Forget what could not be written: Python would try, and complain, once more when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
