"""The peers of the CTC measurement, run by the Python that RECURRA_CTC_PEERS names, with their own packages.

Reads a line of JSON, `{"logits": [[...]], "letters": "...", "hot_words": [...]}` with the blank as the last symbol, and
writes the names of the peers that are there. Then for each line `NAME|SEARCH|COUNT` it decodes so many times and writes
the mean seconds of CPU time and the text. SEARCH is unpruned, pruned, or either followed by "+hot".
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable

import numpy as np

BEAM, NO_LIMIT = 100, -1e9
Decode = Callable[[bool, list[str]], "str | None"]
"""Takes whether to prune and the hot words; gives None for what the peer cannot do."""


def pyctcdecode(log_probs: np.ndarray, letters: str) -> Decode:
    from pyctcdecode import build_ctcdecoder

    decoder = build_ctcdecoder([*letters, ""])
    return lambda pruned, words: decoder.decode(
        log_probs, BEAM, *((-10.0, -5.0) if pruned else (NO_LIMIT, NO_LIMIT)), hotwords=words or None
    )


def ctc_beam_decoder(log_probs: np.ndarray, letters: str) -> Decode:
    from ctc_beam_decoder import build_ctcdecoder

    decoder = build_ctcdecoder([*letters, ""])
    return lambda pruned, words: decoder.decode(
        log_probs, BEAM, *((-10.0, -5.0) if pruned else (NO_LIMIT, NO_LIMIT)), hotwords=words or None
    )


def fast_ctc_decode(log_probs: np.ndarray, letters: str) -> Decode:
    from fast_ctc_decode import beam_search

    probabilities = np.ascontiguousarray(np.roll(np.exp(log_probs), 1, axis=1), np.float32)  # the blank first
    alphabet = ["_", *letters]

    def decode(pruned: bool, words: list[str]) -> str | None:
        return None if words else beam_search(probabilities, alphabet, BEAM, np.exp(-5.0) if pruned else 0.0)[0]

    return decode


def flashlight(log_probs: np.ndarray, letters: str) -> Decode:
    from flashlight.lib.text.decoder import CriterionType, LexiconFreeDecoder, LexiconFreeDecoderOptions, ZeroLM

    blank = len(letters)
    options = LexiconFreeDecoderOptions(BEAM, blank + 1, 1e9, 0.0, 0.0, True, CriterionType.CTC)
    decoder = LexiconFreeDecoder(options, ZeroLM(), -1, blank, [])
    emissions = np.ascontiguousarray(log_probs, np.float32)

    def decode(pruned: bool, words: list[str]) -> str | None:
        if pruned or words:
            return None
        path = [token for token in decoder.decode(emissions.ctypes.data, *emissions.shape)[0].tokens if token >= 0]
        kept = [token for place, token in enumerate(path) if place == 0 or token != path[place - 1]]
        return "".join(letters[token] for token in kept if token < blank).strip()

    return decode


def main() -> None:
    logging.disable(logging.WARNING)
    task = json.loads(sys.stdin.readline())
    logits = np.array(task["logits"])
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    peers = {}
    for build in (pyctcdecode, ctc_beam_decoder, fast_ctc_decode, flashlight):
        try:
            peers[build.__name__] = build(log_probs, task["letters"])
        except ImportError:
            continue
    print(json.dumps(list(peers)), flush=True)
    for line in sys.stdin:
        name, search, count = line.strip().split("|")
        words = task["hot_words"] if search.endswith("+hot") else []
        started = time.process_time()
        for _ in range(int(count)):
            text = peers[name](search.startswith("pruned"), words)
        print(json.dumps([(time.process_time() - started) / int(count), text]), flush=True)


if __name__ == "__main__":
    main()
