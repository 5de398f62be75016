"""Recordings written down by a network that attends: batches, blocks, pieces, times, and what a user is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from singing import SUNG_RATE, short_songs, sung, write_recordings

from recurra import load, speech
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech import Model
from recurra.tasks.speech.accuracy import measure
from recurra.tasks.speech.attending import LONGER, Reach, Written, fault_of, told, weights_of
from recurra.tasks.speech.ctc import Labelling
from recurra.tasks.speech.cutting import cut_at_quiet
from recurra.tasks.speech.data import read_data
from recurra.tasks.speech.evaluation import hear
from recurra.tasks.speech.symbols import BLANK

PAUSE = np.random.default_rng(1).normal(0, 0.01, SUNG_RATE // 5).astype(np.float32)


@pytest.fixture(scope="module")
def speller(trained_speller: Path) -> Model:
    """The model that has learnt the letters that are sung; not to be altered."""
    return load(trained_speller, "cpu", task="speech")


def written(*symbols: list[int], endless: int = 0) -> list[Written]:
    """What could have been written of recordings, `endless` of them without end."""
    texts = [np.array(each, np.int64) for each in symbols]
    labellings = [Labelling(each, each, each + 1, np.zeros(len(each))) for each in texts]
    return [Written(labelling, endless=number < endless) for number, labelling in enumerate(labellings)]


class TestWriting:
    def test_it_has_learnt(self, speller: Model) -> None:
        fresh = short_songs(40, seed=900)
        heard = [speller.transcribe(samples).text for _, samples in fresh]
        assert measure(heard, [text for text, _ in fresh]).cer < 0.2

    def test_batches_and_blocks_change_nothing(self, speller: Model) -> None:
        recordings = [samples for _, samples in short_songs(9, seed=77)]
        search = BeamSearch(beam_size=3)
        together = speller.speller().write(([samples] for samples in recordings), search, keep_weights=True)
        for samples, each in zip(recordings, together, strict=True):
            (alone,) = speller.speller().write([np.array_split(samples, 7)], search, keep_weights=True)
            assert np.array_equal(alone.labelling.symbols, each.labelling.symbols)
            np.testing.assert_allclose(weights_of(alone), weights_of(each), atol=1e-4)
            assert alone.log_prob == pytest.approx(each.log_prob, abs=1e-4)
            assert (alone.steps, alone.pieces, alone.endless) == (each.steps, 1, False)

    def test_weights_times_and_probabilities_are_those_of_the_network(self, speller: Model) -> None:
        samples = sung("bd c")
        found = speller.attention(samples)
        transcript = speller.transcribe(samples)
        assert found.transcript == transcript
        assert speller.symbols.text(found.symbols.tolist()) == transcript.text
        assert found.weights.shape == (len(found.symbols), round(transcript.seconds / 0.04))
        np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
        middles = [0.04 * int((np.cumsum(row) < 0.5).sum()) for row in found.weights]
        assert middles[0] == pytest.approx(transcript.words[0].start)
        assert middles == sorted(middles), "symbols come in the order of the sound"
        assert transcript.words[0].end <= transcript.words[-1].end <= transcript.seconds
        assert transcript.log_prob < sum(np.log(word.confidence) for word in transcript.words) + 1e-6
        greedy = speller.transcribe(samples, beam_size=1, normalization="none")
        best = speller.transcribe(samples, beam_size=8, normalization="none")
        assert best.log_prob >= greedy.log_prob - 1e-5

    def test_letters_are_where_they_are_sung(self, speller: Model) -> None:
        transcript = speller.transcribe(sung("b d", seed=3))
        assert transcript.text == "b d"
        (first, second), apart = transcript.words, 0.33  # a letter, a pause, a space, a pause: 0.33 to 0.43 s
        assert 0.05 <= first.start <= 0.35
        assert apart - 0.15 <= second.start - first.start <= apart + 0.25

    def test_what_is_longer_than_it_has_learned_from_is_cut(
        self, speller: Model, capsys: pytest.CaptureFixture[str]
    ) -> None:
        samples = np.concatenate([part for text in ("bd", "a c", "cab", "d", "b a") for part in (sung(text), PAUSE)])
        pieces = list(cut_at_quiet([samples], SUNG_RATE, LONGER * speller.record["longest_seconds"], 320))
        assert len(pieces) >= 3
        alone = [speller.attention(piece.samples) for piece in pieces]
        found = speller.attention(samples)
        assert found.transcript.text == " ".join(each.transcript.text for each in alone)
        assert found.transcript.log_prob == pytest.approx(sum(each.transcript.log_prob for each in alone), abs=1e-3)
        later = [
            word.start + piece.begin / SUNG_RATE
            for piece, each in zip(pieces, alone, strict=True)
            for word in each.transcript.words
        ]
        np.testing.assert_allclose([word.start for word in found.transcript.words], later, atol=1e-3)
        assert found.transcript.seconds == pytest.approx(len(samples) / SUNG_RATE, abs=0.08)
        assert found.weights.shape == (len(found.symbols), round(found.transcript.seconds / 0.04))
        np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
        last, begin = alone[-1].weights, pieces[-1].begin // 320
        np.testing.assert_allclose(found.weights[-len(last) :, begin : begin + last.shape[1]], last, atol=1e-4)
        capsys.readouterr()
        assert speller.transcribe(samples) == found.transcript
        assert "1 recording(s) longer than the model has learned from, 1." in capsys.readouterr().err

    def test_a_silent_piece_says_nothing(self, speller: Model) -> None:
        silence = np.zeros(5 * SUNG_RATE, np.float32)
        found = speller.transcribe(np.concatenate([sung("ba"), silence, sung("ba")]))
        assert not [word for word in found.words if 2.5 < word.start < 4.0]

    def test_no_text_from_silence(self, speller: Model) -> None:
        for samples in (np.zeros(0, np.float32), np.zeros(30, np.float32), np.zeros(30_000, np.float32)):
            transcript = speller.transcribe(samples)
            assert (transcript.text, transcript.words, transcript.log_prob) == ("", (), 0.0)
            assert transcript.seconds == pytest.approx(len(samples) / SUNG_RATE, abs=0.05)

    def test_attention_of_a_long_recording_is_refused(self, speller: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("recurra.tasks.speech.attending.MAX_WEIGHTS", 10)
        with pytest.raises(RecurraError, match="too long for its attention to be shown"):
            speller.attention(sung("ba"))


class TestWhatIsTold:
    @pytest.mark.parametrize(
        ("texts", "endless", "message"),
        [
            ([[], []], 0, "writes nothing"),
            ([[1, 1], [2], [3]], 1, "repeats itself"),
            ([[1, 2], [1, 2]], 0, "writes the same whatever it hears"),
            ([[1, 2]], 0, None),
            ([[1, 2], []], 0, None),
            ([[1], *[[2]] * 10], 1, None),
        ],
    )
    def test_of_a_network_that_has_not_learnt(self, texts: list[list[int]], endless: int, message: str | None) -> None:
        reason = fault_of(written(*texts, endless=endless))
        assert (reason is None) == (message is None)
        if reason and message:
            assert message in reason
            assert "train longer" in reason

    def test_of_recordings(self) -> None:
        assert told(written([1], []), 2.0) == []
        assert told(written([1], [2], endless=1), 2.0)[0].startswith("1 text(s) stopped for their length")
        cut = written([1])
        cut[0].pieces = 2
        assert told(cut, 2.0) == ["1 recording(s) longer than the model has learned from, 2.0 s, cut at quiet places"]

    def test_when_a_run_ends_and_when_it_is_used(
        self, short_songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = speech.train(short_songs_file, progress=False, network="attention", **tiny_speech)
        read = read_data([short_songs_file], [], model.config, tmp_path)
        for symbol, said in ((BLANK, "writes nothing"), (3, "repeats itself")):
            with torch.no_grad():
                model.network.decoder.output.bias.zero_()
                model.network.decoder.output.bias[symbol] = 100.0
            capsys.readouterr()
            hear(model, read.validation)
            assert said in capsys.readouterr().err
        text = model.transcribe(sung("ba")).text
        assert "1 text(s) stopped for their length" in capsys.readouterr().err
        assert len(text) == len(model.attention(sung("ba")).symbols) > 2
        for options in ({"max_length": 2}, {"min_length": 2 * len(text)}):
            assert [len(model.transcribe(sung("ba"), **options).text)] == list(options.values())


class TestReach:
    def test_it_is_that_of_the_recordings(self, speller: Model, short_songs_file: Path, tmp_path: Path) -> None:
        read = read_data([short_songs_file], [], speller.config, tmp_path)
        seconds = [len(samples) / SUNG_RATE for samples in read.train.sounds]
        reach = Reach.from_record(speller.record)
        assert reach.seconds == pytest.approx(max(seconds), abs=0.08)
        densest = max(len(s) / n for s, n in zip(read.train.symbols, seconds, strict=True)) * 0.04
        assert reach.density == pytest.approx(densest, rel=0.15)

    @pytest.mark.parametrize("damage", [{"longest_seconds": None}, {"densest": -1.0}, {"longest_seconds": "long"}])
    def test_a_damaged_one_is_refused(self, speller: Model, damage: dict[str, Any]) -> None:
        with pytest.raises(RecurraError, match="train it again"):
            Reach.from_record(speller.record | damage)


class TestTheOtherNetwork:
    def test_what_only_ctc_can_do_is_refused(self, speller: Model) -> None:
        for what, call in (
            ("`hot_words`", lambda: speller.transcribe(sung("a"), hot_words={"a": 1.0})),
            ("transcribing while it listens", speller.listen),
            ("a probability at each step", lambda: speller.log_probs(sung("a"))),
            ("a search over prefixes", speller.decoder),
        ):
            with pytest.raises(OptionError, match=f"{what} is for `network` ctc, and speller attends"):
                call()

    def test_ctc_has_no_attention(self, trained_speech: Path) -> None:
        with pytest.raises(OptionError, match="attention is for `network` attention, and listener has ctc"):
            load(trained_speech, "cpu", task="speech").attention(sung("a"))


class TestRuns:
    def test_a_run_that_goes_on_is_a_run_that_was_not_stopped(
        self, short_songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any]
    ) -> None:
        options = tiny_speech | {"network": "attention", "dropout": 0.2, "evaluations": 2, "steps": 4}
        whole = speech.train(short_songs_file, tmp_path / "a", progress=False, **options)
        speech.train(short_songs_file, tmp_path / "b", progress=False, **options | {"steps": 2})
        again = speech.train(short_songs_file, tmp_path / "b", progress=False, resume=True, steps=4)
        loaded = load(tmp_path / "b", "cpu", task="speech")
        assert loaded.config == again.config
        assert again.record["steps"] == whole.record["steps"] == 4
        assert loaded.attention(sung("ab")).transcript == again.attention(sung("ab")).transcript

    def test_from_a_model_of_its_kind(
        self, trained_speller: Path, trained_speech: Path, short_songs_file: Path
    ) -> None:
        options: dict[str, Any] = {"steps": 1, "evaluations": 1, "batch_seconds": 8.0, "ctc_weight": 0.1}
        tuned = speech.train(
            short_songs_file, from_model=trained_speller, progress=False, network="attention", **options
        )
        begun = load(trained_speller, "cpu", task="speech")
        assert tuned.record["begun_from"] == "speller"
        assert (tuned.config.ctc_weight, begun.config.ctc_weight) == (0.1, 0.0)
        assert tuned.record["cer"] < 0.5

    def test_from_a_model_under_ctc_which_becomes_the_listener(
        self, trained_speech: Path, songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any]
    ) -> None:
        begun = load(trained_speech, "cpu", task="speech")
        options: dict[str, Any] = {"network": "attention", "evaluations": 1, "batch_seconds": 8.0, "decoder_layers": 2}
        nothing = options | {"steps": 1, "learning_rate": 1e-12}
        made = speech.train(songs_file, tmp_path / "a", from_model=begun, progress=False, **nothing)
        assert (made.config.network, made.config.decoder_layers, made.config.ctc_weight) == ("attention", 2, 0.0)
        assert (made.record["begun_from"], made.symbols) == ("listener", begun.symbols)
        for name, weights in begun.network.state_dict().items():
            torch.testing.assert_close(made.network.state_dict()[f"encoder.{name}"], weights)
        once = speech.train(songs_file, from_model=begun, progress=False, steps=1, network="attention")
        assert once.config.learning_rate == 5e-3, "that of a model that begins anew"
        with pytest.raises(OptionError, match=r"`cell` is gru, but listener, .* has lstm"):
            speech.train(songs_file, from_model=trained_speech, progress=False, network="attention", cell="gru")

    def test_what_begins_from_a_model_that_attends_attends(self, trained_speller: Path, short_songs_file: Path) -> None:
        made = speech.train(short_songs_file, from_model=trained_speller, progress=False, steps=1, evaluations=1)
        assert made.config.network == "attention"

    def test_a_transcript_need_not_fit_into_the_steps_without_ctc(
        self, tmp_path: Path, tiny_speech: dict[str, Any]
    ) -> None:
        dense = [("abcd" * 8, sung("a", seed)) for seed in range(12)]
        table = write_recordings(tmp_path / "dense", dense)
        options = tiny_speech | {"network": "attention", "steps": 1, "tokens": "characters"}
        with pytest.raises(RecurraError, match="too short for its transcript"):
            speech.train(table, progress=False, ctc_weight=0.1, **options)
        model = speech.train(table, progress=False, **options)
        assert model.record["densest"] > 1

    @pytest.mark.slow
    def test_letters_are_learnt(self, tmp_path: Path, tiny_speech: dict[str, Any]) -> None:
        train = write_recordings(tmp_path / "train", short_songs(1000))
        fresh = write_recordings(tmp_path / "fresh", short_songs(200, seed=50_000))
        options = tiny_speech | {"steps": 500, "hidden_size": 48, "learning_rate": 0.01, "tokens": "characters"}
        model = speech.train(train, progress=False, network="attention", **options)
        assert model.evaluate(fresh)["cer"] < 0.01
