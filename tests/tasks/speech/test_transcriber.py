"""Transcribing without PyTorch: the same text as with it, from the same folder, whole and chunk by chunk."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from singing import SUNG_RATE as RATE
from singing import short_songs, sung
from unimported import command_without_torch, without_torch

from recurra import speech, text
from recurra.errors import OptionError, RecurraError
from recurra.modelfile import unique_tensors
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.light import shapes_of
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.symbols import Symbols
from recurra.tasks.speech.transcriber import Transcriber
from recurra.tasks.speech.vocabulary import Vocabulary

SYMBOLS = Symbols(("a", "b", "c"), True)
NORMALIZATION = Normalization(np.full(6, 8, np.float32), np.ones(6, np.float32))
RECORD = {"longest_seconds": 1.5, "densest": 0.6}


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    return sung("bad cab ebb ade")


def twins(**options: Any) -> tuple[Model, Transcriber]:
    """The same model twice, of random weights."""
    sizes: dict[str, Any] = dict(hidden_size=8, num_layers=2, dropout=0.0, steps=1)
    config = Config(rate=RATE, mel_bands=6, high_hz=4000.0, stack=2, **(sizes | options))
    config = resolve(with_preset(config, False), 60.0)
    vocabulary = Vocabulary(SYMBOLS, NORMALIZATION)
    torch.manual_seed(0)
    network = Model.build(config, vocabulary)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3 if config.cell == "rnn-relu" else 0.8)  # which grows without bound
    tensors = unique_tensors(network)
    assert shapes_of(config, SYMBOLS.size) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    weights = {name: tensor.numpy() for name, tensor in tensors.items()}
    return Model(network, vocabulary, config, RECORD), Transcriber(vocabulary, config, RECORD, weights)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_same_log_probabilities(cell: str, bidirectional: bool, song: np.ndarray) -> None:
    model, transcriber = twins(cell=cell, bidirectional=bidirectional)
    expected = model.log_probs(song)
    np.testing.assert_allclose(transcriber.log_probs(song), expected, atol=2e-5)
    assert transcriber.transcribe(song, n_best=3).others == model.transcribe(song, n_best=3).others


@pytest.mark.parametrize("size", [97, 1600])
def test_as_it_comes(size: int, song: np.ndarray) -> None:
    model, transcriber = twins(bidirectional=False)
    heard = [each.listen() for each in (model, transcriber)]
    for begin in range(0, len(song), size):
        expected, found = (each.feed(song[begin : begin + size]) for each in heard)
        np.testing.assert_array_equal(found.settled.symbols, expected.settled.symbols)
        assert found.seconds == expected.seconds
    expected, found = (each.finish().settled for each in heard)
    np.testing.assert_array_equal(found.symbols, expected.symbols)


@pytest.mark.parametrize(
    "options",
    [dict(cell="lstm"), dict(cell="gru", tied=True, decoder_layers=2), dict(bidirectional=False)],
    ids=str,
)
def test_a_network_that_attends_writes_the_same(options: dict[str, Any]) -> None:
    model, transcriber = twins(network="attention", embedding_size=5, **options)
    for samples in (*(samples for _, samples in short_songs(4, seed=5)), sung("bad cab ebb ade")):
        expected, found = (each.attention(samples, beam_size=4) for each in (model, transcriber))
        assert found.transcript.text == expected.transcript.text
        assert found.transcript.log_prob == pytest.approx(expected.transcript.log_prob, abs=1e-3)
        np.testing.assert_allclose(found.weights, expected.weights, atol=1e-3)


def test_trained_models_hear_the_same(trained_speech: Path, trained_speller: Path, song: np.ndarray) -> None:
    for folder in (trained_speech, trained_speller):
        model, transcriber = Model.load(folder), Transcriber.load(folder)
        expected, found = model.transcribe(song), transcriber.transcribe(song)
        assert found.text == expected.text != ""
        assert [word.text for word in found.words] == [word.text for word in expected.words]
        assert [word.confidence for word in found.words] == pytest.approx(
            [word.confidence for word in expected.words], abs=1e-4
        )
    with pytest.raises(OptionError, match="is for `network` ctc, and"):
        transcriber.log_probs(song)
    with pytest.raises(OptionError, match="attention is for `network` attention, and"):
        Transcriber.load(trained_speech).speller()


def test_a_detector_is_one_without_pytorch_too(song: np.ndarray) -> None:
    config = resolve(with_preset(Config(rate=RATE, mel_bands=6, high_hz=4000.0, steps=1, detect="bad"), False), 60.0)
    config = replace(config, hidden_size=8)
    vocabulary = Vocabulary(Symbols(("bad",), True, True), NORMALIZATION)
    torch.manual_seed(1)
    model = Model(Model.build(config, vocabulary), vocabulary, config, {"threshold": 0.3})
    weights = {name: tensor.numpy() for name, tensor in unique_tensors(model.network).items()}
    transcriber = Transcriber(vocabulary, config, model.record, weights)
    expected = model.probability_stream().feed(song)
    np.testing.assert_allclose(transcriber.probability_stream().feed(song), expected, atol=1e-5)
    assert [each[:2] for each in transcriber.detect(song)] == [each[:2] for each in model.detect(song)] != []
    with pytest.raises(RecurraError, match="only detects 'bad' and writes no text"):
        transcriber.transcribe(song)


def test_the_commands_transcribe_without_pytorch(
    trained_speech: Path, trained_speller: Path, tmp_path: Path, song: np.ndarray
) -> None:
    soundfile.write(tmp_path / "a.wav", song, RATE)
    text.train(text.Texts(["bad cab ebb ade\n" * 100]), tmp_path / "lm", progress=False, **TINY_TEXT)
    (tmp_path / "hot.txt").write_text("ebb\t1.5\n", encoding="utf-8")
    helped = ["--language-model", str(tmp_path / "lm"), "--hot-words", str(tmp_path / "hot.txt")]
    code = f"""
from recurra.cli import main
for folder, further in (({str(trained_speech)!r}, {helped!r}), ({str(trained_speller)!r}, [])):
    status = main(["speech", "transcribe", folder, {str(tmp_path / "a.wav")!r}, "--json", *further])
    print(status, [name for name in ("torch", "accelerate", "matplotlib", "jiwer") if sys.modules.get(name)])
"""
    done = without_torch(code)
    first, first_status, second, second_status = done.stdout.splitlines()
    assert first_status == second_status == "0 []"
    by_ctc, attending = Model.load(trained_speech), Model.load(trained_speller)
    expected = by_ctc.transcribe(tmp_path / "a.wav", hot_words={"ebb": 1.5}, language_model=tmp_path / "lm")
    assert json.loads(first)["text"] == expected.text
    assert json.loads(first)["recordings"][0]["log_prob"] == pytest.approx(expected.log_prob, abs=1e-3)
    assert json.loads(second)["text"] == attending.transcribe(tmp_path / "a.wav").text


TINY_TEXT: dict[str, Any] = dict(
    hidden_size=8, embedding_size=8, num_layers=1, steps=3, batch_size=2, sequence_length=8, evaluations=1
)


@pytest.mark.parametrize("verb", ["train", "evaluate", "explain"])
def test_what_needs_pytorch_says_so(trained_speech: Path, songs_file: Path, tmp_path: Path, verb: str) -> None:
    arguments = {
        "train": (songs_file, "--out", tmp_path / "m"),
        "evaluate": (trained_speech, songs_file),
        "explain": (trained_speech, tmp_path / "a.wav", "--out", tmp_path / "page.html"),
    }[verb]
    done = command_without_torch("speech", verb, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")
    assert not (tmp_path / "m").exists()


def test_it_says_what_it_is(trained_speech: Path) -> None:
    assert repr(Transcriber.load(trained_speech)) == f"<transcriber {trained_speech.name!r}>"
    assert speech.Transcriber is Transcriber
