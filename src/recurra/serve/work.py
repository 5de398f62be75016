"""Work in threads: one for each model, which does one piece after another, in the order they were asked for."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from recurra.progress import silence
from recurra.serve.contract import Json
from recurra.serve.errors import RequestError

Result = TypeVar("Result")

SLICE_SECONDS = 0.02
"""How long an answer is worked on before others have their turn."""


class Worker:
    """A thread that does what it is asked, one thing at a time.

    It is a daemon, so that a piece of work that takes long does not keep the program from ending.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], Result]) -> Result:
        """What a function gives; if the caller is cancelled before its turn, it is not called."""
        future: Future[Result] = Future()
        self._queue.put((future, function))
        return await asyncio.wrap_future(future)

    def put(self, function: Callable[[], object]) -> None:
        """Have a function called, without waiting for it."""
        self._queue.put((Future(), function))

    def stop(self) -> None:
        """Let the thread end when it has done what it was asked."""
        self._queue.put(None)

    def _work(self) -> None:
        with silence():
            while (task := self._queue.get()) is not None:
                future, function = task
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    result = function()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                del task, future, function  # else the last answer is kept until the next comes


@dataclass
class Slice:
    """What came of working on an answer for a moment.

    Attributes:
        pieces: parts of the answer.
        done: whether it is whole.
        answer: the whole, if it is.
    """

    pieces: list[Json] = field(default_factory=list)
    done: bool = False
    answer: Json = None


def advance(generator: Generator[Json, None, Json], seconds: float = SLICE_SECONDS) -> Slice:
    """Go on with an answer for some time, at least for one piece."""
    made, until = Slice(), time.monotonic() + seconds
    while True:
        try:
            piece = next(generator)
        except StopIteration as stop:
            made.done, made.answer = True, stop.value
            return made
        if piece is not None:
            made.pieces.append(piece)
        if time.monotonic() >= until:
            return made


async def slices(worker: Worker, start: Callable[[], Json | Generator[Json, None, Json]]) -> AsyncIterator[Slice]:
    """An answer, slice by slice; whoever stops reading before the last one stops the work.

    Args:
        worker: the thread of the model.
        start: gives the answer, or the pieces of it.
    """
    made = await worker.run(start)
    if not isinstance(made, Generator):
        yield Slice(done=True, answer=made)
        return
    try:
        while True:
            part = await worker.run(lambda: advance(made))
            yield part
            if part.done:
                return
    finally:
        worker.put(made.close)  # in its own thread, which may still be at it


class Place:
    """A request's place at a desk.

    Args:
        desk: where.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.held = 0

    def hold(self, size: int) -> None:
        """Keep some more bytes of the request in memory.

        Raises:
            RequestError: if all requests together keep too many.
        """
        self.held += size
        self._desk.held += size
        if self._desk.held > self._desk.most_bytes:
            raise busy("the requests that are being answered take all the memory that is for them")


class Desk:
    """Counts requests and what they bring, and sends away those that are too many.

    Args:
        most: requests at once.
        most_bytes: of their bodies, all together.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.count = 0
        self.held = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Be one of the requests for the time of a `with` block.

        Raises:
            RequestError: if there are too many.
        """
        if self.count >= self.most:
            raise busy(f"{self.most} requests are being answered or wait")
        place = Place(self)
        self.count += 1
        try:
            yield place
        finally:
            self.count -= 1
            self.held -= place.held


def busy(why: str) -> RequestError:
    """What is told to a client that comes when there is too much to do."""
    return RequestError(f"{why}; try again in a second", 503, "busy", headers={"Retry-After": "1"})
