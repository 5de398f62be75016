"""Networks and passages to explain, as fixtures."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from recurra.data.tokenizer import Characters
from recurra.explain.passage import Passage
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.runtime.cells import CellName
from recurra.runtime.rules import RuleFeatures
from recurra.tasks.music import features as music_features
from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.pieces import Note, Piece, Track
from recurra.tasks.music.transcription import encode
from recurra.tasks.text.features import passage

MakeModel = Callable[..., LanguageModel]

TEXT = 'He said: "Well (if so), go 12 miles."\nAnd then </script><b>she</b> & "I" left.\n\nTHE END [of it]\n'


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A language model with random weights, large enough to depend on what it reads."""

    def make(
        vocabulary: int = 7,
        cell: CellName = "lstm",
        hidden: int = 6,
        layers: int = 2,
        embedding: int = 5,
        seed: int = 0,
        rules: RuleFeatures | None = None,
        ngrams: int = 0,
    ) -> LanguageModel:
        torch.manual_seed(seed)
        model = LanguageModel(
            vocabulary,
            Architecture(
                cell=cell,
                hidden_size=hidden,
                num_layers=layers,
                embedding_size=embedding,
                dropout=0.0,
                forget_bias=1.0,
                tied=False,
                ngrams=ngrams,
                ngram_rows=20,
                ngram_size=embedding,
            ),
            rules,
        )
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
                if "weight_hh" in name:
                    parameter.mul_(0.6)  # or a rectifier's state explodes
        return model

    return make


@pytest.fixture(scope="session")
def tokens() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 7, size=90).astype(np.uint8)


@pytest.fixture(scope="session")
def text_passage() -> Passage:
    text = TEXT * 9
    tokenizer = Characters.build([text], 100, 1)
    return passage(tokenizer, tokenizer.encode(text), "a <b>text</b>")


NOTATION = Notation(
    kind="notes",
    tracks=(Track("$Sopr_a^no"), Track("</script><b>Bass")),
    meters=((4, 4),),
    lowest=48,
    highest=72,
    drums=(),
    durations=(6, 12, 24),
    steps=(6, 12, 24),
    velocity=False,
    frame=0,
    tempo=100.0,
)


@pytest.fixture(scope="session")
def music_notation() -> Notation:
    """What `music_passage` is written in."""
    return NOTATION


@pytest.fixture(scope="session")
def music_passage() -> Passage:
    """Two pieces in two voices, some notes of each moment random."""
    rng = np.random.default_rng(2)
    tokens = []
    for _ in range(2):
        tune = [Note(12 * place, 12, int(pitch)) for place, pitch in enumerate(rng.integers(60, 73, size=40))]
        bass = [Note(24 * place, 24, int(pitch), track=1) for place, pitch in enumerate(rng.integers(48, 60, size=20))]
        piece = Piece("p", NOTATION.tracks, tuple(sorted([*tune, *bass])), 480)
        tokens.append(encode(piece, NOTATION)[0])
    return music_features.passage(NOTATION, np.concatenate(tokens), "a $song_ of^ \u597d", ["<b>one</b>"])


@pytest.fixture(scope="session")
def music_network(make_model: MakeModel) -> LanguageModel:
    """A model with random weights that reads what `music_passage` is written in."""
    return make_model(NOTATION.size, rules=MusicRules(NOTATION))
