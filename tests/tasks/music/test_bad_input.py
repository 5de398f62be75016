"""Every bad input to the music task: one line that says what is wrong and what to do, nothing half-written."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import enlarge, flip, seal, snapshot
from safetensors.torch import load_file, save_file

from recurra.tasks.music.io.midi import write_midi
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track

Refused = Callable[..., str]


@pytest.fixture
def train_refused(refused: Refused, tmp_path: Path, tiny_options: list[str]) -> Refused:
    """A training that must be refused and leave the disk as it was."""

    def run(*arguments: object, **options: Any) -> str:
        if "--out" not in arguments:
            arguments += ("--out", tmp_path / "new" / "band")
        before = snapshot(tmp_path)
        message = refused("music", "train", *arguments, *tiny_options, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


@pytest.fixture
def compose_refused(refused: Refused, trained_music: Path, tmp_path: Path) -> Refused:
    """A composition that must be refused and write nothing."""

    def run(*arguments: object, model: Path = trained_music, **options: Any) -> str:
        if "--out" not in arguments:
            arguments += ("--out", tmp_path / "piece.mid")
        before = snapshot(tmp_path)
        message = refused("music", "compose", model, *arguments, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


def save(folder: Path, name: str, notes: list[Note], meter: tuple[int, int] = (4, 4), length: int = 0) -> Path:
    tracks = (Track("Flute", 73), Track("Violin", 40), Track("Drums", drums=True))
    length = max([length, *(note.end for note in notes)])
    write_midi(Piece(name, tracks, tuple(notes), length, (Meter(0, *meter),), (Tempo(0, 100.0),)), folder / name)
    return folder / name


class TestMusic:
    def test_none_or_missing(self, train_refused: Refused, tmp_path: Path) -> None:
        assert "name a music file, a folder or sample:chorales" in train_refused(status=2)
        message = train_refused(tmp_path / "missing.mid")
        assert "missing.mid" in message
        assert "check the name" in message
        assert "the samples are: sample:chorales" in train_refused("sample:klingon")

    def test_files_that_are_no_music(self, train_refused: Refused, tmp_path: Path) -> None:
        for name, content in [
            ("a.mid", b""),
            ("a.mid", b"MThd"),
            ("a.mp3", b"ID3"),
            ("a.musicxml", b"<a"),
            ("a", b"x"),
        ]:
            (tmp_path / name).write_bytes(content)
            assert name in train_refused(tmp_path / name)

    def test_a_folder_without_music_or_with_nothing_but_broken_files(
        self, train_refused: Refused, tmp_path: Path
    ) -> None:
        (tmp_path / "songs").mkdir()
        (tmp_path / "songs" / "words.txt").write_text("la la la")
        assert "songs holds no" in train_refused(tmp_path / "songs")
        for name in ("a.mid", "b.mid"):
            (tmp_path / "songs" / name).write_bytes(b"MThd nonsense")
        assert "no readable music" in train_refused(tmp_path / "songs")

    def test_too_few_notes(self, train_refused: Refused, tmp_path: Path) -> None:
        notes = [Note(12 * place, 12, 60 + place % 5) for place in range(52)]
        message = train_refused(save(tmp_path, "short.mid", notes))
        assert "short.mid is too short to train on: 48 notes besides the validation part, at least 50" in message
        assert "too short" in train_refused(save(tmp_path, "one.mid", notes[:1]))

    def test_pieces_without_a_note(self, train_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "rolls.json").write_text(json.dumps([[[], [], []]] * 7))
        assert "too short to train on: 0 notes" in train_refused(tmp_path / "rolls.json", "--tokens", "frames")

    def test_nothing_but_drums_as_frames(self, train_refused: Refused, tmp_path: Path) -> None:
        path = save(tmp_path, "drums.mid", [Note(12 * place, 12, 36, 80, 2) for place in range(200)])
        assert "drums" in train_refused(path, "--tokens", "frames")

    @pytest.mark.parametrize(
        ("tokens", "option", "message"),
        [
            ("frames", ("--velocity",), "--velocity does nothing for --tokens frames"),
            ("notes", ("--stretch", "0.2"), "--stretch does nothing for --tokens notes"),
            ("performance", ("--lookback", "4"), "--lookback does nothing for --tokens performance"),
        ],
    )
    def test_options_that_would_do_nothing(
        self, train_refused: Refused, music_folder: Path, tokens: str, option: tuple[str, ...], message: str
    ) -> None:
        assert message in train_refused(music_folder, "--tokens", tokens, *option, status=2)

    def test_a_validation_part_that_is_missing_or_silent(
        self, train_refused: Refused, music_folder: Path, tmp_path: Path
    ) -> None:
        assert "missing.mid" in train_refused(music_folder, "--validation", tmp_path / "missing.mid")
        (tmp_path / "rolls.json").write_text(json.dumps([[[]]]))
        message = train_refused(music_folder, "--validation", tmp_path / "rolls.json")
        assert "the validation part, rolls.json, has no notes" in message

    @pytest.mark.parametrize(
        ("options", "name"),
        [(["--frame", 0], "--frame"), (["--frame", 49], "--frame"), (["--transpose", 7], "--transpose"),
         (["--tokens", "klingon"], "--tokens"), (["--hidden-size", 0], "--hidden-size")],
    )  # fmt: skip
    def test_options(
        self, refused: Refused, music_folder: Path, tmp_path: Path, options: list[object], name: str
    ) -> None:
        message = refused("music", "train", music_folder, "--out", tmp_path / "m", *options, status=2)
        assert name in message
        assert not list(tmp_path.iterdir())

    def test_what_exists_is_not_replaced_unasked(
        self, train_refused: Refused, music_folder: Path, music_model: Path
    ) -> None:
        message = train_refused(music_folder, "--out", music_model)
        assert "band exists already" in message
        assert "--overwrite" in message
        assert "--resume" in message

    def test_another_collection_for_a_resumed_run(
        self, refused: Refused, music_folder: Path, music_model: Path, tiny_options: list[str]
    ) -> None:
        options = [
            "50" if last == "--steps" else each for last, each in zip(["", *tiny_options], tiny_options, strict=False)
        ]
        before = snapshot(music_model)
        command = ["music", "train", music_folder / "tune-0.mid", "--out", music_model, "--resume", *options]
        message = refused(*command, "--learning-rate", 0.02)
        assert "the data are not those that the run of" in message
        assert snapshot(music_model) == before


class TestControls:
    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (["--key", "C major", "--chords", "C | F#"], ["--key", "--chords"]),
            (["--key", "C major", "--range", "61-61"], ["--key", "--range"]),
            (["--key", "C minorish"], ["C minorish"]),
            (["--chords", "C | Hm"], ["Hm", "bar 2"]),
            (["--range", "C5-C4"], ["--range"]),
            (["--range", "Tuba=C3-C4"], ["Tuba", "1 Flute, 2 Violin, 3 Bass, 4 Drums"]),
            (["--range", "Drums=C3-C4"], ["--range", "drums"]),
            (["--meter", "5/4"], ["5/4", "--meter", "3/4"]),
            (["--meter", "waltz"], ["waltz", "3/4"]),
            (["--bars", 0], ["--bars"]),
            (["--bars", 2001], ["--bars"]),
            (["--voices", 0], ["--voices"]),
            (["--tempo", 0], ["--tempo"]),
            (["--tempo", "nan"], ["--tempo"]),
            (["--swing", 0.3], ["--swing"]),
            (["--samples", 0], ["--samples"]),
            (["--temperature", 0], ["--temperature"]),
            (["--seed", -1], ["--seed"]),
            (["--prime-bars", 2], ["--prime-bars", "--prime"]),
            (["--melody-track", 2], ["--melody-track", "--melody"]),
            (["--roll", "a.svg"], ["a.svg", ".png"]),
            (["--score", "a.pdf"], ["a.pdf", ".svg", ".png"]),
            (["--roll", "a.png", "--score", "a.png"], ["--roll", "--score"]),
            (["--soundfont", "a.sf2"], ["--soundfont", "piece.mid"]),
            (["--out", "a.txt"], ["a.txt", ".mid", ".mp3"]),
            (["--out", "a"], [".mid"]),
            (["--out", "a.musicxml", "--swing", 0.6], ["--swing", "a.musicxml"]),
        ],
        ids=lambda value: " ".join(map(str, value)),
    )
    def test_what_is_wrong_is_named(
        self, compose_refused: Refused, options: list[object], names: list[str], monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        monkeypatch.chdir(tmp_path)
        message = compose_refused(*options, status=2)
        assert all(name in message for name in names), message

    def test_a_beginning_that_cannot_be(self, compose_refused: Refused, music_folder: Path, tmp_path: Path) -> None:
        prime = music_folder / "tune-0.mid"
        for options, names in [
            (["--prime", prime, "--bars", 6], ["--prime has 6 bars", "--bars asks for 6"]),
            (["--prime", prime, "--bars", 2], ["--prime has 6 bars", "--bars asks for 2"]),
            (["--prime", prime, "--prime-bars", 7], ["--prime-bars asks for 7", "tune-0.mid has only 6"]),
            (["--prime", prime, "--prime-bars", 0], ["--prime-bars"]),
            (["--prime", prime, "--meter", "3/4"], ["--meter 3/4", "--prime"]),
            (["--prime", prime, "--melody", prime], ["--prime", "--melody"]),
        ]:
            message = compose_refused(*options, status=2)
            assert all(name in message for name in names), message
        odd = save(tmp_path, "odd.mid", [Note(12 * place, 12, 60) for place in range(15)], (5, 4))
        assert "--prime has 5/4, which the model does not know" in compose_refused("--prime", odd, status=2)
        assert "--melody has 5/4, which the model does not know" in compose_refused("--melody", odd, status=2)

    def test_files_that_cannot_be_read(self, compose_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "broken.mid").write_bytes(b"MThd nonsense")
        for option in ("--prime", "--melody"):
            assert "missing.mid" in compose_refused(option, tmp_path / "missing.mid")
            assert "broken.mid" in compose_refused(option, tmp_path / "broken.mid")

    def test_a_melody_that_cannot_be(self, compose_refused: Refused, music_folder: Path, tmp_path: Path) -> None:
        melody = save(tmp_path, "m.mid", [Note(0, 12, 61), Note(0, 24, 65), Note(24, 24, 66)])
        for options, name in [
            (["--key", "C major"], "--key"),
            (["--range", "C6-C7"], "--range"),
            (["--chords", "C"], "--chords"),
            (["--voices", 1], "--voices"),
            (["--melody-track", "Tuba"], "Tuba"),
            (["--melody-track", 3], "1 Flute"),
        ]:
            message = compose_refused("--melody", melody, *options, status=2)
            assert name in message, message
        low = save(tmp_path, "low.mid", [Note(0, 12, 12)])
        assert "transpose --melody" in compose_refused("--melody", low, status=2)
        drums = save(tmp_path, "drums.mid", [Note(12 * place, 12, 38, 80, 2) for place in range(4)])
        assert "no voice to harmonise" in compose_refused("--melody", drums, status=2)

    def test_places_that_cannot_be_written(self, compose_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text("a file")
        for option in ("--out", "--roll", "--score"):
            place = tmp_path / "plain" / ("a.mid" if option == "--out" else "a.png")
            assert "failed" in compose_refused(option, place)

    def test_broken_soundfonts(self, compose_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "a.sf2").write_bytes(b"RIFF\xff\xff\xff\x7fsfbk" + b"\0" * 99)
        for font in ("a.sf2", "missing.sf2"):
            message = compose_refused("--soundfont", tmp_path / font, "--out", tmp_path / "a.wav", "--bars", 1)
            assert font in message


def vocabulary(**entries: Any) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        values = json.loads((folder / "vocabulary.json").read_text()) | entries
        (folder / "vocabulary.json").write_text(json.dumps(values))
        seal(folder)

    return rewrite


def corpus(path: Path, **tensors: Any) -> None:
    save_file({**load_file(path), **tensors}, path)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "there is no model folder"),
    "altered weights": (lambda folder: flip(folder / "model.safetensors"), "truncated or altered"),
    "without vocabulary": (lambda folder: (folder / "vocabulary.json").unlink(), "there is no such file"),
    "other pitches": (vocabulary(highest=127), "do not belong together"),
    "pitches upside down": (vocabulary(lowest=90, highest=30), "not a vocabulary of music"),
    "a kind of its own": (vocabulary(kind="os.system"), "not a vocabulary of music"),
    "frames that are none": (vocabulary(frame=12), "not a vocabulary of music"),
    "steps out of order": (vocabulary(steps=[3, 1]), "not a vocabulary of music"),
    "no steps": (vocabulary(steps=[]), "not a vocabulary of music"),
    "enormous durations": (vocabulary(durations=[10**12]), "not a vocabulary of music"),
    "countless metres": (vocabulary(meters=[[4, 4]] * 10**5), "not a vocabulary of music"),
    "a metre without beats": (vocabulary(meters=[[0, 4]]), "not a vocabulary of music"),
    "tracks of another kind": (vocabulary(tracks="Flute"), "not a vocabulary of music"),
    "a tempo that is none": (vocabulary(tempo="fast"), "not a vocabulary of music"),
    "drums beyond MIDI": (vocabulary(drums=[300]), "not a vocabulary of music"),
    "truncated pieces": (
        lambda folder: (folder / "pieces.safetensors").write_bytes((folder / "pieces.safetensors").read_bytes()[:-9]),
        "pieces.safetensors is damaged",
    ),
    "pieces without names": (
        lambda folder: save_file({"a": torch.zeros(1)}, folder / "pieces.safetensors"),
        "pieces.safetensors is damaged",
    ),
    "pieces with impossible pitches": (
        lambda folder: corpus(
            folder / "pieces.safetensors", pitch=load_file(folder / "pieces.safetensors")["pitch"] + 120
        ),
        "pieces.safetensors",
    ),
}
VERBS: dict[str, list[str]] = {
    "compose": ["--out", "OUT", "--bars", "1"], "evaluate": ["MUSIC"], "compare": ["MUSIC"]
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_model_is_refused_by_every_verb(
    refused: Refused, music_model: Path, music_folder: Path, tmp_path: Path, how: str, verb: str
) -> None:
    harm, complaint = BROKEN[how]
    harm(music_model)
    given = {"MUSIC": str(music_folder), "OUT": str(tmp_path / "new" / "a.mid")}
    before = snapshot(tmp_path)
    message = refused("music", verb, music_model, *(given.get(option, option) for option in VERBS[verb]))
    assert complaint in message
    assert str(music_model) in message
    assert snapshot(tmp_path) == before


def test_models_of_another_task(
    refused: Refused, trained_folder: Path, trained_music: Path, corpus_file: Path, music_folder: Path, tmp_path: Path
) -> None:
    message = refused("music", "compose", trained_folder, "--out", tmp_path / "a.mid")
    assert "is a text model, not a music model" in message
    assert "is a text model" in refused("music", "evaluate", trained_folder, music_folder)
    assert "is a music model, not a text model" in refused("text", "write", trained_music, "--length", 3)
    assert "is a music model" in refused("text", "evaluate", trained_music, corpus_file)
    assert "not a trained model" in refused("music", "compose", music_folder, "--out", tmp_path / "a.mid")


def hide(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As if a package were not installed."""
    monkeypatch.setitem(sys.modules, name, None)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda other, *rest: None if other == name else find(other, *rest))


class TestMissingPackages:
    REMEDY = "pip install 'recurra[music]'"

    def test_symusic(
        self, train_refused: Refused, compose_refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide(monkeypatch, "symusic")
        (tmp_path / "a.abc").write_text("X:1\nK:C\nCDEF|\n")
        assert self.REMEDY in train_refused(tmp_path / "a.abc")
        assert self.REMEDY in compose_refused("--bars", 1)

    def test_music21(self, train_refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        hide(monkeypatch, "music21")
        (tmp_path / "a.krn").write_text("**kern\n4c\n*-\n")
        assert self.REMEDY in train_refused(tmp_path / "a.krn")
        assert self.REMEDY in train_refused("sample:chorales")

    def test_soundfile(self, compose_refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        hide(monkeypatch, "soundfile")
        assert self.REMEDY in compose_refused("--bars", 1, "--out", tmp_path / "a.mp3")

    def test_verovio(self, refused: Refused, recurra: Callable[..., Any], trained_music: Path, tmp_path: Path,
                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
        hide(monkeypatch, "verovio")
        options = ["--bars", 1, "--out", tmp_path / "a.mid", "--score", tmp_path / "a.svg"]
        assert self.REMEDY in refused("music", "compose", trained_music, *options)
        assert not (tmp_path / "a.svg").exists()


def test_evaluating_what_cannot_be(refused: Refused, trained_music: Path, tmp_path: Path) -> None:
    assert "missing.mid" in refused("music", "evaluate", trained_music, tmp_path / "missing.mid")
    assert "missing.mid" in refused("music", "compare", trained_music, tmp_path / "missing.mid")
    assert "name a music file or a folder" in refused("music", "compare", trained_music, status=2)
    piece = save(tmp_path, "a.mid", [Note(0, 12, 60)])
    message = refused("music", "compare", trained_music, piece, "--out", tmp_path / "a.txt", status=2)
    assert "a.txt: its name must end in .png" in message


def test_a_piece_of_ten_thousand_bars_is_no_beginning(compose_refused: Refused, tmp_path: Path) -> None:
    notes = [Note(48 * bar, 12, 60 + bar % 5) for bar in range(2100)]
    long = save(tmp_path, "long.mid", notes)
    message = compose_refused("--prime", long, "--bars", 2000, status=2)
    assert "--prime has 2100 bars" in message


@pytest.mark.parametrize("verb", ["compose", "evaluate", "explain"])
def test_a_model_of_huge_weights(
    refused: Refused, music_model: Path, music_folder: Path, tmp_path: Path, verb: str
) -> None:
    enlarge(music_model)
    before = snapshot(tmp_path)
    rest = {
        "compose": ["--bars", 1, "--out", tmp_path / "a.mid"],
        "evaluate": [music_folder],
        "explain": [music_folder, "--out", tmp_path / "p.html"],
    }
    assert "not numbers" in refused("music", verb, music_model, *rest[verb])
    assert snapshot(tmp_path) == before
