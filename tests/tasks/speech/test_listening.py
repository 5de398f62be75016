"""Sound as it comes gives what the whole recording gives; long recordings pass in windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from singing import SUNG_RATE as RATE
from singing import sung

from recurra import load
from recurra.errors import RecurraError
from recurra.tasks.speech import listening
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.listening import log_probs_of
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.prefix_search import PrefixSearch
from recurra.tasks.speech.symbols import Symbols
from recurra.tasks.speech.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    """Some seconds of sound."""
    return sung("bad cab ebb ade dace")


@pytest.fixture
def listener(trained_speech: Path) -> Model:
    return load(trained_speech, "cpu", task="speech")


def untrained(bidirectional: bool) -> Model:
    """A model with first weights, which are enough for what depends on them alone."""
    config = replace(Config(), rate=RATE, mel_bands=6, high_hz=4000.0, stack=2, bidirectional=bidirectional)
    config = resolve(with_preset(replace(config, hidden_size=8, num_layers=1, dropout=0.0, steps=1), False), 60.0)
    vocabulary = Vocabulary(
        Symbols(("a", "b", "c"), True), Normalization(np.full(6, 8, np.float32), np.ones(6, np.float32))
    )
    torch.manual_seed(0)
    network = Model.build(config, vocabulary)
    with torch.no_grad():
        network.output.weight.mul_(30)
    return Model(network, vocabulary, config, {})


@pytest.mark.parametrize("size", [1, 37, 148, 4000, 10**6])
def test_chunks_of_any_size_give_the_text_of_the_whole(listener: Model, size: int, song: np.ndarray) -> None:
    samples = song[:RATE] if size == 1 else song
    expected = listener.transcribe(samples).text
    heard = listener.listen()
    parts = [heard.feed(samples[begin : begin + size]).settled for begin in range(0, len(samples), size)]
    last = heard.finish()
    symbols = [symbol for part in (*parts, last.settled) for symbol in part.symbols.tolist()]
    assert " ".join(listener.symbols.text(symbols).split()) == expected != ""
    assert last.seconds == len(samples) / RATE


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("size", [37, 1000])
def test_chunks_of_any_size_give_the_log_probabilities_of_the_whole(
    bidirectional: bool, size: int, song: np.ndarray
) -> None:
    model = untrained(bidirectional)
    blocks = [song[begin : begin + size] for begin in range(0, len(song), size)]
    found = np.concatenate(list(log_probs_of(blocks, model.network, model.config, model.vocabulary.normalization)))
    np.testing.assert_allclose(found, model.log_probs(song), atol=1e-5)


def test_what_is_settled_does_not_change_and_the_rest_is_pending(listener: Model, song: np.ndarray) -> None:
    heard, settled = listener.listen(PrefixSearch(lag=20)), ""
    for begin in range(0, len(song), 800):
        settled += listener.symbols.text(heard.feed(song[begin : begin + 800]).settled.symbols.tolist())
    assert settled
    pending = listener.symbols.text(heard.pending().symbols.tolist())
    assert listener.symbols.text(heard.finish().settled.symbols.tolist()).startswith(pending[:-1])


def test_the_last_symbol_is_not_lost(listener: Model) -> None:
    samples = sung("ba")[:-500]
    whole = listener.transcribe(samples).text
    heard = listener.listen()
    fed = heard.feed(samples).settled.symbols.tolist()
    assert listener.symbols.text(fed + heard.finish().settled.symbols.tolist()) == whole == "ba"


def test_windows_agree_with_the_whole_away_from_their_edges(monkeypatch: pytest.MonkeyPatch, song: np.ndarray) -> None:
    model = untrained(True)
    song = np.tile(song, 3)
    whole = model.log_probs(song)
    monkeypatch.setattr(listening, "WINDOW_SECONDS", 3.0)
    monkeypatch.setattr(listening, "MARGIN_SECONDS", 1.0)
    found = model.log_probs(song)
    assert found.shape == whole.shape
    assert np.abs(found - whole).max() > 0, "there are windows"
    np.testing.assert_allclose(found, whole, atol=0.02)
    assert [model.log_probs(song[:length]).shape[0] for length in (0, 199, 200, 281)] == [0, 0, 1, 1]


def test_no_more_than_a_window_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = untrained(True)
    longest = []
    read = model.hearing().hear

    def watched(steps: np.ndarray) -> np.ndarray:
        longest.append(len(steps))
        return read(steps)

    monkeypatch.setattr(model.network, "hear", watched)
    noise = np.random.default_rng(0).normal(0, 0.1, 200 * RATE).astype(np.float32)
    blocks = np.array_split(noise, 50)
    pieces = list(log_probs_of(blocks, model.network, model.config, model.vocabulary.normalization))
    assert len(longest) == 4
    assert max(longest) == round(65 / model.config.features.step_seconds)
    assert sum(map(len, pieces)) == -(-(1 + (len(noise) - 200) // 80) // 2)


def test_a_model_that_reads_from_both_ends_cannot_listen() -> None:
    with pytest.raises(RecurraError, match="train one that reads from one end"):
        untrained(True).listen()


def test_files_of_another_rate_are_brought_to_the_models(listener: Model, tmp_path: Path, song: np.ndarray) -> None:
    from recurra.tasks.speech.audio import Resampler

    up = Resampler(RATE, 44_100)
    samples = np.concatenate([up.feed(song), up.finish()])
    soundfile.write(tmp_path / "a.flac", np.stack([samples, samples], axis=1), 44_100)
    assert listener.transcribe(tmp_path / "a.flac").text == listener.transcribe(song).text
