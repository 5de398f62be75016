"""Text models as ONNX by onnxruntime, beside Recurra's own step: tokens a second of processor time, sizes, and how far
eight bits are from 32.

Speed is of one stream on one thread with weights as they begin, the most probable token fed back; quality of a model
trained for a minute, on the end of its text, which it has not seen.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from common import OUT, machine, table

from recurra import text
from recurra.data import samples
from recurra.decoding.sampling import TokenStep
from recurra.export.graph import Graph
from recurra.export.language_model import add_step
from recurra.export.network import weights_of
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.models.packed import pack
from recurra.tasks.text.to_onnx import write

VOCABULARY = 65
LAYERS = 2
TOKENS = 1000
ROUNDS = 5
KINDS = ("onnxruntime float32", "onnxruntime int8", "Recurra float32", "Recurra int8")


def session_step(source: bytes | str) -> tuple[TokenStep[Any], Any]:
    """The step of an ONNX file as Recurra's own steps are, and its state before any input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(source, options)
    sizes = {each.name: each.shape for each in session.get_inputs()[1:]}

    def step(token: int, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        logits, *parts = session.run(None, {"tokens": np.array([token]), **state})
        return logits[0], dict(zip(sizes, parts, strict=True))

    return step, {name: np.zeros((layers, 1, size), np.float32) for name, (layers, _, size) in sizes.items()}


def rate(step: TokenStep[Any], state: Any) -> float:
    """Tokens a second of processor time."""
    token = 0
    for count in range(TOKENS // 4 + TOKENS):
        if count == TOKENS // 4:
            started = time.process_time()
        logits, state = step(token, state)
        token = int(logits.argmax())
    return TOKENS / (time.process_time() - started)


def speeds(hidden_size: int) -> tuple[list[float], list[int]]:
    """Median rates of `KINDS`, and the sizes of the two files in bytes."""
    sizes = dict(hidden_size=hidden_size, embedding_size=hidden_size, num_layers=LAYERS)
    torch.manual_seed(0)
    model = LanguageModel(VOCABULARY, Architecture(**sizes, dropout=0.0, forget_bias=1.0, tied=False))
    files = []
    for int8 in (False, True):
        graph = Graph("step", int8)
        add_step(graph, "lstm", weights_of(model), graph.input("tokens", np.int64, "batch"))
        files.append(graph.model({}).SerializeToString())
    packed = [pack(model, "float32"), pack(model, "int8")]
    steps = [session_step(file) for file in files] + [(each.step, each.zero_state()) for each in packed]
    rates = [[rate(*step) for step in steps] for _ in range(ROUNDS)]  # in turn, so that a change of mood meets all
    return np.median(rates, axis=0).tolist(), [len(file) for file in files]


def rounding(steps: list[tuple[TokenStep[Any], Any]], tokens: np.ndarray) -> list[str]:
    """How far the second step is from the first: mean divergence, equal choices, nats a token of both."""
    states, divergence, equal, losses = [state for _, state in steps], 0.0, 0, np.zeros(2)
    for token, following in itertools.pairwise(tokens):
        log_probs = []
        for number, (step, _) in enumerate(steps):
            logits, states[number] = step(int(token), states[number])
            log_probs.append(logits - np.logaddexp.reduce(logits.astype(np.float64)))
        exact, rounded = log_probs
        divergence += float((np.exp(exact) * (exact - rounded)).sum())
        equal += int(exact.argmax() == rounded.argmax())
        losses -= [exact[following], rounded[following]]
    count = len(tokens) - 1
    nats = losses / count
    return [f"{count:,}", f"{divergence / count:.5f}", f"{equal / count:.1%}", f"{nats[0]:.4f}", f"{nats[1]:.4f}"]


def trained(minutes: float) -> None:
    """Train, export, and print quality beside size."""
    whole = samples.pydocs()
    kept = len(whole) // 10
    OUT.mkdir(exist_ok=True)
    folder = OUT / "exported"
    model = text.train(
        text.Texts([whole[:-kept]]), folder, minutes=minutes, progress=False, documents="none", overwrite=True
    )
    files = [write(folder, OUT / f"exported.{int8}.onnx", int8)[0] for int8 in (False, True)]
    row = rounding([session_step(str(file)) for file in files], model.tokenizer.encode(whole[-kept:][:20_000]))
    head = ["characters", "mean divergence, nats", "same choice", "nats, float32", "nats, int8", "bytes of both"]
    table(f"int8 beside float32, {minutes:g} minute(s) of training", head, [[*row, _bytes(files)]])


def _bytes(files: list[Path]) -> str:
    return " / ".join(f"{file.stat().st_size:,}" for file in files)


def main() -> None:
    """Measure and print the tables."""
    torch.set_num_threads(1)
    rows = []
    for hidden_size in (256, 512, 1024):
        rates, sizes = speeds(hidden_size)
        rows.append([f"{LAYERS} x {hidden_size}", *(f"{each:,.0f}" for each in rates), *(f"{n:,}" for n in sizes)])
    print(machine())
    head = ["units", *KINDS, "bytes, float32", "bytes, int8"]
    table(f"One stream, one thread, tokens a second of processor time (median of {ROUNDS})", head, rows)
    trained(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)


if __name__ == "__main__":
    main()
