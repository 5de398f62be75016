"""Music from a folder of pieces to a new piece that can be heard: every figure against another way to get it."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mido
import numpy as np
import pytest
import soundfile
import torch
from runs import run, start
from safetensors.torch import load_file

import recurra as package
from recurra import modelfile, music
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError
from recurra.tasks.music import model as module
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls
from recurra.tasks.music.io.midi import read_midi, write_midi
from recurra.tasks.music.model import Model
from recurra.tasks.music.pieces import Note, Piece, Tempo, bar_lines
from recurra.tasks.music.transcription import encode
from recurra.training import run_folder

Command = Callable[..., Any]


def composed(recurra: Command, model: Path, out: Path, *options: object) -> dict[str, Any]:
    answer = recurra("music", "compose", model, "--out", out, "--json", *options)
    assert answer.status == 0, answer
    assert answer.out.count("\n") == 1
    value = json.loads(answer.out)
    assert value["count"] == len(value["pieces"])
    assert value["path"] == value["pieces"][0]["path"]
    return value


class TestReading:
    """Every command that reads music tells what was wrong with it, and has the same options."""

    COMMANDS = ("compare", "evaluate", "explain", "compose")

    @pytest.fixture
    def damaged(self, music_folder: Path, tmp_path: Path) -> Path:
        path = tmp_path / "damaged.mid"
        path.write_bytes((music_folder / "tune-0.mid").read_bytes()[:-4])
        return path

    @staticmethod
    def arguments(command: str, model: Path, data: Path, out: Path) -> list[object]:
        if command == "compose":
            return [command, model, "--prime", data, "--prime-bars", 2, "--bars", 3, "--out", out / "a.mid"]
        return [command, model, data, *(["--out", out / "a.html"] if command == "explain" else [])]

    @pytest.mark.parametrize("command", COMMANDS)
    def test_what_is_repaired_is_told_and_strict_refuses_it(
        self, recurra: Command, refused: Command, trained_music: Path, damaged: Path, tmp_path: Path, command: str
    ) -> None:
        arguments = self.arguments(command, trained_music, damaged, tmp_path)
        assert "track 4 is cut off; leave out --strict" in refused("music", *arguments, "--strict")
        if command != "explain":  # which takes long
            answer = recurra("music", *arguments)
            assert answer.status == 0, answer
            assert "repaired: damaged.mid: track 4 is cut off" in answer.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_charset_is_checked(
        self, recurra: Command, trained_music: Path, damaged: Path, tmp_path: Path, command: str
    ) -> None:
        answer = recurra("music", *self.arguments(command, trained_music, damaged, tmp_path), "--charset", "klingon")
        assert answer.status == 2
        assert "--charset is 'klingon'" in answer.err

    def test_training_tells_and_obeys_too(
        self, recurra: Command, refused: Command, damaged: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        train = ["music", "train", damaged, "--out", tmp_path / "band", *tiny_options]
        assert "--strict" in refused(*train, "--strict")
        assert "repaired: damaged.mid: track" in recurra(*train).err


class TestTraining:
    def test_a_model_folder_is_made_and_says_how_good_it_is(
        self, recurra: Command, music_folder: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        out = tmp_path / "deep" / "band"
        answer = recurra("music", "train", music_folder, "--out", out, *tiny_options)
        assert (answer.status, answer.out) == (0, "")
        assert f"recurra music compose {out}" in answer.err
        assert {
            "config.json", "model.safetensors", "vocabulary.json", "pieces.safetensors", "README.md", "loss.png"
        } <= {path.name for path in out.iterdir()}  # fmt: skip
        assert [path.name for path in out.parent.iterdir()] == ["band"]
        record = json.loads((out / "config.json").read_text(encoding="utf-8"))["record"]
        card = (out / "README.md").read_text(encoding="utf-8")
        assert "5 pieces of tunes" in card
        assert f"{record['nats_per_frame']:.4f} nats a frame" in card
        # Of six pieces, the last is kept for validation: its figures are those of evaluating it.
        figures = json.loads(recurra("music", "evaluate", out, music_folder / "tune-5.mid", "--json").out)
        assert record["nats_per_frame"] == pytest.approx(figures["nats_per_frame"], rel=1e-5)
        assert record["bits_per_note"] == pytest.approx(figures["bits_per_note"], rel=1e-5)
        assert record["validation_count"] == figures["count"] == 6 * 3 - 1

    def test_a_validation_file_and_pieces_of_every_kind(
        self, recurra: Command, music_folder: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        options = ["--validation", music_folder / "tune-0.mid", *tiny_options]
        assert recurra("music", "train", music_folder, "--out", tmp_path / "m", *options).status == 0
        record = modelfile.load(tmp_path / "m").record
        assert record["validation"] == "tune-0.mid"
        assert record["pieces"] == 6

    def test_one_file_alone_is_validated_on_its_end(
        self, recurra: Command, music_folder: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        answer = recurra("music", "train", music_folder / "tune-0.mid", "--out", tmp_path / "m", *tiny_options)
        assert answer.status == 0, answer
        model = Model.load(tmp_path / "m")
        assert model.record["validation"] == "the last bars of tune-0.mid"
        assert model.training_pieces()[0].length == 5 * 48
        assert recurra("music", "compose", tmp_path / "m", "--out", tmp_path / "a.mid", "--bars", 2).status == 0

    def test_what_is_left_out_of_a_folder_is_said(
        self, recurra: Command, music_folder: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        folder = tmp_path / "pieces"
        folder.mkdir()
        for path in music_folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "broken.mid").write_bytes(b"MThd nonsense")
        (folder / "cover.jpg").write_bytes(b"\xff\xd8")
        answer = recurra("music", "train", folder, "--out", tmp_path / "m", *tiny_options)
        assert answer.status == 0
        assert "left out:" in answer.err
        assert "broken.mid" in answer.err
        assert "1 file(s) left out" in answer.err
        assert modelfile.load(tmp_path / "m").record["pieces"] == 5

    @pytest.mark.parametrize(
        "options",
        [["--tokens", "frames", "--frame", 3], ["--tokens", "frames"], ["--velocity"], ["--no-tracks"],
         ["--transpose", 0, "--cell", "gru"]],
        ids=lambda options: " ".join(map(str, options)),
    )  # fmt: skip
    def test_every_kind_of_tokens_from_pieces_to_a_piece(
        self, recurra: Command, music_folder: Path, tmp_path: Path, tiny_options: list[str], options: list[object]
    ) -> None:
        out = tmp_path / "m"
        answer = recurra("music", "train", music_folder, "--out", out, *options, *tiny_options)
        assert answer.status == 0, answer
        model = Model.load(out)
        assert model.notation.frame == (0 if "--tokens" not in options else 3 if 3 in options else 12)
        assert model.notation.velocity == ("--velocity" in options)
        assert bool(model.notation.tracks) == ("--no-tracks" not in options and "--tokens" not in options)
        if "--tokens" in options:
            assert "drum notes" in answer.err, "what is lost is said"
        figures = json.loads(recurra("music", "evaluate", out, music_folder, "--json").out)
        assert math.isfinite(figures["nats_per_frame"])
        value = composed(recurra, out, tmp_path / "a.mid", "--bars", 3, "--meter", "3/4", "--seed", 2)
        assert value["pieces"][0]["bars"] == 3
        if value["pieces"][0]["notes"]:
            assert read_midi(tmp_path / "a.mid").meters[0][1:] == (3, 4)

    def test_piano_rolls(self, recurra: Command, tmp_path: Path, tiny_options: list[str]) -> None:
        rng = np.random.default_rng(0)
        rolls = [[sorted({int(p) for p in rng.integers(50, 70, size=3)}) for _ in range(20)] for _ in range(6)]
        (tmp_path / "rolls.json").write_text(json.dumps(rolls))
        options = ["--tokens", "frames", "--frame", 6, *tiny_options]
        answer = recurra("music", "train", tmp_path / "rolls.json", "--out", tmp_path / "m", *options)
        assert answer.status == 0, answer
        figures = json.loads(recurra("music", "evaluate", tmp_path / "m", tmp_path / "rolls.json", "--json").out)
        assert figures["count"] == 6 * 19
        # A beginning from a roll is read with the frames of the model: two bars are 16 of them.
        (tmp_path / "one.json").write_text(json.dumps(rolls[:1]))
        options = ["--prime", tmp_path / "one.json", "--prime-bars", 2, "--bars", 4, "--seed", 1]
        composed(recurra, tmp_path / "m", tmp_path / "a.mid", *options)
        there = read_midi(tmp_path / "a.mid")
        for place in range(16):
            sounding = sorted(n.pitch for n in there.notes if n.onset <= 6 * place < n.end)
            assert sounding == rolls[0][place]

    def test_drums_alone_are_music_too(
        self, recurra: Command, tmp_path: Path, tiny_options: list[str], tunes: tuple[Piece, ...]
    ) -> None:
        beats = [Note(48 * bar + 12 * beat, 6, 36 + beat, 90, 3) for bar in range(24) for beat in range(4)]
        write_midi(Piece("d", tunes[0].tracks, tuple(beats), 24 * 48), tmp_path / "drums.mid")
        options = ["--out", tmp_path / "m", *tiny_options]
        answer = recurra("music", "train", tmp_path / "drums.mid", *options)
        assert answer.status == 0, answer
        for end in (".mid", ".wav", ".musicxml"):
            answer = recurra("music", "compose", tmp_path / "m", "--out", tmp_path / f"a{end}", "--bars", 4)
            assert answer.status == 0, answer
        assert any(track.drums for track in read_midi(tmp_path / "a.mid").tracks)

    def test_the_same_seed_trains_the_same_model(
        self, music_folder: Path, tmp_path: Path, tiny: dict[str, Any]
    ) -> None:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            music.train(music_folder, tmp_path / name, Config(**tiny, seed=seed))
        weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
        assert weights["a"] == weights["b"]
        assert weights["a"] != weights["c"]

    def test_a_run_that_is_done_goes_on(
        self, recurra: Command, music_folder: Path, music_model: Path, tiny_options: list[str]
    ) -> None:
        more = [*tiny_options, "--steps", 40, "--learning-rate", 0.02]
        del more[more.index("--steps") : more.index("--steps") + 2]
        answer = recurra("music", "train", music_folder, "--out", music_model, "--resume", *more)
        assert answer.status == 0, answer
        assert modelfile.load(music_model).record["steps"] == 40
        assert Model.load(music_model).training is not None


@pytest.mark.slow
def test_a_killed_run_that_is_resumed_gives_the_same_bits(music_folder: Path, tmp_path: Path) -> None:
    options = [
        *("--hidden-size", "12", "--embedding-size", "8", "--num-layers", "1", "--dropout", "0.2", "--steps", "400"),
        *("--batch-size", "4", "--sequence-length", "16", "--evaluations", "4", "--checkpoint-seconds", "0.05"),
    ]
    pieces = str(music_folder)
    status, said = run("music", "train", pieces, "--out", str(tmp_path / "once"), *options)
    assert status == 0, said
    process = start("music", "train", pieces, "--out", str(tmp_path / "twice"), *options)
    path = tmp_path / "twice.training" / run_folder.CHECKPOINT
    for _ in range(2000):
        if path.exists() and run_folder.read_figures(path)["trainer_state"]["step"] >= 20:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert not (tmp_path / "twice").exists()
    status, said = run("music", "train", pieces, "--out", str(tmp_path / "twice"), "--resume", *options)
    assert status == 0, said
    once, twice = (load_file(tmp_path / name / "model.safetensors") for name in ("once", "twice"))
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


class TestComposing:
    def test_json_is_what_is_in_the_file(self, recurra: Command, trained_music: Path, tmp_path: Path) -> None:
        options = ["--bars", 4, "--meter", "4/4", "--seed", 3, "--temperature", 0.7]
        value = composed(recurra, trained_music, tmp_path / "a.mid", *options)
        assert value["path"] == str(tmp_path / "a.mid")
        piece = read_midi(tmp_path / "a.mid")
        one = value["pieces"][0]
        assert (one["seed"], one["bars"], one["notes"]) == (3, 4, len(piece.notes))
        made = package.load(str(trained_music)).compose(
            Controls(bars=4, meter="4/4"), Sampling(seed=3, temperature=0.7)
        )
        write_midi(made, tmp_path / "b.mid")
        assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a.mid").read_bytes()
        copy = one["copy"]
        assert copy is None or 0 < copy["share"] <= 1
        assert copy is None or copy["corpus_name"].startswith("tune-")

    def test_samples_are_numbered_and_those_of_other_seeds_are_others(
        self, recurra: Command, trained_music: Path, tmp_path: Path
    ) -> None:
        options = ["--bars", 2, "--roll", tmp_path / "a.png", "--score", tmp_path / "a.svg"]
        value = composed(recurra, trained_music, tmp_path / "a.mid", "--samples", 3, "--seed", 10, *options)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == sorted(f"a-{number}.{kind}" for number in (1, 2, 3) for kind in ("mid", "png", "svg"))
        assert [(one["seed"], one["sample"]) for one in value["pieces"]] == [(10, 1), (10, 2), (10, 3)]
        composed(recurra, trained_music, tmp_path / "b.mid", "--seed", 10, "--bars", 2)
        assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a-1.mid").read_bytes()
        composed(recurra, trained_music, tmp_path / "b.mid", "--seed", 11, "--bars", 2)
        for number in (1, 2, 3):
            assert (tmp_path / "b.mid").read_bytes() != (tmp_path / f"a-{number}.mid").read_bytes()
            assert (tmp_path / f"a-{number}.png").read_bytes().startswith(b"\x89PNG")
            assert ElementTree.parse(tmp_path / f"a-{number}.svg").getroot().tag.endswith("svg")
        assert len({(tmp_path / f"a-{number}.mid").read_bytes() for number in (1, 2, 3)}) == 3

    def test_files_are_told_on_standard_output_and_the_rest_beside_it(
        self, recurra: Command, trained_music: Path, tmp_path: Path
    ) -> None:
        options = ["--out", tmp_path / "a.mid", "--roll", tmp_path / "a.png", "--bars", 2]
        answer = recurra("music", "compose", trained_music, *options)
        assert answer.out == f"{tmp_path / 'a.mid'}\n{tmp_path / 'a.png'}\n"
        seed = answer.err.split("seed ")[1].split()[0]
        assert "training pieces" in answer.err
        first = (tmp_path / "a.mid").read_bytes()
        assert recurra("music", "compose", trained_music, *options, "--seed", seed).status == 0
        assert (tmp_path / "a.mid").read_bytes() == first

    def test_a_model_without_its_pieces_composes_and_says_what_it_does_not_know(
        self, recurra: Command, refused: Callable[..., str], music_model: Path, tmp_path: Path
    ) -> None:
        (music_model / "pieces.safetensors").unlink()
        answer = recurra("music", "compose", music_model, "--out", tmp_path / "a.mid", "--bars", 2)
        assert answer.status == 0
        assert "without its training pieces" in answer.err
        value = composed(recurra, music_model, tmp_path / "a.mid", "--bars", 2)
        assert value["pieces"][0]["copy"] is None
        assert "pieces.safetensors" in refused("music", "compare", music_model, tmp_path / "a.mid")

    def test_it_goes_on_from_a_file(
        self, recurra: Command, trained_music: Path, music_folder: Path, tmp_path: Path
    ) -> None:
        source = music_folder / "tune-4.mid"
        options = ["--prime", source, "--prime-bars", 2, "--bars", 5, "--seed", 1]
        composed(recurra, trained_music, tmp_path / "a.mid", *options)
        begin, whole = read_midi(source), read_midi(tmp_path / "a.mid")
        border = 2 * 36
        assert [note[:3] for note in whole.notes if note.onset < border] == [
            (n.onset, min(n.duration, border - n.onset), n.pitch) for n in begin.notes if n.onset < border
        ]
        assert whole.meters[0][1:] == (3, 4)
        assert whole.tempos == begin.tempos
        # Sixteen more if nobody says how many, and all of the prime.
        value = composed(recurra, trained_music, tmp_path / "b.mid", "--prime", source)
        assert value["pieces"][0]["bars"] == 6 + 16

    def test_what_of_a_beginning_the_model_cannot_read_is_said(
        self, recurra: Command, trained_music: Path, tmp_path: Path, tunes: tuple[Piece, ...]
    ) -> None:
        high = Note(0, 12, 120, 80, 0)
        write_midi(Piece("x", tunes[0].tracks, (high, *tunes[0].notes), tunes[0].length), tmp_path / "x.mid")
        options = ["--prime", tmp_path / "x.mid", "--prime-bars", 1, "--bars", 2, "--out", tmp_path / "a.mid"]
        answer = recurra("music", "compose", trained_music, *options)
        assert answer.status == 0
        assert "x.mid: 1 notes of pitches" in answer.err

    @pytest.mark.parametrize("track", [None, "Violin", "violin", "2", "3"])
    def test_it_harmonises_a_voice(
        self, recurra: Command, trained_music: Path, music_folder: Path, tmp_path: Path, track: str | None
    ) -> None:
        source = read_midi(music_folder / "tune-2.mid")
        place = {None: 0, "3": 2}.get(track, 1)
        options = ["--melody", music_folder / "tune-2.mid", *(["--melody-track", track] if track else [])]
        value = composed(recurra, trained_music, tmp_path / "a.mid", *options, "--voices", 3)
        assert value["pieces"][0]["bars"] == 6
        made = read_midi(tmp_path / "a.mid")
        name = source.tracks[place].name
        own = [note[:4] for note in made.notes if made.tracks[note.track].name == name]
        assert own == [note[:4] for note in source.notes if note.track == place]

    def test_the_tempo_is_what_is_asked_for(self, recurra: Command, trained_music: Path, tmp_path: Path) -> None:
        for options, expected in [(["--tempo", 63], 63), ([], 120)]:
            composed(recurra, trained_music, tmp_path / "a.mid", "--bars", 2, *options)
            messages = [message for track in mido.MidiFile(tmp_path / "a.mid").tracks for message in track]
            tempos = [message.tempo for message in messages if message.type == "set_tempo"]
            assert [round(mido.tempo2bpm(tempo), 1) for tempo in tempos] == [expected]

    def test_a_composed_piece_sounds_as_long_as_it_is_and_does_not_clip(
        self, recurra: Command, trained_music: Path, tmp_path: Path
    ) -> None:
        options = ["--bars", 4, "--meter", "4/4", "--tempo", 120, "--seed", 4]
        composed(recurra, trained_music, tmp_path / "a.mid", *options)
        for name in ("a.wav", "a.mp3"):
            composed(recurra, trained_music, tmp_path / name, *options)
            samples, rate = soundfile.read(tmp_path / name)
            last = max(note.end for note in read_midi(tmp_path / "a.mid").notes) / 24  # twelfths of half a second
            assert len(samples) / rate == pytest.approx(last + 1.5, abs=0.2)
            assert 0.5 < abs(samples).max() < 1.0
            begin = min(note.onset for note in read_midi(tmp_path / "a.mid").notes) / 24
            heard = (abs(samples).max(axis=1) > 0.01).argmax() / rate
            assert heard == pytest.approx(begin, abs=0.1)


class TestMeasuring:
    def test_figures_are_those_of_the_tokens(self, recurra: Command, trained_music: Path, music_folder: Path) -> None:
        value = json.loads(recurra("music", "evaluate", trained_music, music_folder / "tune-1.mid", "--json").out)
        assert {"nats_per_frame", "nats_per_frame_with_first", "bits_per_note", "count", "left_out"} == value.keys()
        model = Model.load(trained_music)
        piece = read_midi(music_folder / "tune-1.mid")
        tokens = encode(piece, model.notation)[0].astype("int64")
        with torch.no_grad():
            scores = model.network(torch.from_numpy(tokens)[None])[0][0].double().log_softmax(-1)
        total = -sum(float(scores[at - 1, tokens[at]]) for at in range(2, len(tokens)))
        assert value["bits_per_note"] == pytest.approx(total / math.log(2) / len(piece.notes), rel=1e-4)
        assert value["nats_per_frame_with_first"] == pytest.approx(total / (piece.length / 12), rel=1e-4)
        assert value["count"] == round(piece.length / 12) - 1
        table = recurra("music", "evaluate", trained_music, music_folder / "tune-1.mid").out
        rows = dict(line.split() for line in table.splitlines())
        assert rows["nats_per_frame"] == f"{value['nats_per_frame']:.5g}"

    def test_a_training_piece_is_known_as_a_copy(
        self, recurra: Command, trained_music: Path, music_folder: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "c.png"
        copied = music_folder / "tune-1.mid"
        value = json.loads(recurra("music", "compare", trained_music, copied, "--out", out, "--json").out)
        assert {"scalars", "overlaps", "pieces", "count", "path"} <= value.keys()
        assert value["path"] == str(out)
        assert out.read_bytes().startswith(b"\x89PNG")
        copy = value["pieces"][0]["copy"]
        assert (copy["share"], copy["corpus_name"], copy["transposition"]) == (1.0, "tune-1.mid", 0)
        answer = recurra("music", "compare", trained_music, copied)
        assert answer.status == 0
        assert "polyphony" in answer.out
        assert "(100% of the piece), as in tune-1.mid" in answer.out


class TestInfoAndPython:
    def test_info_is_what_the_folder_says(self, recurra: Command, trained_music: Path) -> None:
        value = json.loads(recurra("info", trained_music, "--json").out)
        assert value["task"] == "music"
        assert value["record"] == modelfile.load(trained_music).record
        assert "nats_per_frame" in recurra("info", trained_music).out

    def test_python_from_training_to_a_piece(self, music_folder: Path, tmp_path: Path, tiny: dict[str, Any]) -> None:
        model = music.train(str(music_folder), str(tmp_path / "m"), music.Config(**tiny))
        piece = model.compose()
        assert len(bar_lines(piece)) == 17
        assert piece.tempos == (Tempo(0, 120.0),)
        loaded = package.load(str(tmp_path / "m"))
        assert isinstance(loaded, Model)
        assert loaded.record == model.record
        assert loaded.compose(sampling=Sampling(seed=1)) == model.compose(sampling=Sampling(seed=1))
        model.save(tmp_path / "copy")
        again = Model.load(tmp_path / "copy")
        assert again.compose(sampling=Sampling(seed=1)) == model.compose(sampling=Sampling(seed=1))
        assert again.longest_copy(model.training_pieces()[2]) == model.longest_copy(model.training_pieces()[2])
        assert model.evaluate(str(music_folder)) == pytest.approx(loaded.evaluate(str(music_folder)))

    def test_python_composes_from_files_and_pieces_as_the_command_does(
        self, recurra: Command, trained_music: Path, music_folder: Path, tmp_path: Path
    ) -> None:
        model = Model.load(trained_music)
        file, piece = music_folder / "tune-4.mid", read_midi(music_folder / "tune-4.mid")
        controls, sampling = music.Controls(bars=5), music.Sampling(seed=1)
        composed(
            recurra, trained_music, tmp_path / "a.mid", "--prime", file, "--prime-bars", 2, "--bars", 5, "--seed", 1
        )
        for prime in (file, str(file), piece):
            made = model.compose(controls, sampling, prime=prime, prime_bars=2)
            music.write_piece(made, tmp_path / "b.mid")
            assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a.mid").read_bytes()
        assert model.compose(controls, sampling, prime=file, prime_bars=2, tempo=63).tempos == (Tempo(0, 63),)
        harmonised = model.compose(sampling=sampling, melody=file, melody_track="Violin")
        assert harmonised == model.compose(sampling=sampling, melody=piece, melody_track="2")
        assert [n for n in harmonised.notes if n.track == 1] == [n for n in piece.notes if n.track == 1]
        assert model.beginning(piece, 2).length == 72
        with pytest.raises(OptionError, match="`prime` and `melody`"):
            model.compose(prime=file, melody=file)

    def test_python_compares_as_the_command_does(
        self, recurra: Command, trained_music: Path, music_folder: Path, tmp_path: Path
    ) -> None:
        model = Model.load(trained_music)
        files = [music_folder / "tune-1.mid", music_folder / "tune-5.mid"]
        comparison = model.compare(files)
        pieces = [read_midi(path) for path in files]
        assert model.compare(pieces).to_json() == comparison.to_json()
        assert model.compare(files[0]).copies[0][1] == comparison.copies[0][1] == model.longest_copy(pieces[0])
        value = json.loads(recurra("music", "compare", trained_music, *files, "--json").out)
        assert value == json.loads(json.dumps(comparison.to_json())) | {"path": None}
        comparison.draw(tmp_path / "c.png")
        assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")

    def test_pieces_made_in_python_are_evaluated_and_explained_as_files_are(
        self, trained_music: Path, music_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = Model.load(trained_music)
        pieces = music.open_pieces(music_folder).pieces
        assert model.evaluate(pieces) == model.evaluate(music_folder)
        assert model.evaluate(pieces[0]) == model.evaluate(music_folder / "tune-0.mid")
        passages = []
        monkeypatch.setattr(module, "explain", lambda subjects, passage, out: passages.append(passage))
        for data in (pieces, [music_folder]):
            model.explain(data, tmp_path / "page.html")
        np.testing.assert_array_equal(passages[0].tokens, passages[1].tokens)
