"""The command line: `recurra TASK VERB ...`. Nothing heavy is imported before a command is known."""

from __future__ import annotations

import difflib
import io
import keyword
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App, UnknownOptionError, UnusedCliTokensError

from recurra import __version__
from recurra.errors import Interrupted, RecurraError, as_typed, explain_os_error, pytorch_needed
from recurra.tasks import TASKS

GENERAL = {
    "info": "Say what a model folder holds.",
    "pack": "Write a model as one zip, without its checkpoint.",
    "unpack": "Make a model folder of a packed model.",
    "export": "Write a model for other programs: ONNX, one HTML file, a zip.",
    "push": "Put a model on the Hugging Face hub.",
    "pull": "Get a model from the Hugging Face hub.",
    "serve": "Serve models to browsers and programs: a page, and an API.",
    "demo": "Train on a sample and show what comes out.",
}
"""What belongs to no task."""

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
    for name, task in TASKS.items():
        task_app = App(name=name, help=task.summary)
        for verb, summary in task.verbs.items():
            task_app.command(f"recurra.tasks.{name}.commands:{function_of(verb)}", name=verb, help=summary)
        app.command(task_app)
    for name, summary in GENERAL.items():
        app.command(f"recurra.tasks.shared.general:{name}", name=name, help=summary)
    return app


def function_of(verb: str) -> str:
    """The function that is called for a verb: odd_one_out for odd-one-out, import_ for import, a word of Python's."""
    name = verb.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 input or machine at fault, 2 usage, 130 interrupted."""
    from cyclopts import CycloptsError

    from recurra.progress import command_line, note

    _accept_any_text()
    command_line.set(True)
    try:
        with pytorch_needed("this command"):
            make_app()(sys.argv[1:] if arguments is None else list(arguments), result_action="return_value")
        sys.stdout.flush()
    except UnknownOptionError as error:
        return _fail(_unknown_option(error), 2)
    except UnusedCliTokensError as error:
        first = (error.unused_tokens or [""])[0]
        return _fail(f"unexpected argument {first!r}; put a value that has spaces in quotes", 2)
    except CycloptsError as error:
        return _fail(str(error), 2)
    except Interrupted as error:
        note(as_typed(str(error)))
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


def _unknown_option(error: UnknownOptionError) -> str:
    """What option was probably meant: one that begins like it, before one that is spelled like it."""
    token = error.token
    typed = "" if token is None else str(token.keyword or token.value).partition("=")[0]
    if not re.fullmatch("--?[a-zA-Z][a-zA-Z0-9-]*", typed):
        return f"{typed!r} begins with a dash like an option; put -- before values that do"
    names = [name for argument in error.argument_collection or () for name in argument.names]
    near = [name for name in names if name.startswith(typed)] or difflib.get_close_matches(typed, names, 1, cutoff=0.75)
    hint = f"did you mean {near[0]}?" if near else "--help lists the options"
    return f"there is no option {typed}; {hint}"


def _fail(message: str, status: int) -> int:
    print(f"error: {as_typed(message)}", file=sys.stderr)
    return status


def _accept_any_text() -> None:
    """Show as `?` what the terminal's encoding cannot show, such as bytes in a prompt that are not text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if isinstance(sys.stderr, io.TextIOWrapper):  # Python's own choice, kept when somebody has put another in its place
        sys.stderr.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Forget what could not be written: Python would try, and complain, once more when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
