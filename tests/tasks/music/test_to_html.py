"""A music model in one HTML file: opened in a browser it composes what the model composes, plays and saves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
import pytest
from browser import PHONE, scrolls_sideways

from recurra import music
from recurra.errors import OptionError
from recurra.tasks.music import harmony
from recurra.tasks.music.config import Config
from recurra.tasks.music.model import Model
from recurra.tasks.music.pieces import PLAYED_METER, PLAYED_TEMPO, TICKS, Note, Piece, Track
from recurra.tasks.shared.exporting import export

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS: dict[str, dict[str, Any]] = {
    "tracks": {"num_layers": 2},
    "together": {"cell": "gru", "velocity": True, "tracks": False},
    "frames": {"tokens": "frames", "frame": 6, "tied": True, "embedding_size": 10},
}

ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"bars": 3}, {}),
    ({"bars": 5, "key": "D minor", "voices": 2}, {"tonic": 2, "scale": "minor"}),
    ({"bars": 4, "chords": "C | Am | F G7 | % Bbmaj7/D", "meter": "3/4"}, {"meter": 1}),
]
"""Controls as the model takes them, and what is otherwise for the page."""


@pytest.fixture(scope="module", params=sorted(KINDS))
def model(
    request: pytest.FixtureRequest, music_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, Path]:
    """A tiny model of a kind, and its page."""
    folder = tmp_path_factory.mktemp("composed") / request.param
    options = {"steps": 15, "hidden_size": 16, "num_layers": 1, "embedding_size": 12, "evaluations": 1}
    options |= {"batch_size": 4, "sequence_length": 16, "dropout": 0.0, "learning_rate": 0.03}
    music.train(music_folder, folder, Config(**options | KINDS[request.param]))
    export(folder, folder.with_suffix(".html"))
    return Model.load(folder), folder.with_suffix(".html")


def composed(page: Page, controls: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What the page composes."""
    return dict(page.evaluate("([controls, options]) => composeAll(controls, options)", [controls, options]))


def notes_of(piece: Piece) -> list[dict[str, int]]:
    """The notes of a piece as the page has them."""
    return [note._asdict() for note in piece.notes]


def begun_and_ended(file: mido.MidiFile) -> list[tuple[int, int, int, int, str]]:
    """Onset, end, pitch and velocity of the notes of a MIDI file, and the name of their track, sorted."""
    found = []
    for track in file.tracks:
        time, begun = 0, {}
        for message in track:
            time += message.time
            if message.type == "note_on":
                begun[message.note] = (time, message.velocity)
            elif message.type == "note_off":
                onset, velocity = begun.pop(message.note)
                found.append((onset // 40, time // 40, message.note, velocity, track.name))
        assert not begun
    return sorted(found)


def test_it_composes_what_the_model_composes(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    for asked, other in ASKED:
        controls = {name: value for name, value in asked.items() if name not in ("key", "meter")} | other
        for sampling in ({"greedy": True, "seed": 0}, {"temperature": 1.1, "seed": 5}, {"top_p": 0.8, "seed": 6}):
            piece = own.compose(**asked, **sampling)
            options = {"temperature": 0 if "greedy" in sampling else sampling.get("temperature", 0.8)}
            found = composed(page, controls, **options, topP=sampling.get("top_p", 1), seed=sampling["seed"])
            assert found["notes"] == notes_of(piece)
            assert found["length"] == piece.length
            assert [(m["onset"], m["numerator"], m["denominator"]) for m in found["meters"]] == list(piece.meters)


@pytest.mark.parametrize("model", ["tracks"], indirect=True)
def test_pickups_and_onsets_are_those_of_the_corpus(
    model: tuple[Model, Path], tmp_path: Path, visit: Callable[..., Page]
) -> None:
    own, _ = model
    common = own.notation.meters.index((4, 4))
    waltz = own.notation.meters.index((3, 4))
    own.vocabulary = replace(
        own.notation, onsets=((12, (0, 3, 6)),), pickups=((-1, common, 1), (waltz, common, 3)), meters=((4, 4), (3, 4))
    )
    own.save(tmp_path / "upbeat")
    export(tmp_path / "upbeat", tmp_path / "upbeat.html")
    page = visit(tmp_path / "upbeat.html")
    begins = set()
    for seed in range(8):
        piece = own.compose(bars=3, seed=seed, chords="C | F")
        found = composed(page, {"bars": 3, "chords": "C | F"}, seed=seed)
        assert found["notes"] == notes_of(piece)
        begins.add(len(piece.meters))
    assert begins == {1, 2}


def test_a_person_composes_plays_and_saves(trained_music: Path, tmp_path: Path, visit: Callable[..., Page]) -> None:
    own = Model.load(trained_music)
    export(trained_music, tmp_path / "band.html")
    page = visit(tmp_path / "band.html", viewport=PHONE)
    page.get_by_label("Bars").fill("6")
    page.get_by_label("Key").select_option("G")
    page.get_by_label("Scale").select_option("major pentatonic")
    page.get_by_label("Seed").fill("3")
    page.get_by_label("Quarters a minute").fill("90")
    page.get_by_role("button", name="Compose").click()
    page.get_by_role("status").filter(has_text="Done").wait_for()
    piece = own.compose(bars=6, key="G major pentatonic", seed=3, tempo=90.0)
    assert page.locator("#roll rect.note").count() == len(piece.notes)
    assert not scrolls_sideways(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as MIDI").click()
    assert download.value.suggested_filename == "band.mid"
    download.value.save_as(tmp_path / "piece.mid")
    saved = mido.MidiFile(tmp_path / "piece.mid")
    assert saved.ticks_per_beat == 40 * TICKS
    assert begun_and_ended(saved) == sorted(
        (note.onset, note.end, note.pitch, note.velocity, piece.tracks[note.track].name) for note in piece.notes
    )
    head = [message for message in saved.tracks[0] if message.is_meta]
    assert mido.tempo2bpm(head[0].tempo) == pytest.approx(90, abs=0.01)
    assert (head[1].numerator, head[1].denominator) == piece.meters[0][1:]
    programs = [message.program for track in saved.tracks[1:] for message in track if message.type == "program_change"]
    assert programs == [track.program for track in piece.tracks]
    drums = {message.channel == 9 for message in saved.tracks[-1] if message.type == "note_on"}
    assert drums <= {piece.tracks[-1].drums}
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Stop playing").wait_for()
    page.locator("#playhead[visibility=visible]").wait_for(state="attached")
    page.get_by_role("button", name="Stop playing").click()
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.get_by_label("Chords").fill("C | Hm")
    page.get_by_role("button", name="Compose").click()
    assert "“Hm” is not a chord" in page.inner_text("#told.trouble")


def test_chords_are_understood_as_the_model_does(
    trained_music: Path, tmp_path: Path, visit: Callable[..., Page]
) -> None:
    export(trained_music, tmp_path / "band.html")
    page = visit(tmp_path / "band.html")
    spellings = ["", "m", "-7", "min7", "Maj7", "Δ7", "^", "maj7", "M7", "ø", "°7", "+", "sus", "6/9", "7(b9)", "aug7"]
    spellings += ["add9", "m7b5", "mMaj7", "7sus4", "13", "m11", "/E", "m/G#", "7♭9", "dim7"]
    for quality in spellings:
        found = page.evaluate("symbol => [...parseChord(symbol)].sort((a, b) => a - b)", f"B♭{quality}")
        assert found == sorted(harmony.parse_chord(f"B♭{quality}")), quality
    for text in ("C | Am | F G7 | C", "C F G", "| C | % | / G |", "C, F - G7(b9)", "N.C. | C/E"):
        chords = harmony.parse_progression(text)
        expected = [[tick, sorted(classes)] for tick, classes in harmony.spans(chords, [0, 48, 84, 132], 180)]
        script = """text => harmonySpans(parseProgression(text), [0, 48, 84, 132], 180)
            .map(([tick, classes]) => [tick, [...classes].sort((a, b) => a - b)])"""
        assert page.evaluate(script, text) == expected, text
    for text in ("H", "C | | G", "|", "C | xyz"):
        with pytest.raises(OptionError):
            harmony.parse_progression(text)
        refused = "text => { try { parseProgression(text); return false; } catch (error) { return error.message; } }"
        assert page.evaluate(refused, text)


def recital(seed: int) -> Piece:
    """A made-up performance of 40 notes."""
    generator = np.random.default_rng(seed)
    onsets = np.cumsum(generator.integers(1, 30, size=40))
    pitches = 48 + generator.permutation(40)
    notes = [
        Note(int(onset), int(generator.integers(5, 60)), int(pitch), int(generator.integers(30, 100)))
        for onset, pitch in zip(onsets, pitches, strict=True)
    ]
    length = max(note.end for note in notes)
    name = f"recital-{seed}"
    return Piece(name, (Track(program=3),), tuple(notes), length, (PLAYED_METER,), (PLAYED_TEMPO,), performance=True)


def test_performances_are_composed_too(tmp_path: Path, visit: Callable[..., Page]) -> None:
    options = {"steps": 40, "hidden_size": 16, "embedding_size": 12, "batch_size": 4, "sequence_length": 24}
    pieces = [recital(seed) for seed in range(5)]
    music.train(pieces, tmp_path / "pianist", tokens="performance", learning_rate=0.02, dropout=0.0, **options)
    own = Model.load(tmp_path / "pianist")
    export(tmp_path / "pianist", tmp_path / "pianist.html")
    page = visit(tmp_path / "pianist.html", viewport=PHONE)
    for seed in range(4):
        piece = own.compose(seconds=5, seed=seed, temperature=1.2)
        found = composed(page, {"seconds": 5}, seed=seed, temperature=1.2)
        assert found["notes"] == notes_of(piece)
        assert found["length"] == piece.length
    assert page.get_by_label("Bars").is_hidden()
    page.get_by_label("Seconds").fill("5")
    page.get_by_label("Seed").fill("2")
    page.get_by_role("button", name="Compose").click()
    page.get_by_role("status").filter(has_text="5 s of music").wait_for()
    piece = own.compose(seconds=5, seed=2)
    assert page.locator("#roll rect.note").count() == len(piece.notes)
    assert not scrolls_sideways(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as MIDI").click()
    download.value.save_as(tmp_path / "piece.mid")
    ends = [message.time for message in mido.MidiFile(tmp_path / "piece.mid")]
    assert sum(ends) == pytest.approx(max(note.end for note in piece.notes) / 100, abs=0.01)
