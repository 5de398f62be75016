"""Options of the search: those of the network's own, and in one sentence which belong to the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from singing import SUNG_RATE, sung

from recurra import load
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError
from recurra.tasks.speech.prefix_search import PrefixSearch
from recurra.tasks.speech.search import Search, chosen

Command = Callable[..., Any]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two letters, sung."""
    soundfile.write(tmp_path / "ba.wav", sung("ba"), SUNG_RATE)
    return tmp_path / "ba.wav"


class TestOptions:
    def test_nothing_given_is_the_default_of_either(self) -> None:
        assert Search().given() == {}
        assert chosen(PrefixSearch, None, {}) == PrefixSearch()
        assert chosen(BeamSearch, None, {}) == BeamSearch()

    def test_what_both_have(self) -> None:
        given = Search(beam_size=7, n_best=2, alpha=0.3).given()
        for kind in (PrefixSearch, BeamSearch):
            assert chosen(kind, None, given) == kind(beam_size=7, n_best=2, alpha=0.3)
        assert chosen(BeamSearch, BeamSearch(min_length=3), {"beam_size": 2}) == BeamSearch(min_length=3, beam_size=2)

    def test_nothing_is_not_the_same_as_not_given(self) -> None:
        assert chosen(PrefixSearch, None, Search(lag=None).given()).lag is None

    @pytest.mark.parametrize(
        ("kind", "given", "message"),
        [
            (BeamSearch, {"lag": 3}, "`lag` is for `network` ctc, and this model has attention; leave it out"),
            (PrefixSearch, {"min_length": 3}, "`min_length` is for `network` attention, and this model has ctc"),
            (PrefixSearch, {"beam_sise": 3}, "there is no option `beam_sise`; did you mean `beam_size`"),
            (BeamSearch, {"beam_size": 5000}, "`beam_size` is 5000, but must be between 1 and 1,000"),
        ],
    )
    def test_refusals(self, kind: Any, given: dict[str, Any], message: str) -> None:
        with pytest.raises(OptionError) as refused:
            chosen(kind, None, given)
        assert message in str(refused.value)

    def test_the_other_search_is_refused(self) -> None:
        with pytest.raises(OptionError, match="`search` is for `network` ctc, and this model has attention; give a"):
            chosen(BeamSearch, PrefixSearch(), {})


class TestCommands:
    def test_options_reach_the_search(self, recurra: Command, trained_speller: Path, recording: Path) -> None:
        command = ["speech", "transcribe", trained_speller, recording]
        assert recurra(*command) == (0, "ba\n", "")
        assert len(recurra(*command, "--beam-size", 3, "--min-length", 4).out) >= 5
        assert recurra(*command, "--max-length", 1).out == "b\n"

    def test_those_of_the_other_network_are_refused(
        self, refused: Command, trained_speller: Path, trained_speech: Path, recording: Path, short_songs_file: Path
    ) -> None:
        words = recording.parent / "words.txt"
        words.write_text("ba\n")
        for options, message in (
            (["--lag", 10], "--lag is for --network ctc, and this model has attention; leave it out"),
            (["--symbol-threshold", "none"], "--symbol-threshold is for --network ctc"),
            (["--hot-words", words], "--hot-words is for --network ctc, and speller attends"),
        ):
            assert message in refused("speech", "transcribe", trained_speller, recording, *options, status=2)
            assert message in refused("speech", "evaluate", trained_speller, short_songs_file, *options, status=2)
        message = refused("speech", "transcribe", trained_speller, "--live", status=2)
        assert "transcribing while it listens is for --network ctc" in message
        message = refused("speech", "transcribe", trained_speech, recording, "--coverage-penalty", 1, status=2)
        assert "--coverage-penalty is for --network attention, and this model has ctc" in message

    def test_json_and_subtitles(self, recurra: Command, trained_speller: Path, recording: Path) -> None:
        value = json.loads(recurra("speech", "transcribe", trained_speller, recording, "--json").out)
        ((word,),) = [found["words"] for found in value["recordings"]]
        assert (value["text"], word["text"]) == ("ba", "ba")
        assert 0 <= word["start"] < word["end"] <= value["recordings"][0]["seconds"]
        assert 0 < word["confidence"] <= 1
        out = recording.parent / "ba.srt"
        assert recurra("speech", "transcribe", trained_speller, recording, "--out", out).status == 0
        assert out.read_text().startswith("1\n00:00:00,")

    def test_evaluating_is_transcribing(
        self, recurra: Command, trained_speller: Path, short_songs_file: Path, tmp_path: Path
    ) -> None:
        value = json.loads(recurra("speech", "evaluate", trained_speller, short_songs_file, "--json").out)
        out = tmp_path / "all.tsv"
        assert recurra("speech", "evaluate", trained_speller, short_songs_file, "--out", out).status == 0
        rows = [line.split("\t") for line in out.read_text().splitlines()[1:]]
        model = load(trained_speller, "cpu", task="speech")
        assert [model.transcribe(path).text for path, *_ in rows[:10]] == [heard for *_, heard in rows[:10]]
        assert (value["count"], len(rows)) == (160, 160)
        assert value["cer"] < 0.1
