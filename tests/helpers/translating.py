"""Translations and their probabilities, read in other ways than the task's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra import modelfile
from recurra.config import from_dict
from recurra.data.vocabulary import VocabularyPair
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.tasks.translation.config import Config

Command = Callable[..., Any]


def network_of(folder: Path) -> tuple[EncoderDecoder, VocabularyPair]:
    """The network and the vocabularies of a model, put together by other code than the task's."""
    file = modelfile.load(folder, "translation")
    vocabularies = VocabularyPair.from_json(file.vocabulary, "here")
    target_size = None if vocabularies.joint else vocabularies.target.size
    network = EncoderDecoder(vocabularies.source.size, target_size, from_dict(Config, file.config, "here"))
    modelfile.fill(network, file.tensors, "here")
    return network, vocabularies


@torch.no_grad()
def log_probs(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """Log p of every token of targets and of their ends, given their sources, each by one run over the whole."""
    network, vocabularies = network_of(folder)
    found = []
    for source, target in pairs:
        read = torch.from_numpy(vocabularies.source.encode(source).astype(np.int64))[None]
        right = torch.from_numpy(vocabularies.target.encode(target).astype(np.int64))[None]
        before = torch.cat([torch.tensor([[vocabularies.target.start]]), right[:, :-1]], dim=1)
        logits = network(
            read, torch.ones_like(read, dtype=torch.bool), before, torch.ones_like(right, dtype=torch.bool)
        )
        found.append(logits.double().log_softmax(dim=-1).gather(1, right[0, :, None])[:, 0].tolist())
    return found


def nats(folder: Path, pairs: Sequence[tuple[str, str]]) -> float:
    """Mean -log p of the tokens of targets, their ends counted."""
    return -float(np.mean(np.concatenate(log_probs(folder, pairs))))


def translated(recurra: Command, folder: Path, *options: object) -> dict[str, Any]:
    """What `translate --json` says."""
    answer = recurra("translation", "translate", folder, "--json", *options)
    assert answer.status == 0, answer
    assert answer.out.count("\n") == 1
    value = json.loads(answer.out)
    assert value["count"] == len(value["translations"])
    assert value["text"] == (value["translations"][0]["text"] if value["translations"] else "")
    return value


def lines_of(recurra: Command, folder: Path, *options: object) -> list[str]:
    """The lines `translate` prints."""
    answer = recurra("translation", "translate", folder, *options)
    assert answer.status == 0, answer
    assert answer.out.endswith("\n")
    return answer.out[:-1].split("\n")
