"""How a server bears many clients at once: nothing lost, the time of answers, memory, start and stop.

Without models a small one of text is trained. Each client keeps one connection and asks one thing after another, the
examples that /docs has, streamed where that can be. The clients are another process on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
from common import table

from recurra import text
from recurra.tasks.shared.serving import part_of


@dataclass
class Load:
    """What came of asking.

    Attributes:
        seconds: of each answer that was as it should be.
        lost: what was wrong with the others.
        memory: of the server, MB, once a second.
    """

    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def processor_seconds(process: int) -> float:
    """What a process has taken of the processor; of Linux."""
    figures = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, figures[11:13])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> float:
    """What a process keeps in memory, MB; of Linux."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1000


def requests_for(models: list[dict[str, Any]]) -> list[bytes]:
    """What is asked: the example of each endpoint that needs no file; text with more tokens, whole and streamed."""
    made = []
    for model in models:
        for endpoint in part_of(model["task"]).endpoints:
            if endpoint.upload or callable(endpoint.example):
                continue
            values = {"model": model["id"]} | dict(endpoint.example)
            for more in [{}, {"stream": True}] if endpoint.streams else [{}]:
                body = json.dumps(values | more).encode()
                made.append(
                    f"POST {endpoint.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
    return made


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The status line of an answer, and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"content-length:" in head:
        return head, await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return head, body


async def client(place: tuple[str, int], requests: list[bytes], number: int, end: float, load: Load) -> None:
    """Ask one thing after another until it is time to stop."""
    reader, writer = await asyncio.open_connection(*place)
    for turn in count(number):
        if time.monotonic() > end:
            break
        begin = time.monotonic()
        writer.write(requests[turn % len(requests)])
        try:
            head, body = await answer(reader)
        except (OSError, EOFError) as error:
            load.lost.append(repr(error))
            break
        if b" 200 " not in head.split(b"\r\n")[0] or b'"error"' in body:
            load.lost.append((head.split(b"\r\n")[0] + b" " + body[:200]).decode())
        else:
            load.seconds.append(time.monotonic() - begin)
    writer.close()


async def watch(process: int, end: float, load: Load) -> None:
    """Note the memory of the server once a second."""
    while time.monotonic() < end:
        await asyncio.sleep(1)
        load.memory.append(memory_of(process))


async def press(url: str, requests: list[bytes], clients: int, seconds: float, process: int) -> Load:
    """Let clients ask for some time."""
    load, place = Load(), (urlsplit(url).hostname or "", urlsplit(url).port or 0)
    for request in requests:  # once, so that all is compiled and loaded
        reader, writer = await asyncio.open_connection(*place)
        writer.write(request)
        await answer(reader)
        writer.close()
    end = time.monotonic() + seconds
    asked = (client(place, requests, number, end, load) for number in range(clients))
    await asyncio.gather(watch(process, end, load), *asked)
    return load


def measure(folders: list[Path], clients: int, seconds: float) -> dict[str, Any]:
    """Start a server, press it, stop it."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "recurra", "serve", *map(str, folders), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        if not url:
            sys.exit(server.communicate()[1].strip())
        models = json.load(urlopen(f"{url}/v1/models"))["data"]
        started = time.monotonic() - begin
        fresh, starting = memory_of(server.pid), processor_seconds(server.pid)
        load = asyncio.run(press(url, requests_for(models), clients, seconds, server.pid))
        working = processor_seconds(server.pid) - starting
        begin = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        status = server.wait(30)
    finally:
        server.kill()
        server.communicate()
    third = max(1, len(load.memory) // 3)
    return {
        "answers": len(load.seconds),
        "lost": len(load.lost),
        "first lost": load.lost[:3],
        "answers a second": round(len(load.seconds) / seconds, 1),
        "p50, seconds": round(float(np.percentile(load.seconds, 50)), 3),
        "p95, seconds": round(float(np.percentile(load.seconds, 95)), 3),
        "slowest, seconds": round(max(load.seconds), 3),
        "memory fresh, MB": round(fresh),
        "memory in the first third, MB": round(float(np.median(load.memory[:third]))),
        "memory in the last third, MB": round(float(np.median(load.memory[-third:]))),
        "processor seconds": round(working, 1),
        "processor seconds to start": round(starting, 2),
        "started after, seconds": round(started, 2),
        "stopped after, seconds": round(time.monotonic() - begin, 2),
        "status": status,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="model folders")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        if not asked.models:
            text.train("sample:pydocs", f"{folder}/pydocs", minutes=0.2, progress=False)
        found = measure(asked.models or [Path(folder) / "pydocs"], asked.clients, asked.seconds)
    if asked.json:
        print(json.dumps(found))
        return
    rows = [[name, str(value)] for name, value in found.items() if value != []]
    table(f"{asked.clients} clients at once for {asked.seconds:g} seconds", ["", ""], rows)


if __name__ == "__main__":
    main()
