"""Where a run takes place, and what a model that begins from another takes over; of any task, without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from recurra.config import Options, with_options
from recurra.errors import Interrupted, OptionError
from recurra.progress import silence
from recurra.training.history import Measurement

Progress = bool | Callable[[Measurement], None]
"""Whether to show progress, or a function that is called with each point of the loss curve instead."""

SLOWER = 0.3
"""Of the usual learning rate, what a model that begins from a trained one learns with."""

ConfigT = TypeVar("ConfigT", bound=Options)


@contextmanager
def place_of(out: str | Path | None, resume: bool, overwrite: bool, progress: Progress) -> Iterator[Path]:
    """The model folder to make, for the time of a run; one that is thrown away if `out` is None.

    Raises:
        OptionError: if `resume` or `overwrite` have no folder to be about.
        Interrupted: as it is raised inside, but saying that nothing is kept where nothing is.
    """
    if out is None and (resume or overwrite):
        raise OptionError("`resume` and `overwrite` are for a model folder; give `out` too")
    with silence(progress is not True), TemporaryDirectory() if out is None else nullcontext(str(out)) as place:
        try:
            yield Path(place) / "model" if out is None else Path(place)
        except Interrupted as error:
            if out is None:
                raise Interrupted("stopped; nothing is kept, as there is no `out`", error.signal_number) from error
            raise


def inherited(config: ConfigT, its: Any, name: str, free: Collection[str]) -> ConfigT:
    """The options of a run that begins from a trained model: what makes up its network and tokens is the model's.

    Args:
        config: as given.
        its: the options of the model begun from.
        name: of that model.
        free: the options that may be otherwise.

    Raises:
        OptionError: if another value was given for any of the rest.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        own, old = getattr(config, field.name), getattr(its, field.name)
        if field.name in free or own == old or (old is None and own == 0):  # made before there was such an option
            continue
        if own != field.default:
            its_own = "none" if old is None else old
            raise OptionError(
                f"`{field.name}` is {own}, but {name}, from which this model begins, has {its_own}; leave it out"
            )
        changes[field.name] = old
    if getattr(config, "learning_rate") is None and its.learning_rate is not None:  # noqa: B009
        changes["learning_rate"] = SLOWER * its.learning_rate
    return with_options(config, changes)
