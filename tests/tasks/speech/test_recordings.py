"""Recordings with transcripts as people have them, and all that is wrong with them told together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recurra import speech
from recurra.errors import RecurraError
from recurra.tasks.speech.recordings import Sounds, open_recordings


def record(path: Path, seconds: float = 0.2, level: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(len(path.name)).uniform(-level, level, round(8000 * seconds))
    soundfile.write(path, samples, 8000)
    return path


def found(*data: Any, **options: Any) -> list[tuple[str, str]]:
    return [(Path(item.name).name, item.text) for item in open_recordings(data, **options).items]


def refusal(*data: Any, **options: Any) -> str:
    with pytest.raises(RecurraError) as error:
        open_recordings(data, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


EXPECTED = [("a.wav", "one two"), ("b.wav", "three, four")]


class TestTables:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        record(tmp_path / "a.wav")
        record(tmp_path / "b.wav", 0.4)
        return tmp_path

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("t.tsv", "file\ttranscript\na.wav\tone two\nb.wav\tthree, four\n"),
            ("t.tsv", "\ufefffile\ttranscript\r\na.wav\tone two\r\nb.wav\tthree, four\r\n"),
            ("t.csv", 'n,path,sentence\n1,a.wav,one two\n2,b.wav,"three, four"\n'),
            (
                "t.jsonl",
                '{"audio_filepath": "a.wav", "text": "one two"}\n{"audio_filepath": "b", "text": "three, four"}\n',
            ),
            ("t.tsv", "a\tone two\nb\tthree, four\n"),
            ("metadata.csv", "a|1 2|one two\nb|3, 4|three, four\n"),
            ("t.txt", "a|one two\nb|three, four\n"),
        ],
        ids=["tsv", "byte order mark and CRLF", "csv", "jsonl", "no header, no endings", "LJSpeech", "two of LJSpeech"],
    )
    def test_every_kind(self, folder: Path, name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8", newline="")
        assert found(folder / name) == EXPECTED

    def test_columns_by_name(self, folder: Path) -> None:
        (folder / "t.tsv").write_text("said\tquality\twhere\none two\tgood\ta.wav\nthree, four\tbad\tb.wav\n")
        assert found(folder / "t.tsv", columns="where,said") == EXPECTED

    def test_how_long_they_are(self, folder: Path) -> None:
        (folder / "t.tsv").write_text("a\tone\nb\ttwo\n")
        assert [item.seconds for item in open_recordings([folder / "t.tsv"]).items] == [0.2, 0.4]

    def test_all_missing_files_are_named_at_once(self, folder: Path) -> None:
        rows = "".join(f"gone{number}.wav\tword\n" for number in range(7))
        (folder / "empty.wav").write_bytes(b"")
        (folder / "t.tsv").write_text(f"file\ttranscript\na.wav\tone\n{rows}")
        message = refusal(folder / "t.tsv")
        assert message.startswith("7 recordings of t.tsv are at fault: ")
        assert all(f"gone{number}.wav: there is no such file" in message for number in range(5))
        assert "and 2 more" in message
        (folder / "t.tsv").write_text("file\ttranscript\na.wav\tone\ngone.wav\ttwo\nempty.wav\tthree\n")
        message = refusal(folder / "t.tsv")
        assert "gone.wav: there is no such file" in message
        assert "empty.wav is empty" in message


class TestFolders:
    def test_common_voice(self, tmp_path: Path) -> None:
        record(tmp_path / "clips" / "x1.flac")
        record(tmp_path / "clips" / "x2.flac")
        rows = ["client_id\tpath\tsentence\tup_votes", "f00\tx1.flac\tOne.\t2", "f01\tx2.flac\tTwo!\t3"]
        (tmp_path / "validated.tsv").write_text("\n".join(rows) + "\n")
        assert found(tmp_path / "validated.tsv") == [("x1.flac", "One."), ("x2.flac", "Two!")]

    def test_ljspeech(self, tmp_path: Path) -> None:
        record(tmp_path / "wavs" / "LJ001-0001.wav")
        (tmp_path / "metadata.csv").write_text("LJ001-0001|In 1910,|In nineteen ten,\n")
        assert found(tmp_path) == [("LJ001-0001.wav", "In nineteen ten,")]

    def test_a_folder_for_each_word(self, tmp_path: Path) -> None:
        for name in ("yes/1.wav", "yes/2.wav", "no/1.wav", "_background_noise_/hum.wav"):
            record(tmp_path / name)
        (tmp_path / "yes" / "notes.txt").write_text("x")
        assert found(tmp_path) == [("1.wav", "no"), ("1.wav", "yes"), ("2.wav", "yes")]
        assert "1 file(s) that are not sound" in open_recordings([tmp_path]).skipped[0]
        (tmp_path / "none").mkdir()
        assert "holds no folders with recordings" in refusal(tmp_path / "none")

    def test_pairs_in_python(self, tmp_path: Path) -> None:
        path = record(tmp_path / "a.wav")
        assert found((path, "one"), (str(path), "two")) == [("a.wav", "one"), ("a.wav", "two")]
        assert "index 1: give (file, transcript)" in refusal((path, "one"), 3)

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        assert "there is no file or folder" in refusal(tmp_path / "nothing.tsv")
        assert "the samples are: sample:morse" in refusal("sample:semaphore")


class TestLearning:
    def refused(self, rows: list[tuple[Any, str]], **options: Any) -> str:
        with pytest.raises(RecurraError) as error:
            speech.train(rows, progress=False, steps=1, hidden_size=4, rate=8000, **options)
        return str(error.value)

    def test_all_faults_are_told_together(self, tmp_path: Path) -> None:
        good = [(record(tmp_path / f"{number}.wav"), "ab") for number in range(20)]
        held = [(record(tmp_path / "held.wav"), "ab")]
        silent = record(tmp_path / "silent.wav", level=0)
        soundfile.write(tmp_path / "clipped.wav", np.sign(np.sin(np.arange(4000))), 8000)
        soundfile.write(tmp_path / "nan.wav", np.full(4000, np.nan), 8000, subtype="FLOAT")
        faulty = [(silent, "a"), (tmp_path / "clipped.wav", "a"), (tmp_path / "nan.wav", "a")]
        message = self.refused([*good, *faulty, (record(tmp_path / "x.wav"), "aabb" * 3)], validation=held)
        assert message.startswith("4 recordings of")
        for part in ("silent.wav: it is silent", "of it is clipped", "samples that are not numbers"):
            assert part in message
        # 200 ms are 18 frames of 25 ms, 10 ms apart: 6 steps of 3; of twelve symbols six are the same as the last one.
        assert "too short for its transcript: 6 steps of 30 ms, and its 12 symbols need 18" in message

    def test_missing_files_are_told_with_the_others(self, tmp_path: Path) -> None:
        good = [(record(tmp_path / f"{number}.wav"), "ab") for number in range(20)]
        message = self.refused([*good, (tmp_path / "gone.wav", "ab"), (record(tmp_path / "still.wav", level=0), "ab")])
        assert "2 recordings" in message
        assert "gone.wav: there is no such file" in message
        assert "still.wav: it is silent" in message

    def test_rare_symbols(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = [(record(tmp_path / f"{number}.wav"), "ab") for number in range(14)]
        rows += [(record(tmp_path / "q.wav"), "aq")]
        options = dict(steps=1, hidden_size=4, rate=8000, tokens="characters", mask_ms=0.0)
        model = speech.train(rows, min_count=2, **options)
        assert model.symbols.names == ("a", "b")
        assert "1 recordings with symbols seen less than 2 times: 'q'" in capsys.readouterr().err
        assert "every recording has a symbol seen less than" in self.refused(rows, min_count=99, tokens="characters")

    def test_bands_that_do_not_fit(self, tmp_path: Path) -> None:
        rows = [(record(tmp_path / f"{number}.wav"), "ab") for number in range(14)]
        for options in ({"high_hz": 9000.0}, {"low_hz": 5000.0}, {"mel_bands": 500}):
            assert "do not fit windows" in self.refused(rows, **options)

    def test_symbols_that_training_has_not(self, tmp_path: Path) -> None:
        good = [(record(tmp_path / f"{number}.wav"), "ab") for number in range(12)]
        message = self.refused(good, validation=[(record(tmp_path / "held.wav"), "abc")], tokens="characters")
        assert "held.wav: its transcript has 'c', which the model has no symbol for" in message

    def test_a_symbol_that_is_drawn_for_validation_is_no_fault(self, tmp_path: Path) -> None:
        rows = [(record(tmp_path / f"{number}.wav"), letter) for number, letter in enumerate("abcdefghijkl")]
        model = speech.train(rows, progress=False, steps=1, hidden_size=4, rate=8000)
        assert model.symbols.names == tuple("abcdefghijkl")

    def test_too_few(self, tmp_path: Path) -> None:
        assert "has 1 recordings; at least 10 are needed" in self.refused([(record(tmp_path / "a.wav"), "a")])


def test_samples_on_disk_are_the_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = [rng.uniform(-1, 1, length).astype(np.float32) for length in (5, 0, 1000)]
    sounds = Sounds.write(tmp_path / "s.bin", given)
    assert len(sounds) == 3
    for index, samples in enumerate(given):
        np.testing.assert_allclose(sounds[index], samples, atol=1 / 32767)
