"""Composing under a plan: what the rules let through, and what a piece is made into at the end."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.decoding.sampling import Sampling
from recurra.tasks.music.composition import Draft, PlanRules, compose, finished
from recurra.tasks.music.constraints import Controls, Given, plan
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import Meter, Note, Piece, Track
from recurra.tasks.music.rule_features import BARS, DRUM, DURATION, METER, PITCH, START, STEP, TRACK, VELOCITY
from recurra.tasks.music.transcription import decode, encode

BAND = Notation(
    kind="notes",
    tracks=(Track("Flute", 73), Track("Bass", 32), Track("Kit", 0, True)),
    meters=((4, 4), (3, 4)),
    lowest=60,
    highest=66,
    drums=(36, 38),
    durations=(3, 12, 24),
    steps=(1, 3, 12),
    velocity=True,
    frame=0,
    tempo=100.0,
)
SOLO = replace(BAND, tracks=(), velocity=False)
FRAMES = replace(SOLO, kind="frames", durations=(), drums=(), steps=(12,), frame=12)


def open_to(rules: PlanRules, draft: Draft) -> set[tuple[int, int]]:
    """What may come next, as kinds and values."""
    suppressed = set(rules.forbidden(draft).tolist())
    return {tuple(token) for number, token in enumerate(rules.notation.tokens) if number not in suppressed}


def written(rules: PlanRules, *tokens: tuple[int, int]) -> Draft:
    """The draft after a piece's START, BARS and these, each of which must be allowed."""
    draft = rules.after(rules.after(Draft(), rules.notation.number(START)), rules.notation.number(BARS, 0))
    for kind, value in tokens:
        assert (kind, value) in open_to(rules, draft), (kind, value)
        draft = rules.after(draft, rules.notation.number(kind, value))
    return draft


def kinds(options: set[tuple[int, int]]) -> set[int]:
    return {kind for kind, _ in options}


class TestOrder:
    def test_a_note_is_said_in_order(self) -> None:
        rules = PlanRules(plan(Controls(bars=2), BAND))
        begin = {(TRACK, 0), (TRACK, 1), (TRACK, 2)}
        steps = {(STEP, ticks) for ticks in BAND.steps}
        draft = written(rules)
        assert open_to(rules, draft) == begin | steps
        draft = written(rules, (TRACK, 1))
        assert open_to(rules, draft) == {(PITCH, place) for place in range(7)}
        draft = written(rules, (TRACK, 1), (PITCH, 2))
        assert kinds(open_to(rules, draft)) == {DURATION}
        draft = written(rules, (TRACK, 1), (PITCH, 2), (DURATION, 3))
        assert kinds(open_to(rules, draft)) == {VELOCITY}
        draft = written(rules, (TRACK, 1), (PITCH, 2), (DURATION, 3), (VELOCITY, 0))
        assert open_to(rules, draft) == {(PITCH, place) for place in range(3, 7)} | {(TRACK, 2)} | steps

    def test_the_drums_of_each_track_begin_anew(self) -> None:
        kits = replace(BAND, tracks=(*BAND.tracks, Track("Shaker", 0, True)), velocity=False)
        rules = PlanRules(plan(Controls(bars=1), kits))
        draft = written(rules, (TRACK, 2), (DRUM, 38), (DURATION, 3), (TRACK, 3))
        assert open_to(rules, draft) == {(DRUM, 36), (DRUM, 38)}
        # And a pitch after drums has its own duration.
        turned = PlanRules(
            plan(Controls(bars=1), replace(kits, tracks=(Track("Kit", 0, True), Track("a"), Track("b"))))
        )
        draft = written(turned, (TRACK, 0), (DRUM, 36), (DURATION, 3), (TRACK, 1), (PITCH, 0), (DURATION, 24))
        assert [note.end for note in draft.sounding] == [24]

    def test_drums_come_after_pitches_where_no_tracks_are_told_apart(self) -> None:
        rules = PlanRules(plan(Controls(bars=1), SOLO))
        draft = written(rules, (DRUM, 36), (DURATION, 3))
        assert open_to(rules, draft) == {(DRUM, 38)} | {(STEP, ticks) for ticks in SOLO.steps}

    def test_a_change_of_metre_is_said_at_its_bar_and_nowhere_else(self) -> None:
        meters = (Meter(0, 3, 4), Meter(36, 4, 4))
        rules = PlanRules(plan(Controls(bars=2), SOLO, given=Given((Note(0, 3, 60),), 0), given_meters=meters))
        draft = written(rules)
        assert open_to(rules, draft) == {(METER, 1)}
        draft = written(rules, (METER, 1), (PITCH, 0), (DURATION, 3), (STEP, 12), (STEP, 12), (STEP, 3), (STEP, 3))
        assert (STEP, 12) not in open_to(rules, draft)
        for step in (3, 3):
            draft = rules.after(draft, SOLO.number(STEP, step))
        assert open_to(rules, draft) == {(METER, 0)}


class TestDemands:
    def test_no_pitch_begins_while_it_sounds_in_its_track(self) -> None:
        rules = PlanRules(plan(Controls(bars=1), replace(BAND, velocity=False)))
        draft = written(rules, (TRACK, 0), (PITCH, 2), (DURATION, 12), (STEP, 3), (TRACK, 0))
        assert (PITCH, 2) not in open_to(rules, draft)
        draft = written(rules, (TRACK, 0), (PITCH, 2), (DURATION, 12), (STEP, 3), (TRACK, 1))
        assert (PITCH, 2) in open_to(rules, draft)
        draft = written(rules, (TRACK, 0), (PITCH, 2), (DURATION, 3), (STEP, 3), (TRACK, 0))
        assert (PITCH, 2) in open_to(rules, draft)

    def test_a_note_ends_with_its_chord_and_with_the_piece(self) -> None:
        rules = PlanRules(plan(Controls(bars=1, chords="| C C#dim |"), SOLO))
        draft = written(rules, (PITCH, 0))
        assert open_to(rules, draft) == {(DURATION, ticks) for ticks in (3, 12, 24)}
        draft = written(rules, (STEP, 12), (STEP, 1), (PITCH, 0))
        assert open_to(rules, draft) == {(DURATION, 3)}
        late = written(rules, (STEP, 12), (STEP, 12))
        assert {value for kind, value in open_to(rules, late) if kind == PITCH} == {1, 4}
        for step in (12, 3, 3, 3):
            late = rules.after(late, SOLO.number(STEP, step))
        assert {value for kind, value in open_to(rules, late) if kind == STEP} == {1, 3}
        late = rules.after(late, SOLO.number(STEP, 1))
        assert PITCH not in kinds(open_to(rules, late)), "two ticks are left, and the shortest note has three"
        assert {value for kind, value in open_to(rules, late) if kind == STEP} == {1}

    def test_voices_are_counted_over_all_tracks_but_drums(self) -> None:
        rules = PlanRules(plan(Controls(bars=1, voices=2), replace(BAND, velocity=False)))
        both = [(TRACK, 0), (PITCH, 2), (DURATION, 12), (TRACK, 1), (PITCH, 2), (DURATION, 3)]
        assert open_to(rules, written(rules, *both)) == {(TRACK, 2), (STEP, 1), (STEP, 3), (STEP, 12)}
        draft = written(rules, *both, (STEP, 3), (TRACK, 1), (PITCH, 1), (DURATION, 24))
        assert kinds(open_to(rules, draft)) == {TRACK, STEP}
        assert (TRACK, 1) not in open_to(rules, draft)

    def test_nothing_begins_where_nothing_of_the_corpus_does(self) -> None:
        notation = replace(BAND, velocity=False, onsets=((12, (0, 3)),), steps=(1, 2, 3, 12))
        rules = PlanRules(plan(Controls(bars=1), notation))
        draft = written(rules)
        assert {value for kind, value in open_to(rules, draft) if kind == STEP} == {3, 12}
        draft = written(rules, (STEP, 3))
        assert kinds(open_to(rules, draft)) == {TRACK, STEP}
        # From three there is no step to another quarter: any will do, but nothing begins on the way.
        assert {value for kind, value in open_to(rules, draft) if kind == STEP} == {12}
        draft = rules.after(draft, notation.number(STEP, 1))
        assert kinds(open_to(rules, draft)) == {STEP}
        given = Given((Note(4, 3, 60), Note(20, 3, 60)), 0)
        rules = PlanRules(plan(Controls(bars=1), notation, given=given))
        draft = written(rules, (STEP, 3), (STEP, 1))
        assert open_to(rules, draft) == {(TRACK, 0)}, "what is given begins where it does, and alone"
        draft = written(rules, (STEP, 3), (STEP, 1), (TRACK, 0), (PITCH, 0), (DURATION, 3))
        assert kinds(open_to(rules, draft)) == {STEP}

    def test_places_are_those_of_the_metre(self) -> None:
        notation = replace(SOLO, meters=((6, 8), (1, 8)), onsets=((6, (0,)), (18, (12,))))
        course = plan(Controls(bars=1, pickup="1"), notation)
        assert [tick for tick in range(42) if course.may_begin(tick)] == [0, 18, 36]
        other = plan(Controls(bars=1), replace(notation, meters=((4, 4), (1, 8))))
        assert [tick for tick in range(48) if other.may_begin(tick)] == [0, 12, 24, 36], "a metre without any notes"

    def test_in_frames_what_sounds_may_go_on_where_nothing_begins(self) -> None:
        rules = PlanRules(plan(Controls(bars=1), replace(FRAMES, steps=(6,), frame=6, onsets=((12, (0,)),))))
        draft = written(rules, (PITCH, 2), (PITCH, 4), (STEP, 6))
        assert open_to(rules, draft) == {(PITCH, 2), (PITCH, 4), (STEP, 6)}
        draft = written(rules, (PITCH, 2), (PITCH, 4), (STEP, 6), (PITCH, 4), (STEP, 6))
        assert len([kind for kind, _ in open_to(rules, draft) if kind == PITCH]) == FRAMES.pitches

    def test_a_given_note_must_be_said_when_it_is_due(self) -> None:
        voice = Given((Note(12, 7, 62, 80, 0), Note(12, 24, 64, 80, 0)), 0)
        rules = PlanRules(plan(Controls(bars=1), replace(BAND, velocity=False), given=voice))
        draft = written(rules)
        assert (TRACK, 0) not in open_to(rules, draft)
        draft = written(rules, (STEP, 12))
        assert open_to(rules, draft) == {(TRACK, 0)}
        draft = written(rules, (STEP, 12), (TRACK, 0), (PITCH, 2))
        assert open_to(rules, draft) == {(DURATION, 3)}
        draft = written(rules, (STEP, 12), (TRACK, 0), (PITCH, 2), (DURATION, 3))
        assert open_to(rules, draft) == {(PITCH, 4)}
        assert [(note.end, note.given) for note in draft.sounding] == [(19, True)]
        draft = written(rules, (STEP, 12), (TRACK, 0), (PITCH, 2), (DURATION, 3), (PITCH, 4), (DURATION, 24))
        assert {value for kind, value in open_to(rules, draft) if kind == TRACK} == {1, 2}

    def test_in_one_track_lower_notes_may_come_before_a_given_one(self) -> None:
        rules = PlanRules(plan(Controls(bars=1, voices=2), SOLO, given=Given((Note(0, 12, 63, 80, 0),), 0)))
        assert open_to(rules, written(rules)) == {(PITCH, 0), (PITCH, 1), (PITCH, 2), (PITCH, 3)}
        draft = written(rules, (PITCH, 1), (DURATION, 12))
        assert open_to(rules, draft) == {(PITCH, 3)}


class Likes:
    """A model that prefers one token after the other, whatever it has read."""

    def __init__(self, notation: Notation, tokens: list[int]) -> None:
        self.size, self.tokens = notation.size, tokens
        self.read: list[int] = []

    def step(self, token: int, state: int) -> tuple[NDArray[np.float32], int]:
        self.read.append(token)
        logits = np.zeros(self.size, np.float32)
        logits[self.tokens[state % len(self.tokens)]] = 50.0
        return logits, state + 1


def test_a_model_that_writes_what_may_be_written_is_left_alone() -> None:
    source = Piece("a", BAND.tracks, tuple(
        Note(onset, duration, pitch, 80, track) for onset, track, pitch, duration in
        [(0, 0, 62, 12), (0, 1, 60, 24), (0, 2, 36, 12), (12, 0, 64, 12), (30, 1, 61, 3), (36, 0, 60, 12)]
    ), 48)  # fmt: skip
    tokens = encode(source, BAND, length=True)[0].tolist()
    model = Likes(BAND, [*tokens[2:], 0])
    begin = [BAND.number(START), BAND.number(BARS, 1)]
    # The first token of the model's is its answer to the second that it reads.
    model.tokens = [0, *tokens[2:]]
    course = plan(Controls(bars=1, key="chromatic", voices=2), BAND)
    out = compose(model.step, begin, 0, course, Sampling(greedy=True), np.random.default_rng(0))
    assert begin + out == tokens
    assert model.read[:-1] == [*begin, *out][: len(model.read) - 1]
    assert finished(decode(begin + out, BAND, "a"), course).notes == source.notes


@given(data=st.data())
def test_every_draft_of_a_piece_knows_what_sounds(data: st.DataObject) -> None:
    """The rules' account of time and of what sounds, against the piece that the tokens stand for."""
    course = plan(Controls(bars=1), BAND)
    rules = PlanRules(course)
    draft, tokens = written(rules), [BAND.number(START), BAND.number(BARS, 0)]
    for _ in range(data.draw(st.integers(0, 40))):
        options = np.setdiff1d(np.arange(BAND.size), rules.forbidden(draft))
        tokens.append(int(data.draw(st.sampled_from(options.tolist()))))
        draft = rules.after(draft, tokens[-1])
        if draft.time >= course.end:
            break
        if draft.last not in (STEP, VELOCITY):
            continue
        piece = decode(tokens, BAND, "a")
        there = sorted(
            (note.end, note.track, note.pitch)
            for note in piece.notes
            if note.onset <= draft.time < note.end and not piece.tracks[note.track].drums
        )
        assert sorted(note[:3] for note in draft.sounding) == there


class TestFinished:
    def test_a_given_voice_is_as_it_was_among_others_of_its_track(self) -> None:
        voice = Given((Note(5, 20, 62, 90, 3), Note(25, 5, 62, 90, 3)), 0)
        course = plan(Controls(bars=1), SOLO, given=voice)
        others = (Note(0, 12, 62), Note(6, 3, 62), Note(6, 3, 61), Note(29, 12, 62), Note(30, 3, 62))
        made = finished(Piece("a", (Track(),), others, 48), course)
        assert made.notes == (
            Note(0, 5, 62), Note(5, 20, 62, 90), Note(6, 3, 61), Note(25, 5, 62, 90), Note(30, 3, 62)
        )  # fmt: skip

    def test_what_it_goes_on_from_ends_where_it_did(self) -> None:
        prime = Piece("a", (Track(),), (Note(40, 8, 60),), 48)
        longer = Piece("a", (Track(),), (Note(40, 12, 60), Note(50, 60, 61)), 110)
        made = finished(longer, plan(Controls(bars=2), SOLO, prime))
        assert made.notes == (Note(40, 8, 60), Note(50, 46, 61))
        assert made.length == 96

    def test_in_frames_what_sounds_on_is_a_note_of_its_own(self) -> None:
        prime = Piece("a", (Track(),), (Note(36, 12, 60),), 48)
        joined = Piece("a", (Track(),), (Note(36, 36, 60),), 96)
        assert finished(joined, plan(Controls(bars=2), FRAMES, prime)).notes == (Note(36, 12, 60), Note(48, 24, 60))
        eighths = replace(FRAMES, meters=((3, 8),))
        prime = Piece("a", (Track(),), (Note(12, 6, 60),), 18, (Meter(0, 3, 8),))
        course = plan(Controls(bars=3), eighths, prime)
        assert (course.begin, course.end, course.bar_lines[-1]) == (18, 60, 54)
        for end, rest in ((24, ()), (36, (Note(24, 12, 60),)), (60, (Note(24, 30, 60),))):
            made = finished(Piece("a", (Track(),), (Note(12, end - 12, 60),), 60), course)
            assert made.notes == (Note(12, 6, 60), *rest)
            assert made.length == 54


@pytest.mark.parametrize("bars", [1, 100, 101, 300])
def test_long_pieces_have_their_length(bars: int) -> None:
    course = plan(Controls(bars=bars, chords="C Am F G7"), FRAMES)
    model = Likes(FRAMES, [FRAMES.number(STEP, 12)])
    out = compose(model.step, [0, 2], 0, course, Sampling(greedy=True), np.random.default_rng(0))
    assert len(out) == bars * 4
