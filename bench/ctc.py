"""Prefix beam search against its peers: a LibriSpeech utterance, 371 frames of 29 symbols, 100 beams, one thread.

The peers run in a process of their own, in turn with Recurra, under the Python that RECURRA_CTC_PEERS names: a virtual
environment with pyctcdecode, ctc-beam-decoder, fast-ctc-decode, flashlight-text, or some of them. Without it, Recurra
is measured alone.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import data, machine, table

from recurra.tasks.speech.hot_words import compile_hot_words
from recurra.tasks.speech.prefix_search import EXACT, PrefixDecoder, PrefixSearch

LETTERS = " abcdefghijklmnopqrstuvwxyz'"
SEARCHES = {"unpruned": EXACT, "pruned": PrefixSearch()}
Decode = Callable[[int], "tuple[float, str | None]"]
"""Decodes a number of times and gives the mean CPU seconds and the text, None for what cannot be done."""

BATCH = 0.02
"""Seconds: a search is repeated for so long between two readings of the clock, so that all find their caches warm."""

PATIENCE = 1.0
"""Seconds: a search that takes longer is run once only."""


class Peers:
    """The other decoders, in their own process; none where the variable is not set."""

    def __init__(self, task: dict[str, object]) -> None:
        self.names: list[str] = []
        python = os.environ.get("RECURRA_CTC_PEERS")
        if not python:
            print("peers are not measured: set RECURRA_CTC_PEERS to a Python that has them", file=sys.stderr)
            return
        script = str(Path(__file__).parent / "ctc_peers.py")
        self.process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.names = self._ask(json.dumps(task))

    def decoder(self, name: str, search: str) -> Decode:
        """One of them."""
        return lambda count: tuple(self._ask(f"{name}|{search}|{count}"))

    def _ask(self, line: str):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def recurra(decoder: PrefixDecoder, log_probs: np.ndarray) -> Decode:
    """Recurra's."""

    def decode(count: int) -> tuple[float, str | None]:
        started = time.process_time()
        for _ in range(count):
            best = decoder(log_probs)[0]
        seconds = time.process_time() - started
        return seconds / count, "".join(LETTERS[symbol] for symbol in best.labelling.symbols).strip()

    return decode


def hot_words(count: int = 100) -> list[str]:
    """Four words of the utterance, and made-up ones."""
    draw = random.Random(0)
    made = ("".join(draw.choice(LETTERS[1:27]) for _ in range(draw.randint(4, 9))) for _ in range(count - 4))
    return ["remember", "upon", "achieve", "doubt", *made]


def medians(decoders: dict[str, Decode], rounds: int) -> dict[str, tuple[float, str]]:
    """The median milliseconds of each and its text, all run in turn."""
    decoders["recurra"](1)  # compiles
    first = {name: decode(1) for name, decode in decoders.items()}
    done = {name: (seconds, text) for name, (seconds, text) in first.items() if text is not None}
    times = {name: [seconds] if seconds > PATIENCE else [] for name, (seconds, _) in done.items()}
    quick = {name: max(1, int(BATCH / done[name][0])) for name in done if not times[name]}
    for _ in range(rounds):
        for name, count in quick.items():
            times[name].append(decoders[name](count)[0])
    return {name: (1000 * statistics.median(times[name]), text) for name, (_, text) in done.items()}


def main() -> None:
    """Measure and print the table."""
    logits = np.array(json.loads(gzip.decompress(data("speech/pyctcdecode_libri_logits.json.gz").read_bytes())))
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    words = hot_words()
    print(machine())
    peers = Peers({"logits": logits.tolist(), "letters": LETTERS, "hot_words": words})
    weights = {tuple(LETTERS.index(letter) for letter in word): 10.0 for word in words}
    hot = compile_hot_words(weights, log_probs.shape[1], len(LETTERS), 0)
    plain: dict[str, float] = {}
    rows = []
    for search in ("unpruned", "unpruned+hot", "pruned", "pruned+hot"):
        with_words = search.endswith("+hot")
        decoder = PrefixDecoder(
            log_probs.shape[1], len(LETTERS), SEARCHES[search.split("+")[0]], hot if with_words else None
        )
        decoders = {"recurra": recurra(decoder, log_probs)}
        decoders |= {name: peers.decoder(name, search) for name in peers.names}
        measured = medians(decoders, 11)
        ours = measured["recurra"][1]
        for name, (milliseconds, text) in measured.items():
            key = name + search.split("+")[0]
            plain.setdefault(key, milliseconds)
            ratio = f"{milliseconds / plain[key]:.2f}" if with_words else ""
            rows.append([search, name, f"{milliseconds:.3f}", ratio, "yes" if text == ours else "no"])
    head = ["search", "", "ms, median of CPU time", "times that without hot words", "text as Recurra's"]
    table("371 frames, 29 symbols, 100 beams", head, rows)


if __name__ == "__main__":
    main()
