"""Pieces to render."""

from hypothesis import strategies as st

from recurra.tasks.music.pieces import COMMON_TIME, Meter, Note, Piece, Tempo, Track

GRID_METERS = tuple(
    Meter(0, numerator, denominator)
    for numerator in range(1, 14)
    for denominator in (2, 4, 8, 16)
)  # fmt: skip


def make_piece(notes, tracks=(Track(),), meters=(COMMON_TIME,), tempos=(Tempo(0, 60.0),), length=0, name="piece"):
    notes = tuple(sorted(notes, key=lambda note: (note.onset, note.track, note.pitch)))
    length = max([length, *(note.end for note in notes)])
    return Piece(name, tuple(tracks), notes, length, tuple(meters), tuple(tempos))


@st.composite
def pieces(draw, max_notes=30, drums=True):
    """Any valid piece whose bars lie on the grid: metres may begin anywhere, notes overlap as they like."""
    meters, onset = [], 0
    for meter in draw(st.lists(st.sampled_from(GRID_METERS), min_size=1, max_size=3)):
        meters.append(meter._replace(onset=onset))
        onset += draw(st.integers(1, 3)) * meter.bar if draw(st.booleans()) else draw(st.integers(1, 60))
    length = onset + draw(st.integers(0, 60))
    tracks = draw(st.lists(
        st.builds(Track, st.sampled_from(["", "Piano", "a < b & \x00"]), st.sampled_from([0, 19, 40]),
                  st.booleans() if drums else st.just(False)), min_size=1, max_size=3,
    ))  # fmt: skip
    low, high = draw(st.sampled_from([(0, 127), (40, 80), (60, 63)]))
    spans = st.tuples(
        st.integers(0, length - 1), st.sampled_from([1, 2, 3, 4, 5, 6, 8, 12, 18, 31, 100]), st.integers(low, high),
        st.integers(1, 127), st.integers(0, len(tracks) - 1),
    )  # fmt: skip
    reached: dict[tuple[int, int], int] = {}
    notes = []
    for onset, duration, pitch, velocity, track in sorted(draw(st.lists(spans, max_size=max_notes))):
        if onset >= reached.get((track, pitch), 0) and onset + duration <= length:
            notes.append(Note(onset, duration, pitch, velocity, track))
            reached[track, pitch] = onset + duration
    tempos = [Tempo(0, draw(st.floats(20, 300))), Tempo(draw(st.integers(1, 50)), draw(st.floats(20, 300)))]
    return make_piece(notes, tracks, meters, tempos, length)
