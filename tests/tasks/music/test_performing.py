"""Composing performances: what may come next, and models that have learned some, from training to a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from recitals import recital
from serving import error_of, running

from recurra import music
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError
from recurra.serve.limits import Limits
from recurra.tasks.music.composer import Composer
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls
from recurra.tasks.music.data import notation_for, open_pieces, read_data, streams
from recurra.tasks.music.model import Model
from recurra.tasks.music.performance import (
    EVENTS,
    NOTE_OFF,
    NOTE_ON,
    SECOND,
    SIZE,
    START,
    TIME_SHIFT,
    VELOCITY,
    PerformanceNotation,
    decode,
    encode,
    number,
    performance,
)
from recurra.tasks.music.performing import PerformanceOrder, PlayedDraft, compose_performance, seconds_of
from recurra.tasks.music.pieces import Piece
from recurra.tasks.shared.serving import open_service

NOTATION = PerformanceNotation(lowest=58, highest=62, longest=150)


def open_to(order: PerformanceOrder, draft: PlayedDraft) -> set[tuple[int, int]]:
    return {tuple(EVENTS[token]) for token in np.setdiff1d(np.arange(SIZE), order.forbidden(draft)).tolist()}


def written(order: PerformanceOrder, *events: tuple[int, int]) -> PlayedDraft:
    draft = order.after(PlayedDraft(), number(START))
    for event in events:
        assert event in open_to(order, draft), event
        draft = order.after(draft, number(*event))
    return draft


class TestOrder:
    def test_a_performance_begins_with_a_note(self) -> None:
        order = PerformanceOrder(NOTATION, 1000)
        assert open_to(order, written(order)) == {(VELOCITY, step) for step in range(32)}
        draft = written(order, (VELOCITY, 9))
        assert open_to(order, draft) == {(NOTE_ON, pitch) for pitch in range(58, 63)}

    def test_a_note_ends_later_than_it_begins_and_after_nothing_new(self) -> None:
        order = PerformanceOrder(NOTATION, 1000)
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60))
        assert {kind for kind, _ in open_to(order, draft)} == {NOTE_ON, VELOCITY, TIME_SHIFT}
        assert not {(NOTE_ON, 60), (VELOCITY, 9)} & open_to(order, draft)
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60), (TIME_SHIFT, 5))
        assert {event for event in open_to(order, draft) if event[0] == NOTE_OFF} == {(NOTE_OFF, 60)}
        again = order.after(order.after(draft, number(NOTE_OFF, 60)), number(NOTE_ON, 60))
        assert again.sounding == ((60, 5),)
        assert NOTE_OFF not in {kind for kind, _ in open_to(order, again)}

    def test_no_note_is_longer_than_any_in_the_corpus_and_nothing_goes_beyond_the_end(self) -> None:
        order = PerformanceOrder(NOTATION, 230)
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60), (TIME_SHIFT, 100))
        assert max(value for kind, value in open_to(order, draft) if kind == TIME_SHIFT) == 50
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60), (TIME_SHIFT, 100), (TIME_SHIFT, 50))
        assert open_to(order, draft) == {(NOTE_OFF, 60)}
        draft = order.after(draft, number(NOTE_OFF, 60))
        assert max(value for kind, value in open_to(order, draft) if kind == TIME_SHIFT) == 80

    def test_no_more_notes_sound_at_once_than_in_the_corpus(self) -> None:
        order = PerformanceOrder(PerformanceNotation(58, 62, 150, at_once=2), 230)
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60), (NOTE_ON, 61))
        assert {kind for kind, _ in open_to(order, draft)} == {TIME_SHIFT}
        draft = order.after(order.after(draft, number(TIME_SHIFT, 9)), number(NOTE_OFF, 60))
        assert NOTE_ON in {kind for kind, _ in open_to(order, draft)}

    def test_when_everything_sounds_only_time_goes_on(self) -> None:
        order = PerformanceOrder(PerformanceNotation(60, 61, 150), 230)
        draft = written(order, (VELOCITY, 9), (NOTE_ON, 60), (NOTE_ON, 61))
        assert {kind for kind, _ in open_to(order, draft)} == {TIME_SHIFT}

    @given(rows=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 3), st.integers(58, 62), st.integers(1, 127)),
                         min_size=1, max_size=20))  # fmt: skip
    def test_every_real_performance_may_be_written(self, rows: list[Any]) -> None:
        piece = performance("p", [(begin, begin + length, *rest) for begin, length, *rest in rows], 0, Counter())
        order = PerformanceOrder(PerformanceNotation(58, 62, 301), piece.length)
        draft = PlayedDraft()
        for token in encode(piece).tolist():
            assert token == number(START) or token not in order.forbidden(draft)
            draft = order.after(draft, token)
        assert not draft.sounding

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_a_model_wants_it_is_a_performance(self, seed: int) -> None:
        """A model that likes other tokens after each: no dead end, and the length that was asked for."""
        rng = np.random.default_rng(seed)
        likes = rng.normal(0, 3, (SIZE, SIZE)).astype(np.float32)
        order = PerformanceOrder(NOTATION, 1234)
        tokens = compose_performance(
            lambda token, state: (likes[token], state), [number(START)], 0, order, Sampling(temperature=1.0),
            np.random.default_rng(seed),
        )  # fmt: skip
        piece = decode([number(START), *tokens], "p")
        assert piece.length == 1234
        assert piece.notes[0].onset == 0
        assert max(note.duration for note in piece.notes) <= 150
        assert {note.pitch for note in piece.notes} <= set(range(58, 63))
        ons = sum(EVENTS[token].kind == NOTE_ON for token in tokens)
        offs = sum(EVENTS[token].kind == NOTE_OFF for token in tokens)
        assert ons == len(piece.notes) >= offs, "no note was cut by another, none ended that did not sound"


@pytest.mark.parametrize("options", [
    {"bars": 3}, {"key": "C major"}, {"chords": "C"}, {"voices": 2}, {"range": ("C3-C4",)}, {"meter": "3/4"},
    {"pickup": "1"},
])  # fmt: skip
def test_controls_that_need_bars_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"^`{next(iter(options))}` is not for this model.*it takes `seconds`$"):
        seconds_of(Controls(**options), 0.0)


def test_how_long_it_will_be() -> None:
    assert seconds_of(Controls(), 0.0) == 3000
    assert seconds_of(Controls(), 2.5) == 3250
    assert seconds_of(Controls(seconds=1.234), 0.0) == 123
    with pytest.raises(OptionError, match=r"`prime` lasts 9.5 seconds, and `seconds` asks for 9.5 in all"):
        seconds_of(Controls(seconds=9.5), 9.5)


class TestModel:
    def test_both_ways_of_composing_agree_and_go_on_from_what_is_given(
        self, pianist: Path, recitals: list[Piece]
    ) -> None:
        model, composer = Model.load(pianist), Composer.load(pianist)
        prime = recital(50, 12)
        for begun in (None, prime):
            options: dict[str, Any] = dict(seconds=12, seed=4, prime=begun)
            piece = composer.compose(**options)
            assert piece == model.compose(**options)
            assert piece != model.compose(**options | {"seed": 5})
            assert (piece.length, piece.performance) == (1200, True)
            assert piece.notes
        inside = [note[:3] for note in piece.notes if note.onset < prime.length]
        assert inside == [note[:3] for note in prime.notes]
        assert composer.longest_copy(piece) is None

    def test_it_is_measured_by_the_event_and_the_second(self, pianist: Path, recitals: list[Piece]) -> None:
        model = Model.load(pianist)
        figures = model.evaluate(recitals[:2])
        events = sum(len(encode(piece)) - 1 for piece in recitals[:2])
        seconds = sum(piece.length for piece in recitals[:2]) / SECOND
        assert figures["count"] == events
        assert figures["nats_per_second"] * seconds == pytest.approx(figures["nats_per_event"] * events)
        assert "nats an event" in model.facts()["validation"]
        assert model.record["nats_per_event"] < model.record["guessing"]

    def test_comparing_is_of_what_a_performance_has(self, pianist: Path, recitals: list[Piece]) -> None:
        comparison = Model.load(pianist).compare(recitals[:1])
        assert comparison.scalars["velocity"].made == pytest.approx(
            np.mean([note.velocity for note in recitals[0].notes])
        )
        rate = comparison.scalars["notes_per_second"]
        assert rate.made == pytest.approx(120 / -(-recitals[0].length // SECOND))
        assert rate.corpus == pytest.approx(rate.made, rel=0.3)
        assert "groove" not in comparison.scalars
        assert comparison.overlaps["onset_in_bar"] is None

    def test_explaining_shows_events(self, pianist: Path, recitals: list[Piece], tmp_path: Path) -> None:
        Model.load(pianist).explain(recitals[:1], tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text()
        assert " off" in page
        assert "loudness" in page

    def test_what_reading_the_beginning_left_out_is_told_once(self, pianist: Path, recitals: list[Piece]) -> None:
        """Whoever reads the file tells it; nothing more is lost in the tokens of a performance."""
        begun = replace(recitals[0], left_out={"drum notes": 2})
        assert Model.load(pianist).beginning(begun).left_out == {}

    def test_bars_and_beats_are_refused(self, pianist: Path, trained_music: Path, recitals: list[Piece]) -> None:
        model = Model.load(pianist)
        for options in ({"melody": recitals[0]}, {"tempo": 90.0}, {"prime": recitals[0], "prime_bars": 2}):
            with pytest.raises(OptionError, match="is not for this model, which has learned performances"):
                model.compose(**options)  # type: ignore[arg-type]
        band = Model.load(trained_music)
        with pytest.raises(OptionError, match="`seconds` is for models of performances"):
            band.compose(seconds=3)
        with pytest.raises(OptionError, match="only a model of `tokens` performance reads them"):
            band.evaluate(recitals)

    def test_pieces_with_beats_are_played_as_they_are_written(self, pianist: Path, tunes: tuple[Piece, ...]) -> None:
        (piece,) = open_pieces(tunes[1], played=True).pieces
        assert piece.performance
        assert Model.load(pianist).evaluate(tunes[1])["count"] == len(encode(piece)) - 1


class TestFiles:
    def test_midi_has_every_time_and_velocity(self, recurra: Callable[..., Any], pianist: Path, tmp_path: Path) -> None:
        out, roll = tmp_path / "p.mid", tmp_path / "p.png"
        answer = recurra(
            "music",
            "compose",
            pianist,
            "--out",
            out,
            "--roll",
            roll,
            "--seconds",
            8,
            "--seed",
            2,
            "--json",
        )
        assert answer.status == 0
        (made,) = json.loads(answer.out)["pieces"]
        assert made["seconds"] == 8.0
        piece = Composer.load(pianist).compose(seconds=8, seed=2)
        (again,) = open_pieces(out, played=True).pieces
        assert again.notes == piece.notes
        assert roll.stat().st_size > 1000
        by_mido = mido_notes(out)
        assert by_mido == [(note.onset / SECOND, note.pitch, note.velocity) for note in piece.notes]

    def test_a_file_is_read_with_its_tempos_and_its_pedal(self, tmp_path: Path) -> None:
        file = mido.MidiFile(ticks_per_beat=100)
        track = mido.MidiTrack()
        file.tracks.append(track)
        track += [
            mido.MetaMessage("set_tempo", tempo=500_000, time=0),
            mido.Message("control_change", control=64, value=127, time=10),
            mido.Message("note_on", note=60, velocity=33, time=33),
            mido.Message("note_on", note=36, velocity=90, channel=9, time=0),
            mido.Message("note_off", note=60, time=7),
            mido.MetaMessage("set_tempo", tempo=1_000_000, time=57),  # at tick 107, 0.535 s
            mido.Message("note_on", note=62, velocity=90, time=3),
            mido.Message("control_change", control=64, value=0, time=40),
            mido.Message("note_off", note=62, time=11),
            mido.Message("note_off", note=36, channel=9, time=0),
        ]
        file.save(tmp_path / "played.mid")
        (piece,) = open_pieces(tmp_path / "played.mid", played=True).pieces
        first = 43 * 0.005
        times = [(0, 0.535 + 0.43 - first, 60, 33), (0.565 - first, 0.535 + 0.54 - first, 62, 90)]
        assert [(note.onset, note.end, *note[2:4]) for note in piece.notes] == [
            (pytest.approx(begin * SECOND, abs=1.01), pytest.approx(end * SECOND, abs=1.01), *rest)
            for begin, end, *rest in times
        ]
        assert piece.left_out["drum notes"] == 1

    def test_sound_lasts_as_long(self, pianist: Path, tmp_path: Path) -> None:
        piece = Composer.load(pianist).compose(seconds=3, seed=2)
        music.write_piece(piece, tmp_path / "p.wav")
        last = max(note.end for note in piece.notes) / SECOND
        assert soundfile.info(tmp_path / "p.wav").duration == pytest.approx(last + 1.5, abs=0.01)

    def test_scores_and_swing_are_refused(self, refused: Callable[..., str], pianist: Path, tmp_path: Path) -> None:
        said = refused("music", "compose", pianist, "--out", tmp_path / "p.musicxml", status=2)
        assert "no bars to write a score of" in said
        assert "no bars" in refused(
            "music",
            "compose",
            pianist,
            "--out",
            tmp_path / "p.mid",
            "--score",
            tmp_path / "p.svg",
            status=2,
        )
        said = refused("music", "compose", pianist, "--out", tmp_path / "p.mid", "--swing", 0.6, status=2)
        assert "--swing needs beats" in said
        with pytest.raises(OptionError, match="is a performance"):
            music.write_piece(recital(1), tmp_path / "p.musicxml")

    def test_a_file_played_freely_is_noticed(
        self, recurra: Callable[..., Any], trained_music: Path, tunes: tuple[Piece, ...], tmp_path: Path
    ) -> None:
        music.write_piece(recital(1), tmp_path / "free.mid")
        answer = recurra("music", "evaluate", trained_music, tmp_path / "free.mid")
        assert answer.status == 0
        assert "played freely: free.mid (" in answer.err
        assert "--tokens performance" in answer.err
        music.write_piece(tunes[1], tmp_path / "straight.mid")
        assert "freely" not in recurra("music", "evaluate", trained_music, tmp_path / "straight.mid").err


def mido_notes(path: Path) -> list[tuple[float, int, int]]:
    """Onsets in seconds, pitches and velocities, by another reader."""
    found, time = [], 0.0
    for message in mido.MidiFile(path):
        time += message.time
        if message.type == "note_on" and message.velocity:
            found.append((round(time, 6), message.note, message.velocity))
    return sorted(found)


def test_copies_are_learned_in_other_keys_and_speeds(recitals: list[Piece]) -> None:
    def batches(**options: Any) -> Any:
        config = Config(batch_size=2, sequence_length=8, tokens="performance", **options)
        return streams(read_data(recitals, recitals[:1], config), config)

    plain, some = batches(transpose=0), batches(transpose=3)
    assert len(plain.begins) == 6
    assert len(plain.variants) == 1
    assert len(some.begins) == 6 * 5
    lengths = [
        decode(some.tokens[begin:end], "p").length for begin, end in zip(some.begins, some.begins[1:], strict=False)
    ]
    assert lengths[6:18:6] == [pytest.approx(recitals[0].length * share, abs=1) for share in (0.95, 0.975)]
    assert len(batches(transpose=3, stretch=0.0).begins) == 6
    assert isinstance(notation_for(recitals, Config(tokens="performance")), PerformanceNotation)


def test_it_is_served_with_a_panel_of_seconds(pianist: Path, visit: Callable[..., Any]) -> None:
    with running(open_service([pianist], "cpu", Limits())) as server:
        refused = server.client.post("/v1/music/compose", json={"seconds": 2, "score": True})
        assert "performances, which have no bars" in error_of(refused, 400, "invalid_value")
        page = visit(server.url)
        page.get_by_label("Seconds", exact=True).fill("3")
        page.get_by_label("Seed").fill("4")
        assert not page.get_by_label("Bars").is_visible()
        page.keyboard.press("Enter")
        page.locator("#host > #status", has_text="Composed").wait_for()
        piece = Composer.load(pianist).compose(seconds=3, seed=4)
        assert f"{len(piece.notes)} notes in 3 seconds, seed 4" in page.locator("#host > #status").text_content()
        drawn = page.locator("#roll .note").evaluate_all("notes => new Set(notes.map(note => note.dataset.note)).size")
        assert drawn == len(piece.notes) > 0
