"""Scores: the same notes read back by music21, no word of complaint from verovio."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from musical import GRID_METERS, make_piece, pieces

from recurra.errors import OptionError, RecurraError
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track
from recurra.tasks.music.render.keys import NATURALS, Key, estimate_key, position_in_key, spelling_at
from recurra.tasks.music.render.musicxml import musicxml, write_musicxml
from recurra.tasks.music.render.score import MOST_STAVES, engrave, svg_pages
from recurra.tasks.music.render.staves import parts_of
from recurra.tasks.music.render.values import Span, values_of

WHOLE = {"whole": 48, "half": 24, "quarter": 12, "eighth": 6, "16th": 3, "32nd": 1.5}
"""Ticks of MusicXML's values."""

CROWDED = ("Justification is highly compressed", "System full width", "justifiable width", "Non-justifiable")
"""What verovio says of a bar with more notes than a line holds, which random pieces have."""


def notes_in(score) -> Counter:
    """(onset, end, pitch) of all notes of a music21 score in ticks, tied ones joined."""
    found: Counter = Counter()
    for part in score.parts:
        sounding = {}
        events = [
            (element.offset * 12, (element.offset + element.quarterLength) * 12, note)
            for element in part.flatten().notes
            if "Unpitched" not in element.classes and "PercussionChord" not in element.classes
            for note in (element.notes if element.isChord else [element])
        ]
        for begin, end, note in sorted(events, key=lambda event: (float(event[0]), event[2].pitch.midi)):
            tie = note.tie.type if note.tie else ""
            pitch = note.pitch.midi
            first = sounding.pop((round(begin), pitch)) if tie in ("stop", "continue") else begin
            assert abs(first - round(first)) + abs(end - round(end)) < 1e-3
            if tie in ("start", "continue"):
                sounding[round(end), pitch] = first
            else:
                found[round(first), round(end), pitch] += 1
        assert not sounding
    return found


def pitched(piece: Piece) -> Counter:
    return Counter((note.onset, note.end, note.pitch) for note in piece.notes if not piece.tracks[note.track].drums)


def read(text: str):
    converter = pytest.importorskip("music21.converter")
    return converter.parseData(text, format="musicxml")


@given(pieces())
@pytest.mark.filterwarnings("ignore")  # music21's own, of names
def test_music21_reads_the_very_same_notes(piece) -> None:
    assert notes_in(read(musicxml(piece))) == pitched(piece)


@given(pieces())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # read out anew each time
def test_verovio_has_nothing_to_complain_of(capfd, piece) -> None:
    verovio = pytest.importorskip("verovio")
    verovio.enableLog(verovio.LOG_WARNING)
    toolkit = verovio.toolkit()
    assert toolkit.loadData(musicxml(piece))
    toolkit.renderToSVG(1)
    complaints = [line for line in capfd.readouterr().err.splitlines() if not any(word in line for word in CROWDED)]
    assert complaints == []


@given(st.sampled_from(GRID_METERS), st.data())
def test_values_fill_spans_and_are_what_they_say(meter, data) -> None:
    begin = data.draw(st.integers(0, meter.bar - 1))
    inner = data.draw(st.sets(st.integers(begin, meter.bar), max_size=8))
    edges = sorted(inner | {begin, meter.bar})
    spans = [Span(a, b, data.draw(st.booleans())) for a, b in pairwise(edges)]
    values = values_of(spans, meter)
    assert [value.begin for value in values] == [begin, *(value.end for value in values[:-1])]
    assert values[-1].end == meter.bar
    for value in values:
        span = spans[value.span]
        assert span.begin <= value.begin < value.end <= span.end
        assert WHOLE[value.kind] * (1.5 if value.dots else 1) * (2 / 3 if value.group else 1) == value.end - value.begin
    assert sum(value.opens for value in values) == sum(value.closes for value in values)


@pytest.mark.parametrize(
    ("meter", "durations", "written"),
    [
        (Meter(0, 4, 4), [6, 36, 6], "eighth quarter. quarter. eighth"),
        (Meter(0, 4, 4), [12, 24, 12], "quarter half quarter"),
        (Meter(0, 4, 4), [4, 4, 4, 36], "eighth3 eighth3 eighth3 half."),
        (Meter(0, 4, 4), [8, 8, 8, 24], "quarter3 quarter3 quarter3 half"),
        (Meter(0, 6, 8), [24, 12], "quarter. eighth quarter"),
        (Meter(0, 3, 4), [36], "half."),
        (Meter(0, 5, 4), [60], "whole quarter"),
        (Meter(0, 4, 4), [9, 3, 36], "eighth. 16th half."),
    ],
)
def test_durations_are_written_as_musicians_do(meter, durations, written) -> None:
    edges = [sum(durations[:count]) for count in range(len(durations) + 1)]
    spans = [Span(a, b, True) for a, b in pairwise(edges)]
    words = [value.kind + "." * value.dots + "3" * bool(value.group) for value in values_of(spans, meter)]
    assert " ".join(words) == written


@given(st.integers(0, 127), st.integers(-7, 7), st.booleans())
def test_spelling_names_the_pitch(pitch, fifths, minor) -> None:
    step, alter, octave = spelling_at(position_in_key(pitch, Key(fifths, minor)), pitch)
    assert 12 * (octave + 1) + NATURALS[step] + alter == pitch
    assert abs(alter) <= 2


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (Key(0), "C C# D Eb E F F# G G# A Bb B"),
        (Key(-4), "C Db D Eb E F Gb G Ab A Bb Cb"),
        (Key(2), "C C# D D# E F F# G G# A A# B"),
        (Key(0, True), "C C# D D# E F F# G G# A Bb B"),
    ],
)
def test_spelling_suits_the_key(key, names) -> None:
    spelt = [spelling_at(position_in_key(pitch, key), pitch) for pitch in range(60, 72)]
    assert " ".join(step + "#" * alter + "b" * -alter for step, alter, _ in spelt) == names


@pytest.mark.parametrize("tonic", range(12))
def test_keys_are_found(tonic) -> None:
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]
    major = make_piece([Note(12 * n, 12, 60 + tonic + step) for n, step in enumerate(scale)])
    assert estimate_key(major) == Key(
        {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 1: -5, 8: -4, 3: -3, 10: -2, 5: -1}[tonic]
    )
    harmonic = [0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0]
    minor = make_piece([Note(12 * n, 12, 60 + tonic + step) for n, step in enumerate(harmonic)])
    assert estimate_key(minor).minor
    assert (7 * (tonic + 3) - estimate_key(minor).fifths) % 12 == 0
    assert estimate_key(make_piece([])) == Key(0)


def test_a_keyboard_has_two_staves_and_figures_stay_in_one_hand() -> None:
    notes = [Note(0, 48, 37), Note(0, 48, 49)] + [Note(4 * n, 4, (56, 61, 68)[n % 3]) for n in range(12)]
    (part,) = parts_of(make_piece(notes, [Track("Piano", 0)]))
    assert [staff.clef.sign for staff in part.staves] == ["G", "F"]
    assert len(part.staves[0].voices[0]) == 12
    (alone,) = parts_of(make_piece([Note(0, 12, 40)], [Track("Cello", 42)]))
    assert [staff.clef.sign for staff in alone.staves] == ["F"]


def test_a_pickup_tempos_and_names(tmp_path) -> None:
    piece = make_piece(
        [Note(0, 12, 67), Note(12, 36, 72)], [Track("Flöte <1> & \x07", 73)], [Meter(0, 1, 4), Meter(12, 4, 4)],
        [Tempo(0, 90.0), Tempo(12, 91.0), Tempo(24, 60.0)],
    )  # fmt: skip
    write_musicxml(piece, tmp_path / "a.musicxml", Key(1))
    root = ElementTree.parse(tmp_path / "a.musicxml").getroot()
    assert [measure.attrib for measure in root.iter("measure")] == [
        {"number": "0", "implicit": "yes"}, {"number": "1", "implicit": "yes"},
    ]  # fmt: skip
    assert [(time.findtext("beats"), time.findtext("beat-type")) for time in root.iter("time")] == [("4", "4")]
    assert [mark.findtext("per-minute") for mark in root.iter("metronome")] == ["90", "60"]
    assert [sound.get("tempo") for sound in root.iter("sound")] == ["90", "91", "60"]
    assert root.findtext(".//fifths") == "1"
    assert root.findtext(".//part-name") == "Flöte <1> & \N{REPLACEMENT CHARACTER}"


def test_accidentals_hold_for_a_bar() -> None:
    piece = make_piece([Note(12 * n, 12, pitch) for n, pitch in enumerate([66, 66, 65, 62, 66, 66])])
    root = ElementTree.fromstring(musicxml(piece, Key(0)))
    notes = [note.findtext("accidental") for note in root.iter("note") if note.find("pitch") is not None]
    assert notes == ["sharp", None, "natural", None, "sharp", None]


def test_drums_stand_on_a_staff_of_their_own() -> None:
    piece = make_piece([Note(0, 3, 36), Note(0, 3, 42), Note(12, 3, 38), Note(18, 1, 81)], [Track("", 0, True)])
    root = ElementTree.fromstring(musicxml(piece))
    assert len(list(root.iter("unpitched"))) == 4
    assert root.find(".//tie") is None


def test_pages_as_svg_and_png(tmp_path) -> None:
    pytest.importorskip("resvg_py")
    piece = make_piece([Note(3 * n, 3, 60 + n % 13) for n in range(16 * 100)])
    count = engrave(piece, tmp_path / "a.png")
    assert count > 1
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(
        ["a.png", *(f"a-{n}.png" for n in range(2, count + 1))]
    )
    assert imread(tmp_path / "a.png")[..., :3].mean() < 0.99
    assert engrave(piece, tmp_path / "b.svg") == count
    assert ElementTree.parse(tmp_path / "b-2.svg").getroot().tag.endswith("svg")
    assert svg_pages(musicxml(piece)) == svg_pages(musicxml(piece))


def test_what_is_refused(tmp_path) -> None:
    with pytest.raises(OptionError, match=r"end it in \.svg or \.png"):
        engrave(make_piece([]), tmp_path / "a.pdf")
    many = make_piece([Note(0, 1, 60, 80, n) for n in range(MOST_STAVES + 1)], [Track()] * (MOST_STAVES + 1))
    with pytest.raises(RecurraError, match="leave out some tracks"):
        engrave(many, tmp_path / "a.svg")
    with pytest.raises(RecurraError, match="too much for a score"):
        engrave(make_piece([Note(0, 1, 60)], length=48 * 6000), tmp_path / "a.svg")
    with pytest.raises(RecurraError, match="writing"):
        engrave(make_piece([]), tmp_path / "none" / "a.svg")


def test_a_score_is_engraved_in_any_thread() -> None:
    """verovio knows where its fonts are in the thread that imports it, and in no other."""
    notes = [Note(12 * place, 12, 60 + place) for place in range(8)]
    score = musicxml(make_piece(notes))
    here = svg_pages(score)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(svg_pages, score).result() == here
