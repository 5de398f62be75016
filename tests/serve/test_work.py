"""Work in threads: its order, its end, and what is sent away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recurra.serve.errors import RequestError
from recurra.serve.work import Desk, Slice, Worker, advance, slices


def counting(count: int, closed: list[bool] | None = None) -> Generator[Any, None, Any]:
    """Gives numbers, of which odd ones are nothing to be told."""
    try:
        for number in range(count):
            yield None if number % 2 else number
        return "done"
    finally:
        if closed is not None:
            closed.append(True)


def run_async(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives, in a thread of its own: a browser of other tests may have an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class TestAdvance:
    def test_no_time_is_enough_for_a_piece(self) -> None:
        work = counting(3)
        assert advance(work, 0) == Slice([0])
        assert advance(work, 0) == Slice([])
        assert advance(work, 0) == Slice([2])
        assert advance(work, 0) == Slice([], True, "done")

    def test_much_time_is_enough_for_all(self) -> None:
        assert advance(counting(5), 60) == Slice([0, 2, 4], True, "done")


class TestWorker:
    def test_one_thing_at_a_time_in_the_order_asked(self) -> None:
        worker, seen = Worker("w"), []

        def task(number: int) -> int:
            seen.append((number, threading.current_thread().name))
            time.sleep(0.002)
            return number

        async def ask() -> list[int]:
            return await asyncio.gather(*(worker.run(lambda number=number: task(number)) for number in range(8)))

        assert run_async(ask()) == list(range(8))
        assert seen == [(number, "w") for number in range(8)]
        worker.stop()

    def test_what_fails_fails_for_who_asked_only(self) -> None:
        worker = Worker("w")

        async def ask() -> int:
            with pytest.raises(ZeroDivisionError):
                await worker.run(lambda: 1 // 0)
            return await worker.run(lambda: 7)

        assert run_async(ask()) == 7
        worker.stop()

    def test_what_is_given_up_before_its_turn_is_not_done(self) -> None:
        worker, go, done = Worker("w"), threading.Event(), []

        async def ask() -> None:
            first = asyncio.ensure_future(worker.run(lambda: go.wait(10)))
            second = asyncio.ensure_future(worker.run(lambda: done.append("second")))
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.sleep(0)
            go.set()
            await first
            await worker.run(lambda: done.append("third"))

        run_async(ask())
        assert done == ["third"]
        worker.stop()

    def test_it_ends_when_it_is_told_to(self) -> None:
        worker = Worker("ends")
        worker.stop()
        (thread,) = [each for each in threading.enumerate() if each.name == "ends"] or [None]
        if thread:
            thread.join(5)
            assert not thread.is_alive()


class TestSlices:
    def test_an_answer_that_is_no_generator_is_whole(self) -> None:
        worker = Worker("w")

        async def ask() -> list[Slice]:
            return [part async for part in slices(worker, lambda: {"a": 1})]

        assert run_async(ask()) == [Slice([], True, {"a": 1})]
        worker.stop()

    def test_two_answers_take_turns(self) -> None:
        worker, turns = Worker("w"), []

        def work(name: str) -> Generator[Any, None, str]:
            for _ in range(3):
                turns.append(name)
                time.sleep(0.03)
                yield None
            return name

        async def ask(name: str) -> Any:
            return [part async for part in slices(worker, lambda: work(name))][-1].answer

        async def both() -> list[Any]:
            return await asyncio.gather(ask("a"), ask("b"))

        assert run_async(both()) == ["a", "b"]
        assert turns == ["a", "b"] * 3
        worker.stop()

    def test_who_stops_reading_stops_the_work(self) -> None:
        worker, closed = Worker("w"), []

        async def ask() -> None:
            parts = slices(worker, lambda: counting(10**9, closed))
            await anext(parts)
            await parts.aclose()  # type: ignore[attr-defined]
            await worker.run(lambda: None)

        run_async(ask())
        assert closed == [True]
        worker.stop()


class TestDesk:
    def test_more_than_there_is_room_for_are_sent_away(self) -> None:
        desk = Desk(2, 100)
        with desk.place(), desk.place():
            with pytest.raises(RequestError) as caught, desk.place():
                raise AssertionError
            assert (caught.value.http_status, caught.value.code) == (503, "busy")
            assert caught.value.headers["Retry-After"] == "1"
        with desk.place():
            assert desk.count == 1

    def test_bodies_are_counted_together_and_given_back(self) -> None:
        desk = Desk(5, 100)
        with desk.place() as first:
            first.hold(60)
            with desk.place() as second:
                second.hold(40)
                with pytest.raises(RequestError, match="all the memory"):
                    second.hold(1)
            assert desk.held == 60
            first.hold(40)
        assert (desk.held, desk.count) == (0, 0)
