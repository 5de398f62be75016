"""Features of pieces made by hand: a letter a moment, "#" where the feature holds once the moment is read whole."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.explain.passage import Passage
from recurra.tasks.music.features import Heard, namer, passage, phrase_ends, pitch_name
from recurra.tasks.music.lanes import GAP
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import COMMON_TIME, Meter, Note, Piece, Track
from recurra.tasks.music.rule_features import PITCH, START, STEP, TRACK
from recurra.tasks.music.transcription import decode, encode

CHORALE = ((60, 52, 48), (62, 55, 47), (64, 55, 48), (65, 57, 50), (67, 59, 53, 55), (60, 64, 67, 48))


def notation(**changes) -> Notation:
    values = dict(
        kind="notes",
        tracks=(),
        meters=((4, 4), (3, 4), (1, 4)),
        lowest=36,
        highest=84,
        drums=(),
        durations=(3, 6, 12, 18, 24, 48),
        steps=(1, 3, 6, 12, 24, 48),
        velocity=False,
        frame=0,
        tempo=100.0,
    )
    return Notation(**(values | changes))


VOICES = notation(tracks=(Track("Soprano"), Track("Bass\n voice")))
FRAMES = notation(kind="frames", durations=(), steps=(12,), frame=12)
FULL = notation(tracks=(Track("Flute", 73), Track("Drums", 0, True)), drums=(36, 38), velocity=True)


def piece(notes, meters=(COMMON_TIME,), tracks=(Track(),)) -> Piece:
    """Notes as (onset, duration, pitch, [track]) in quarters."""
    made = [Note(int(12 * on), int(12 * long), pitch, track=sum(track)) for on, long, pitch, *track in notes]
    return Piece("p", tuple(tracks), tuple(sorted(made)), max(note.end for note in made), tuple(meters))


def chords(*given: tuple[int, ...], lasting: float = 1) -> Piece:
    return piece([(place * lasting, lasting, pitch) for place, chord in enumerate(given) for pitch in chord])


def heard(music: Piece, how: Notation | None = None) -> Passage:
    how = how or notation()
    tokens, lost = encode(music, how)
    del lost["tracks that play as another instrument"]  # a piano plays as the flute that there is
    assert not +lost, "the test itself is wrong"
    return passage(how, tokens, "t")


def marks(made: Passage, name: str, how: Notation | None = None) -> str:
    """At the last token of each moment that has one which is a note."""
    assert made.view is not None
    last = {note.onset: note.last for note in made.view.notes}
    return "".join(".#"[int(made.features[name][place])] for place in last.values())


SCALE = piece([(place, 1, 60 + step) for place, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 12))])
EIGHTHS = piece([(place / 2, 0.5, 60 + place % 2) for place in range(10)])
WALTZ = piece([(place, 1, 60) for place in range(7)], [Meter(0, 1, 4), Meter(12, 3, 4)])
SONG = piece([(0, 1, 60), (1, 1, 62), (2, 2, 64), (4, 1, 62), (5, 1, 60), (7, 1, 59), (8, 1, 60)])
CASES = {
    "on the beat": [(EIGHTHS, "#.#.#.#.#."), (SCALE, "#########")],
    "bar begins": [(SCALE, "#...#...#"), (EIGHTHS, "#.......#."), (WALTZ, "##..#..")],
    "second half of the bar": [(SCALE, "..##..##."), (EIGHTHS, "....####..")],
    "last beat of the bar": [(SCALE, "...#...#."), (EIGHTHS, "......##.."), (WALTZ, "#..#..#")],
    "bar ends next": [(SCALE, "...#...#."), (EIGHTHS, ".......#.."), (WALTZ, "#..#..#")],
    "major chord": [(chords((60, 64, 67), (57, 60, 64), (64, 72, 79, 84), (60, 64)), "#.#.")],
    "minor chord": [(chords((60, 64, 67), (57, 60, 64), (48, 55, 63), (59, 62, 65)), ".##.")],
    "diminished chord": [(chords((60, 64, 67), (59, 62, 65), (59, 62, 65, 68)), ".#.")],
    "seventh chord": [(chords((60, 64, 67), (55, 59, 62, 65), (59, 62, 65)), ".#.")],
    "tonic chord": [(chords((60, 64, 67), (55, 59, 62), (53, 57, 60), (48, 60, 64, 67)), "#..#")],
    "dominant chord": [(chords((60, 64, 67), (55, 59, 62, 65), (55, 59), (48, 60, 64, 67)), ".##.")],
    "tonic in the bass": [(chords((60, 64, 67), (55, 60, 64), (48, 53, 57), (60, 64, 67)), "#.##")],
    "a note foreign to the key": [(chords((60, 64, 67), (54, 60, 67), (53, 60, 65), (60, 64, 67)), ".#..")],
    "minor key": [(SCALE, "........."), (chords((57, 60, 64), (56, 59, 64), (57, 60, 64)), "###")],
    "tonic chord next": [(chords((60, 64, 67), (55, 59, 62), (60, 64, 67), (53, 57, 60)), ".#..")],
    "four notes sound": [(chords((60, 64, 67), (55, 59, 62, 65), (48, 52, 55, 59, 62)), ".##")],
    "a note more in the chord": [(chords((60, 64, 67), (55,)), "..")],
    "a note repeats": [(SCALE, "........#"), (WALTZ, ".######"), (EIGHTHS, "..........")],
    "melody rises next": [(SCALE, "#######.."), (chords((60, 72), (65, 71), (50, 74)), ".#.")],
    "melody falls next": [(SCALE, "........."), (chords((60, 72), (65, 71), (50, 74)), "#..")],
    "phrase end": [(SONG, "..#.#.#"), (SCALE, "........#")],
    "phrase end next": [(SONG, ".#.#.#."), (SCALE, ".......#.")],
    "phrase begins": [(SONG, "#..#.#."), (SCALE, "#........")],
    "phrase end ahead": [(SONG, "##.#.#."), (SCALE, "......##.")],
    "piece ends soon": [(SCALE, ".########")],
}


@pytest.mark.parametrize(("name", "music", "expected"), [(n, m, e) for n, cases in CASES.items() for m, e in cases])
def test_features_marked_by_hand(name: str, music: Piece, expected: str) -> None:
    assert marks(heard(music), name) == expected


def test_every_feature_is_marked_somewhere() -> None:
    assert set(heard(SCALE).features) == set(CASES)
    assert set(heard(chords((60, 64)), VOICES).features) == set(CASES) - {"four notes sound"} | {"all voices sound"}


def test_a_moment_is_read_token_by_token() -> None:
    made = heard(chords((60, 64, 67), (59,)))
    assert made.labels == ["start", "any length", "C4", "1/4", "E4", "1/4", "G4", "1/4", "→1/4", "B3", "1/4", "→1/4"]
    more, major = (made.features[name] for name in ("a note more in the chord", "major chord"))
    assert "".join(".#"[int(held)] for held in more) == "######..#..."
    assert "".join(".#"[int(held)] for held in major) == "......##...."


def test_what_is_held_sounds_on_and_what_ends_does_not() -> None:
    music = piece([(0, 2, 60), (0, 1, 64), (1, 1, 67), (2, 1, 64), (2, 1, 67)])
    tokens, _ = encode(music, notation())
    sounding = [sorted(pitch for _, pitch in pitches) for pitches in Heard(notation(), tokens).sounding]
    assert sounding == [[], [], [60], [60], [60, 64], [60, 64], [60], [60, 67], [60, 67], [], [64], [64], [64, 67],
                        [64, 67], []]  # fmt: skip


def test_all_voices_sound_when_each_does() -> None:
    tracks = (Track("Soprano"), Track("Bass"))
    music = piece(
        [(0, 1, 72, 0), (0, 2, 48, 1), (1, 1, 74, 0), (2, 1, 72, 0), (3, 1, 72, 0), (3, 1, 50, 1)],
        (COMMON_TIME,),
        tracks,
    )
    assert marks(heard(music, VOICES), "all voices sound") == "##.#"
    repeats = heard(music, VOICES).features["a note repeats"]
    assert repeats.any()
    assert marks(heard(music, VOICES), "a note repeats") == "...#"


def test_frames_hold_what_sounds_in_each() -> None:
    music = chords((60, 64, 67), (60, 64, 67), (55, 59, 62))
    made = heard(music, FRAMES)
    assert made.labels[:6] == ["start", "any length", "C4", "E4", "G4", "→1/4"]
    assert marks(made, "major chord") == "###"
    assert marks(made, "a note repeats") == ".#."
    assert marks(made, "phrase end") == "#.#"  # the first two frames are one long chord, and the last is the last
    assert [note.duration for note in made.view.notes] == [12] * 9


def test_phrases_end_by_a_long_chord_or_before_silence() -> None:
    long = piece([(0, 1, 60), (0, 4, 48), (1, 3, 62), (4, 1, 60), (5, 1, 60), (7, 1, 60)])
    assert phrase_ends(long) == [12, 60, 84]
    drums = (Track(), Track("Drums", 0, True))
    assert phrase_ends(piece([(0, 1, 60), (1, 4, 38, 1), (1, 1, 62)], (COMMON_TIME,), drums)) == [12]


def test_names_of_tokens() -> None:
    name = namer(FULL)
    numbers = range(FULL.size)
    assert len({name(number) for number in numbers} - {""}) == FULL.size
    assert [pitch_name(pitch) for pitch in (0, 21, 60, 61, 127)] == ["C-1", "A0", "C4", "C#4", "G9"]
    assert name(FULL.number(TRACK, 1)) == "Drums"
    assert name(FULL.number(STEP, 6)) == "→1/8"
    assert namer(VOICES)(VOICES.number(TRACK, 1)) == "Bass voice"
    assert {"ppp", "mf", "3/4 time", "3/8", "drum 38", "16 bars"} <= {name(number) for number in numbers}
    assert namer(notation(tracks=(Track(" "), Track())))(VOICES.number(TRACK, 1)) == "track 2"


def test_notes_stand_where_they_are() -> None:
    tracks = (Track("Flute", 73), Track("Drums", 0, True))
    music = piece([(0, 1, 72, 0), (0, 1, 76, 0), (1, 0.5, 38, 1), (1.5, 1, 74, 0)], (COMMON_TIME,), tracks)
    tokens, _ = encode(music, FULL)
    made = passage(FULL, np.concatenate([tokens, tokens]), "t", ["one"])
    first, second = made.view.notes[:4], made.view.notes[4:]
    assert [note.name for note in first] == ["C5 Flute", "E5 Flute", "drum 38 Drums", "D5 Flute"]
    assert [(note.onset, note.duration) for note in first] == [(0, 12), (0, 12), (12, 6), (18, 12)]
    owned = [" ".join(made.labels[note.first : note.last + 1]) for note in first]
    assert owned == ["Flute C5 1/4 mf", "E5 1/4 mf", "Drums drum 38 1/8 mf", "Flute D5 1/4 mf"]
    offset = 48 + GAP  # one bar
    assert [note.onset - offset for note in second] == [note.onset for note in first]
    assert [made.view.lanes[note.lane].label for note in first] == ["C5", "", "", ""]
    assert [lane.label for lane in made.view.lanes[:3]] == ["", "", "drums"]
    assert first[2].lane == 1
    assert [bar.title for bar in made.view.bars] == ["one", "piece 2"]
    assert [made.view.lanes[note.lane + 1].shaded for note in (first[0], first[1])] == [True, False]


def test_a_pickup_is_bar_nought() -> None:
    bars = heard(WALTZ).view.bars
    assert [(bar.number, bar.begin, bar.end, bar.beat) for bar in bars] == [
        (0, 0, 12, 12),
        (1, 12, 48, 12),
        (2, 48, 84, 12),
    ]


@given(st.sampled_from([notation(), VOICES, FRAMES, FULL]), st.data())
def test_any_tokens_make_a_passage(how: Notation, data) -> None:
    tokens = np.array(data.draw(st.lists(st.integers(0, how.size - 1), max_size=40)), dtype=np.int64)
    made = passage(how, tokens, "t")
    assert len(made) == len(made.labels) == len(tokens)
    assert (np.diff(made.view.times) >= 0).all()
    assert made.view.spans.shape == (len(tokens), 2)
    assert all(0 <= note.lane < len(made.view.lanes) for note in made.view.notes)
    assert all(0 <= note.first <= note.last < len(tokens) for note in made.view.notes)
    made.beginning(len(tokens) // 2 + 1)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4), st.integers(36, 84)), min_size=1, max_size=20))
def test_notes_are_those_that_decoding_finds(wanted) -> None:
    """An independent reading: what sounds, note by note, is what `decode` says."""
    tokens, _ = encode(piece(sorted(set(wanted))), how := notation(durations=tuple(range(1, 49))))
    decoded = decode(tokens, how, "")
    made = passage(how, tokens, "t").view
    drawn = Counter((note.onset, note.lane + how.lowest) for note in made.notes)
    assert drawn == Counter((note.onset, note.pitch) for note in decoded.notes)
    ends = {note.onset + note.duration for note in made.notes}
    assert {note.end for note in decoded.notes} <= ends | {note.onset for note in decoded.notes}
    kinds = [how.tokens[int(token)].kind for token in tokens]
    assert [kinds[note.first] for note in made.notes] == [PITCH] * len(made.notes)
    assert kinds[0] == START


def test_a_passage_refuses_a_roll_that_does_not_fit() -> None:
    made = heard(SCALE)
    with pytest.raises(ValueError, match=f"{len(made)} tokens"):
        replace(made, view=made.view.beginning(5))


def test_drums_are_no_voice() -> None:
    assert "four notes sound" in heard(SCALE, FULL).features
