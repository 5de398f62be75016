"""Single-stream generation: Recurra's packed step against the usual `nn.LSTM` loop, same weights, same run.

Beside float32 weights those rounded to int8; how far these are from them is measured on a model trained for minutes, on
the end of its text, which it has not seen.

The peer is the loop found in char-rnn's successors: embedding, `nn.LSTM` for one token, output layer, softmax, one
draw from `torch.multinomial`, under `torch.inference_mode`. It is measured with one thread and with all; the ratio is
to the faster of the two.
"""

from __future__ import annotations

import itertools
import os
import time

os.environ["GOMP_SPINCOUNT"] = "300000"  # the OpenMP default, for the peer's sake; Recurra uses one thread here

import numpy as np
import torch
from common import machine, table
from torch import nn

from recurra import text
from recurra.data import samples
from recurra.decoding.sampling import Sampling, sample_tokens
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.models.packed import pack
from recurra.runtime.layers import Precision

VOCABULARY = 65
LAYERS = 2
TOKENS = 400
ROUNDS = 5
MINUTES = 5.0


def make(hidden_size: int) -> tuple[LanguageModel, nn.LSTM]:
    """A model, and its recurrent weights in one multi-layer `nn.LSTM`."""
    architecture = Architecture(
        hidden_size=hidden_size,
        num_layers=LAYERS,
        embedding_size=hidden_size,
        dropout=0.0,
        forget_bias=1.0,
        tied=False,
    )
    torch.manual_seed(0)
    model = LanguageModel(VOCABULARY, architecture)
    peer = nn.LSTM(hidden_size, hidden_size, LAYERS, batch_first=True)
    with torch.no_grad():
        for layer in range(LAYERS):
            for name, tensor in model.recurrent.weights(layer)._asdict().items():
                getattr(peer, f"{name}_l{layer}").copy_(tensor)
    return model, peer


def peer_rate(model: LanguageModel, lstm: nn.LSTM, threads: int) -> float:
    """Tokens a second of the plain loop."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        token, state = torch.zeros(1, 1, dtype=torch.long), None
        for count in range(TOKENS // 4 + TOKENS):
            if count == TOKENS // 4:
                started = time.perf_counter()
            outputs, state = lstm(model.embedding(token), state)
            probabilities = torch.softmax(model.output(outputs[:, -1]) / 0.8, dim=-1)
            token = torch.multinomial(probabilities, 1)
    return TOKENS / (time.perf_counter() - started)


def our_rate(model: LanguageModel, precision: Precision) -> float:
    """Tokens a second of the packed step and the drawing kernel."""
    packed = pack(model, precision)
    logits, state = packed.step(0, packed.zero_state())
    drawn = sample_tokens(packed.step, logits, state, Sampling(), np.random.default_rng(0))
    for _ in range(TOKENS // 4):
        next(drawn)
    started = time.perf_counter()
    for _ in range(TOKENS):
        next(drawn)
    return TOKENS / (time.perf_counter() - started)


def rounding(model: text.Model, passage: str) -> list[str]:
    """How far int8 is from float32 on a passage: mean divergence, equal choices, nats a character of both."""
    tokens = model.tokenizer.encode(passage)
    both = [pack(model.network, "float32"), pack(model.network, "int8")]
    states = [packed.zero_state() for packed in both]
    divergence, equal, losses = 0.0, 0, np.zeros(2)
    for token, following in itertools.pairwise(tokens):
        log_probs = []
        for number, packed in enumerate(both):
            logits, states[number] = packed.step(int(token), states[number])
            log_probs.append(logits - np.logaddexp.reduce(logits.astype(np.float64)))
        exact, rounded = log_probs
        divergence += float((np.exp(exact) * (exact - rounded)).sum())
        equal += int(exact.argmax() == rounded.argmax())
        losses -= [exact[following], rounded[following]]
    count = len(tokens) - 1
    nats = losses / count
    return [f"{count:,}", f"{divergence / count:.6f}", f"{equal / count:.2%}", f"{nats[0]:.4f}", f"{nats[1]:.4f}"]


def main() -> None:
    """Measure and print the tables."""
    threads = torch.get_num_threads()
    rows = []
    for hidden_size in (128, 256, 512, 1024):
        model, lstm = make(hidden_size)
        ours, rounded, all_threads, one_thread = [], [], [], []
        for _ in range(ROUNDS):  # in turn, so that a change of the machine's mood meets all
            ours.append(our_rate(model, "float32"))
            rounded.append(our_rate(model, "int8"))
            all_threads.append(peer_rate(model, lstm, threads))
            one_thread.append(peer_rate(model, lstm, 1))
        torch.set_num_threads(threads)
        mine, peer = np.median(ours), max(np.median(all_threads), np.median(one_thread))
        rows.append(
            [
                f"{LAYERS} x {hidden_size}",
                f"{np.median(all_threads):,.0f}",
                f"{np.median(one_thread):,.0f}",
                f"{mine:,.0f}",
                f"{mine / np.median(all_threads):.1f}x",
                f"{mine / peer:.1f}x",
                f"{np.median(rounded):,.0f}",
                f"{np.median(rounded) / mine:.1f}x",
            ]
        )
    head = ["units", f"nn.LSTM loop, {threads} threads", "the same, 1 thread", "Recurra", "ratio", "to the faster peer"]
    head += ["Recurra, int8", "to float32"]
    print(machine())
    table(f"Generation, one stream, tokens a second (median of {ROUNDS} rounds)", head, rows)

    whole = samples.pydocs()
    kept = len(whole) // 10
    network = dict(hidden_size=512, num_layers=LAYERS, embedding_size=512)
    model = text.train(text.Texts([whole[:-kept]]), minutes=MINUTES, progress=False, documents="none", **network)
    head = ["characters", "mean divergence, nats", "same choice", "nats, float32", "nats, int8"]
    table(
        f"int8 beside float32, {LAYERS} x 512, {MINUTES:g} minutes of training", head, [rounding(model, whole[-kept:])]
    )


if __name__ == "__main__":
    main()
