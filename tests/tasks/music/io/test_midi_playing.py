"""What channels, pedals, bends and modes do to notes; symusic hears the same of files without them."""

from collections import Counter

import pytest
import symusic
from hypothesis import given
from hypothesis import strategies as st
from midi_files import Event, bend, chunk, control, events, file, name, off, on, program, track

from recurra.tasks.music.io.midi_events import parse
from recurra.tasks.music.io.midi_playing import PlayedTrack, play

DOWN, UP = control(64, 127), control(64, 0)


def played(*tracks: bytes) -> tuple[list[PlayedTrack], Counter[str]]:
    left_out: Counter[str] = Counter()
    found = play(parse(file(*tracks)).tracks, left_out)
    return found, +left_out


def spans(*given: Event) -> list[tuple[int, int, int]]:
    """Begin, end and pitch of each note of one track."""
    found, _ = played(track(*given))
    return sorted((note.begin, note.end, note.pitch) for part in found for note in part.notes)


def told(*given: Event) -> dict[str, int]:
    return dict(played(track(*given))[1])


@st.composite
def plain_tracks(draw: st.DrawFn) -> bytes:
    """Notes and programs on a few channels, in whatever order; each note that begins ends."""
    moves = st.tuples(st.integers(0, 300), st.integers(0, 2), st.integers(60, 62), st.integers(0, 127))
    given: list[Event] = [(0, name(draw(st.sampled_from([b"", b"viola"]))))]
    open_notes: list[tuple[int, int]] = []
    for delta, channel, pitch, value in draw(st.lists(moves, max_size=25)):
        channel = (0, 4, 9)[channel]
        if value < 40 and open_notes:
            channel, pitch = open_notes.pop(value % len(open_notes))
            given.append((delta, off(pitch, channel)))
        elif value < 50:
            given.append((delta, program(value, channel)))
        else:
            open_notes.append((channel, pitch))
            given.append((delta, on(pitch, value, channel)))
    return track(*given, *((9, off(pitch, channel)) for channel, pitch in open_notes))


@given(plain_tracks())
def test_symusic_hears_the_same_of_plain_files(data: bytes) -> None:
    expected = symusic.Score.from_midi(file(data))
    found, left_out = played(data)
    assert [(part.name.decode(), part.program, part.drums) for part in found] == [
        (part.name, part.program, part.is_drum) for part in expected.tracks if len(part.notes)
    ]
    for part, other in zip(found, (part for part in expected.tracks if len(part.notes)), strict=True):
        own = [(note.begin, note.end, note.pitch, note.velocity) for note in part.notes]
        assert sorted(own) == sorted((n.time, n.time + n.duration, n.pitch, n.velocity) for n in other.notes)
    assert not left_out


def test_the_pedal_holds_a_note_until_it_is_lifted() -> None:
    assert spans((0, DOWN), (0, on(60)), (10, off(60)), (30, UP), (5, on(62)), (10, off(62))) == [
        (0, 40, 60), (45, 55, 62),
    ]  # fmt: skip


def test_the_pedal_holds_a_note_until_its_pitch_is_struck_again() -> None:
    strikes = (0, on(60)), (10, off(60)), (20, on(60)), (10, off(60)), (60, UP)
    assert spans((0, DOWN), *strikes) == [(0, 30, 60), (30, 100, 60)]
    assert told((0, DOWN), *strikes) == {}, "nothing is lost"


def test_a_key_that_is_down_when_the_pedal_is_lifted_sounds_on() -> None:
    assert spans((0, DOWN), (0, on(60)), (10, UP), (30, off(60))) == [(0, 40, 60)]


def test_a_pedal_pressed_after_the_release_holds_nothing() -> None:
    assert spans((0, on(60)), (10, off(60)), (0, DOWN), (30, UP)) == [(0, 10, 60)]
    assert spans((0, on(60)), (10, DOWN), (0, off(60)), (30, UP)) == [(0, 40, 60)]


@pytest.mark.parametrize(("value", "end"), [(63, 10), (64, 40), (127, 40)])
def test_a_pedal_is_down_from_half_on(value: int, end: int) -> None:
    assert spans((0, control(64, value)), (0, on(60)), (10, off(60)), (30, UP)) == [(0, end, 60)]


def test_a_pedal_that_is_never_lifted_holds_to_the_last_note() -> None:
    assert spans((0, DOWN), (0, on(60)), (10, off(60)), (30, on(62)), (7, off(62)), (9999, b"\xff\x01\0")) == [
        (0, 47, 60), (40, 47, 62),
    ]  # fmt: skip


def test_a_pedal_is_for_its_channel_and_not_for_drums() -> None:
    other = (0, DOWN), (0, on(60, 80, 1)), (10, off(60, 1)), (30, UP)
    assert spans(*other) == [(0, 10, 60)]
    drums = (0, control(64, 127, 9)), (0, on(36, 80, 9)), (10, off(36, 9)), (30, control(64, 0, 9))
    assert spans(*drums) == [(0, 10, 36)]


def test_a_pedal_in_a_track_of_its_own_holds_the_notes_of_others() -> None:
    hands = [track((0, on(pitch)), (10, off(pitch))) for pitch in (60, 40)]
    found, _ = played(*hands, track((5, DOWN), (30, UP)))
    assert [[note.end for note in part.notes] for part in found] == [[35], [35]]


def test_a_program_in_a_track_of_its_own_is_that_of_its_channel() -> None:
    setup = track((0, program(40, 2)), (0, program(71, 3)))
    found, _ = played(setup, *(track((0, on(60, 80, channel)), (9, off(60, channel))) for channel in (2, 3, 4)))
    assert [part.program for part in found] == [40, 71, 0]


def test_a_channel_used_again_for_another_instrument_is_another() -> None:
    piano = track((0, program(0)), (0, DOWN), (0, on(60)), (10, off(60)), (30, UP))
    violin = track((0, program(40)), (5, on(60)), (10, off(60)))
    found, _ = played(piano, violin)
    assert [(part.program, part.notes[0].end) for part in found] == [(0, 40), (40, 15)]


def test_ports_have_channels_of_their_own() -> None:
    def port(number: int) -> bytes:
        return b"\xff\x21\x01" + bytes([number])

    first = track((0, port(0)), (0, DOWN), (90, UP))
    second = track((0, port(1)), (0, on(60)), (10, off(60)))
    assert played(first, second)[0][0].notes[0].end == 10
    assert played(first, second.replace(port(1), port(0)))[0][0].notes[0].end == 90


@pytest.mark.parametrize(
    ("controller", "held", "pressed"),
    [
        (120, 20, 20),  # All Sound Off ends everything
        (121, 20, 50),  # Reset All Controllers lifts the pedal, the key stays down
        (123, 40, 20),  # All Notes Off releases keys, the pedal holds
        (124, 40, 20),
        (127, 40, 20),  # modes are like it
    ],
)
def test_channel_modes_end_notes(controller: int, held: int, pressed: int) -> None:
    given = [(0, on(62)), (0, on(64, 80, 1)), (0, DOWN), (0, on(60)), (5, off(60))]
    found = spans(*given, (15, control(controller, 0)), (20, UP), (10, off(62)), (9, off(64, 1)))
    expected = {60: held, 62: 40 if controller >= 123 else pressed, 64: 59}
    assert {pitch: end for _, end, pitch in found} == expected
    without = spans((0, on(62)), (0, on(64, 80, 1)), (20, control(controller, 0)), (30, off(62)), (9, off(64, 1)))
    assert {pitch: end for _, end, pitch in without} == {62: pressed, 64: 59}


def test_what_all_notes_off_ends_was_not_forgotten() -> None:
    assert told((0, on(60)), (20, control(123, 0))) == {}
    assert told((0, on(60)), (20, control(122, 0))) == {"controllers": 1, "notes never ended": 1}


def test_notes_that_nothing_ends_end_where_their_track_is_cut_off() -> None:
    whole = track((0, on(60)), (9, on(62)), (9, off(62)))
    cut = chunk(b"MTrk", events((0, on(60)), (9, on(62)), (9, off(62)), (0, on(64)))[:-1], 99)
    assert [note.pitch for note in played(whole)[0][0].notes] == [62]
    found, left_out = played(cut)
    assert [(note.pitch, note.end) for note in found[0].notes] == [(60, 18), (62, 18)]
    assert left_out == {}


@pytest.mark.parametrize(
    ("share", "pitch", "counted"),
    [(1.0, 62, 0), (-1.0, 58, 0), (0.5, 61, 0), (0.48, 61, 0), (0.47, 60, 1), (0.3, 60, 1), (0.1, 60, 0)],
)
def test_a_bent_note_is_read_where_it_sounds(share: float, pitch: int, counted: int) -> None:
    given = (0, bend(share)), (0, on(60)), (100, off(60))
    assert spans(*given) == [(0, 100, pitch)]
    assert told(*given) == ({"notes whose pitch bends": counted} if counted else {})


def test_a_bend_for_less_than_half_of_a_note_is_counted() -> None:
    def bent_from(tick: int) -> tuple[Event, ...]:
        return (0, on(60)), (tick, bend(1.0)), (100 - tick, off(60)), (0, bend(0.0)), (0, on(64)), (9, off(64))

    assert spans(*bent_from(30))[0] == (0, 100, 62)
    assert spans(*bent_from(60))[0] == (0, 100, 60)
    for tick in (30, 60):
        assert told(*bent_from(tick)) == {"notes whose pitch bends": 1}
        assert spans(*bent_from(tick))[1] == (100, 109, 64)


def test_bends_reach_as_far_as_their_range() -> None:
    def ranged(*data: Event) -> int:
        number = [(0, control(101, 0)), (0, control(100, 0))]
        return spans(*number, *data, (0, bend(1.0)), (0, on(60)), (9, off(60)))[0][2]

    assert ranged() == 62
    assert ranged((0, control(6, 12))) == 72
    assert ranged((0, control(6, 3)), (0, control(38, 90))) == 64
    assert ranged((0, control(99, 1)), (0, control(6, 12))) == 62, "a parameter that is not registered"
    assert ranged((0, control(100, 1)), (0, control(6, 12))) == 62, "fine tuning"


def test_reset_all_controllers_ends_bends_and_drums_do_not_bend() -> None:
    assert spans((0, bend(1.0)), (0, control(121, 0)), (0, on(60)), (9, off(60))) == [(0, 9, 60)]
    assert spans((0, bend(1.0, 9)), (0, on(36, 80, 9)), (9, off(36, 9))) == [(0, 9, 36)]
    assert spans((0, bend(1.0)), (0, on(127)), (9, off(127))) == [(0, 9, 127)]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (control(1, 90), "controllers"),
        (control(91, 0), "controllers"),
        (control(7, 90), "changes of volume"),
        (control(11, 90), "changes of volume"),
        (control(66, 64), "uses of the sostenuto or soft pedal"),
        (control(67, 127), "uses of the sostenuto or soft pedal"),
        (control(67, 63), None),
        (control(0, 5), "banks of instruments"),
        (control(0, 0), None),
        (control(32, 5), "banks of instruments"),
        (control(6, 2), "controllers"),
        (b"\xa0\x3c\x40", "aftertouch"),
        (b"\xd0\x40", "aftertouch"),
        (b"\xf0\x03\x43\x01\xf7", "system exclusive messages"),
        (b"\xf0\x05\x7e\x7f\x09\x01\xf7", None),  # GM on
        (bend(0.0), None),
        (b"\xff\x01\x01a", "texts"),
        (b"\xff\x05\x01a", "lyrics"),
        (b"\xff\x7f\x01a", "events for one program only"),
        (b"\xff\x20\x01\0", None),
    ],
)
def test_what_notes_cannot_hold_is_counted(event: bytes, kind: str | None) -> None:
    assert told((0, event), (0, on(60)), (9, off(60))) == ({kind: 1} if kind else {})


def test_a_pedal_on_its_way_down_is_used_once() -> None:
    moves = [(1, control(67, value)) for value in (10, 70, 90, 127, 80, 20, 64, 0)]
    assert told(*moves, (0, on(60)), (9, off(60))) == {"uses of the sostenuto or soft pedal": 2}


GS_RHYTHM = bytes([0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x15, 0x01, 0x19, 0xF7])
GS_RESET = bytes([0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41, 0xF7])
GS_MELODIC = bytes([0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x10, 0x15, 0x00, 0x1B, 0xF7])


@pytest.mark.parametrize(
    ("before", "channel", "drums"),
    [
        ([control(0, 127)], 0, True),  # XG
        ([control(0, 120)], 0, True),  # GM2
        ([control(0, 1)], 0, False),
        ([control(0, 127), control(0, 0)], 0, False),
        ([GS_RHYTHM], 0, True),
        ([GS_RHYTHM, control(0, 0)], 0, True),
        ([GS_RHYTHM.replace(b"\x11\x15", b"\x12\x15")], 0, False),  # of another channel
        ([GS_RESET, control(0, 127)], 0, False),
        ([], 9, True),
        ([control(0, 0, 9)], 9, True),
        ([GS_MELODIC], 9, False),
    ],
)
def test_drum_kits(before: list[bytes], channel: int, drums: bool) -> None:
    found, _ = played(track(*((0, event) for event in before), (0, on(36, 80, channel)), (9, off(36, channel))))
    assert [part.drums for part in found] == [drums]
