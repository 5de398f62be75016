"""What holds of every composition: no demand is broken, as seen in the finished piece, and no seed leads nowhere."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import mido
import numpy as np
import pytest
import torch

from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError
from recurra.tasks.music import composition as composing
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls, Given, beginning_of
from recurra.tasks.music.model import Model
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import Meter, Note, Piece, Track, bar_lines, has_pickup
from recurra.tasks.music.render.output import swing, write_piece
from recurra.tasks.music.transcription import suit

COUNT = 204
"""Pieces of each control, shared by the models."""

SEVERAL = {"notes": ("notes", True, False), "merged": ("notes", False, False), "loud": ("notes", True, True)}
FRAMES = {"quarters": 12, "sixteenths": 3}
RANDOM = (*SEVERAL, *FRAMES)
MODELS = (*RANDOM, "trained")

C_MAJOR = {0, 2, 4, 5, 7, 9, 11}
SCALES = {"D minor": {2, 4, 5, 7, 9, 10, 0}, "C blues": {0, 3, 5, 6, 7, 10}, "F# major": {6, 8, 10, 11, 1, 3, 5}}
CHORDS = {"C": {0, 4, 7}, "Am": {9, 0, 4}, "F": {5, 9, 0}, "G7": {7, 11, 2, 5}, "Bbm7": {10, 1, 5, 8}, "E5": {4, 11}}
PROGRESSIONS = (
    (("C",), ("Am",), ("F", "G7")),
    (("C", "Am", "F", "G7"),),
    (("Bbm7",), ("E5", "Bbm7", "E5")),
    (("E5",),),
)
BARS = {"4/4": 48, "3/4": 36}
TEMPERATURES = (0.5, 1.0, 2.0, 5.0)


def random_model(tunes: tuple[Piece, ...], how: str) -> Model:
    """A model that has learned nothing: it breaks every rule that it can."""
    if how in FRAMES:
        notation = suit(tunes, "frames", FRAMES[how], True, False)
    else:
        kind, tracks, velocity = SEVERAL[how]
        notation = suit(tunes, kind, 0, tracks, velocity)
    return untrained(notation)


def untrained(notation: Notation) -> Model:
    torch.manual_seed(0)
    config = Config(hidden_size=8, num_layers=1, embedding_size=8, dropout=0.0, forget_bias=0.0, tied=False)
    return Model(Model.build(config, notation), notation, config, {}, "untrained")


@pytest.fixture(scope="session")
def models(tunes: tuple[Piece, ...], trained_music: Path) -> Mapping[str, Model]:
    return {how: random_model(tunes, how) for how in RANDOM} | {"trained": Model.load(trained_music)}


@pytest.fixture(autouse=True)
def no_dead_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every token there is one that may come next."""
    forbidden = composing.PlanRules.forbidden

    def watched(self: composing.PlanRules, draft: composing.Draft) -> Any:
        suppressed = forbidden(self, draft)
        assert len(suppressed) < self.notation.size, draft
        return suppressed

    monkeypatch.setattr(composing.PlanRules, "forbidden", watched)


class Case(NamedTuple):
    """Demands, as they are typed and as a checker needs them."""

    controls: Controls
    bar: int
    scale: set[int] | None = None
    ranges: tuple[tuple[int | None, int, int], ...] = ()
    chords: tuple[tuple[str, ...], ...] = ()
    given: Given | None = None
    sampling: Sampling = Sampling()


def pitched(piece: Piece) -> list[Note]:
    return [note for note in piece.notes if not piece.tracks[note.track].drums]


def sounding(notes: Iterable[Note], length: int) -> list[list[Note]]:
    """The notes that sound at each tick."""
    found: list[list[Note]] = [[] for _ in range(length)]
    for note in notes:
        for tick in range(note.onset, note.onset + note.duration):
            found[tick].append(note)
    return found


def check_form(piece: Piece, case: Case) -> None:
    """So many bars of the metre asked for, and a piece as pieces are."""
    bars = case.controls.bars
    assert bars is not None
    assert piece.length == bars * case.bar
    assert len(bar_lines(piece)) == bars + 1
    if case.controls.meter:
        assert [f"{meter.numerator}/{meter.denominator}" for meter in piece.meters] == [case.controls.meter]
    assert list(piece.notes) == sorted(piece.notes, key=lambda note: (note.onset, note.track, note.pitch))
    ends: dict[tuple[int, int], int] = {}
    for note in piece.notes:
        assert note.duration >= 1
        assert 0 <= note.onset < note.onset + note.duration <= piece.length
        assert ends.get((note.track, note.pitch), 0) <= note.onset
        ends[note.track, note.pitch] = note.onset + note.duration


def check_scale(piece: Piece, case: Case) -> None:
    if case.scale is not None:
        assert {note.pitch % 12 for note in pitched(piece)} <= case.scale


def check_ranges(piece: Piece, case: Case) -> None:
    for track, lowest, highest in case.ranges:
        for note in pitched(piece):
            if track is None or note.track == track:
                assert lowest <= note.pitch <= highest, (note, track)


def check_chords(piece: Piece, case: Case) -> None:
    """Every tick of every note."""
    if not case.chords:
        return
    for tick, notes in enumerate(sounding(pitched(piece), piece.length)):
        bar, place = divmod(tick, case.bar)
        tokens = case.chords[bar % len(case.chords)]
        chord = tokens[place * len(tokens) // case.bar]
        for note in notes:
            assert note.pitch % 12 in CHORDS[chord], (tick, chord, note)


def check_voices(piece: Piece, case: Case) -> None:
    most = case.controls.voices
    if most is not None:
        assert max(map(len, sounding(pitched(piece), piece.length))) <= most


def check_given(piece: Piece, case: Case) -> None:
    if case.given is None:
        return
    track, wanted = case.given.track, []
    for note in case.given.notes:
        if note.onset < piece.length:
            end = min(note.onset + note.duration, piece.length)
            wanted.append((note.onset, end, note.pitch, note.velocity))
    there = [(n.onset, n.onset + n.duration, n.pitch, n.velocity) for n in piece.notes if n.track == track]
    if len([each for each in piece.tracks if not each.drums]) > 1:
        assert there == wanted
    else:
        assert set(wanted) <= set(there)


def check(piece: Piece, case: Case) -> None:
    for checker in (check_form, check_scale, check_ranges, check_chords, check_voices, check_given):
        checker(piece, case)


def any_form(model: Model, rng: np.random.Generator, **controls: Any) -> Case:
    meter = str(rng.choice(list(BARS)))
    bars = int(rng.integers(1, 5))
    return Case(Controls(bars=bars, meter=meter, **controls), BARS[meter])


def with_scale(case: Case, model: Model, rng: np.random.Generator) -> Case:
    key = str(rng.choice(list(SCALES)))
    return case._replace(controls=replace(case.controls, key=key), scale=SCALES[key])


def with_range(case: Case, model: Model, rng: np.random.Generator) -> Case:
    """The range of a track, or of all, or of both, around a pitch that is in every one."""
    notation = model.notation
    tracks = [place for place, track in enumerate(notation.tracks) if not track.drums]
    shared = int(rng.integers(notation.lowest, notation.highest + 1))
    texts, ranges = [], []
    for track in rng.permutation([None, *tracks])[: rng.integers(1, 3)]:
        lowest, highest = shared - int(rng.integers(0, 15)), shared + int(rng.integers(0, 15))
        by_name = rng.random() < 0.5
        label = "" if track is None else f"{notation.tracks[track].name.upper() if by_name else track + 1}="
        letters = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
        low = f"{letters[lowest % 12]}{lowest // 12 - 1}" if by_name else str(lowest)
        texts.append(f"{label}{low}-{highest}")
        ranges.append((track, lowest, highest))
    return case._replace(controls=replace(case.controls, range=tuple(texts)), ranges=tuple(ranges))


def with_chords(case: Case, model: Model, rng: np.random.Generator) -> Case:
    chords = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    text = f"| {' | '.join(' '.join(bar) for bar in chords)} |"
    return case._replace(controls=replace(case.controls, chords=text), chords=chords)


def with_voices(case: Case, model: Model, rng: np.random.Generator) -> Case:
    return case._replace(controls=replace(case.controls, voices=int(rng.integers(1, 5))))


def with_given(case: Case, model: Model, rng: np.random.Generator) -> Case:
    """A line of any rhythm, on and off the grid of the model, with repeated notes and now and then two at once."""
    notation = model.notation
    pitches = [p for p in range(notation.lowest, notation.highest + 1) if case.scale is None or p % 12 in case.scale]
    pitches = pitches[len(pitches) // 2 :][:8]
    time, notes = int(rng.choice([0, 0, 5, 12])), []
    while time < case.bar * 5:
        duration = int(rng.choice([1, 3, 4, 6, 7, 12, 17, 30, 48]))
        for pitch in sorted(rng.choice(pitches, size=1 + (rng.random() < 0.2), replace=False)):
            notes.append(Note(time, duration, int(pitch), 90))
        time += duration + int(rng.choice([0, 0, 0, 3, 12]))
    tracks = [place for place, track in enumerate(notation.tracks) if not track.drums] or [0]
    return case._replace(given=Given(tuple(notes), int(rng.choice(tracks))))


With = Callable[[Case, Model, np.random.Generator], Case]

CONTROLS: Mapping[str, tuple[With, ...]] = {
    "bars and metre": (),
    "key": (with_scale,),
    "range": (with_range,),
    "chords": (with_chords,),
    "voices": (with_voices,),
    "melody": (with_given,),
}


def composed(model: Model, case: Case, seed: int) -> Piece:
    sampling = Sampling(temperature=TEMPERATURES[seed % len(TEMPERATURES)], seed=seed)
    controls = case.controls
    if not case.given:
        return model.compose(controls, sampling)
    numerator, denominator = map(int, (controls.meter or "4/4").split("/"))
    notes, track = tuple(note._replace(track=case.given.track) for note in case.given.notes), case.given.track
    tracks = model.notation.tracks or (Track(),)
    length = max((note.end for note in notes), default=0)
    melody = Piece("melody", tracks, notes, length, (Meter(0, numerator, denominator),))
    return model.compose(controls, sampling, melody=melody, melody_track=str(track + 1))


def try_control(model: Model, how: str, name: str, count: int, offset: int = 0) -> int:
    """Compose under a control and check; how many notes there were in all."""
    notes = 0
    for seed in range(offset, offset + count):
        rng = np.random.default_rng([seed, *map(ord, how + name)])
        case = any_form(model, rng)
        for extend in CONTROLS[name]:
            case = extend(case, model, rng)
        piece = composed(model, case, seed)
        check(piece, case)
        notes += len(piece.notes)
    return notes


@pytest.mark.parametrize("how", MODELS)
@pytest.mark.parametrize("name", CONTROLS)
def test_no_control_is_ever_broken(models: Mapping[str, Model], how: str, name: str) -> None:
    assert try_control(models[how], how, name, COUNT // len(MODELS)) > 100


def try_combinations(model: Model, how: str, count: int, offset: int = 0) -> int:
    """Several controls at once; how many of the combinations there can be at all."""
    possible = 0
    for seed in range(offset, offset + count):
        rng = np.random.default_rng([seed, *map(ord, how)])
        case = any_form(model, rng)
        for extend in (with_scale, with_range, with_chords, with_voices, with_given):
            if rng.random() < 0.45:
                case = extend(case, model, rng)
        try:
            piece = composed(model, case, seed)
        except OptionError:  # many contradict each other; which are named, and how, is tested beside the controls
            continue
        possible += 1
        check(piece, case)
    return possible


@pytest.mark.parametrize("how", MODELS)
def test_no_combination_is_ever_broken(models: Mapping[str, Model], how: str) -> None:
    assert try_combinations(models[how], how, 70) > 20


@pytest.mark.slow
@pytest.mark.parametrize("how", MODELS)
@pytest.mark.parametrize("name", CONTROLS)
def test_no_control_is_ever_broken_by_any_model(models: Mapping[str, Model], how: str, name: str) -> None:
    assert try_control(models[how], how, name, 200, offset=1000) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("how", MODELS)
def test_no_combination_is_ever_broken_by_any_model(models: Mapping[str, Model], how: str) -> None:
    possible = tried = 0
    while possible < 200:
        possible += try_combinations(models[how], how, 100, offset=1000 + tried)
        tried += 100
        assert tried < 2000


def midi_notes(path: Path) -> list[tuple[float, float]]:
    """When notes begin and end, in quarters, pitched ones and drums, read by another library."""
    file = mido.MidiFile(path)
    found, begun = [], {}
    for place, track in enumerate(file.tracks):
        time = 0
        for message in track:
            time += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            key = (place, message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                begun[key] = time / file.ticks_per_beat
            else:
                found.append((begun.pop(key), time / file.ticks_per_beat))
    assert not begun
    return sorted(found)


@pytest.mark.parametrize("how", MODELS)
def test_swing_is_never_broken(models: Mapping[str, Model], how: str, tmp_path: Path) -> None:
    """Off-beat eighths are late by what was asked, beats are where they were, and all else keeps its order."""
    off_beats = 0
    for seed in range(COUNT // len(MODELS)):
        rng = np.random.default_rng(seed)
        share = float(rng.choice([0.5, 0.55, 0.6, 2 / 3, 0.75, 0.8]))
        piece = composed(models[how], Case(Controls(bars=2, meter="4/4"), 48), seed)
        write_piece(piece, tmp_path / "swung.mid", timing=swing(share))
        played: dict[int, float] = {}
        written = sorted((note.onset, note.onset + note.duration) for note in piece.notes)
        for (begin, end), (begins, ends) in zip(written, midi_notes(tmp_path / "swung.mid"), strict=True):
            assert begins < ends
            for tick, time in ((begin, begins), (end, ends)):
                assert played.setdefault(tick, time) == time
        for tick, time in played.items():
            if tick % 12 == 0:
                assert time == tick // 12
            if tick % 12 == 6:
                off_beats += 1
                assert time - tick // 12 == pytest.approx(share, abs=1 / 480)
        times = [played[tick] for tick in sorted(played)]
        assert times == sorted(set(times))
    assert off_beats > 20 or how == "quarters"


@pytest.mark.parametrize("how", MODELS)
def test_a_composition_begins_with_its_prime_and_keeps_its_demands_after_it(
    models: Mapping[str, Model], tunes: tuple[Piece, ...], how: str
) -> None:
    model = models[how]
    for seed in range(24):
        rng = np.random.default_rng(seed)
        source = tunes[rng.integers(len(tunes))]
        bar = source.meters[0].bar
        taken = int(rng.integers(1, 4))
        prime = beginning_of(source, taken)
        case = Case(Controls(bars=taken + int(rng.integers(1, 4))), bar)
        for extend in (with_scale if seed % 2 else with_chords, with_voices):
            if rng.random() < 0.7:
                case = extend(case, model, rng)
        piece = model.compose(case.controls, Sampling(temperature=2.0, seed=seed), prime=prime)
        assert piece.meters == source.meters
        check_form(piece, case)
        begun = [note for note in piece.notes if note.onset < prime.length]
        assert all(note.end <= prime.length for note in begun)
        if how in ("notes", "loud", "trained"):
            assert [(n.onset, n.duration, n.pitch, n.track) for n in begun] == [
                (n.onset, n.duration, n.pitch, n.track) for n in prime.notes
            ]
        elif how == "merged":
            assert {note[:3] for note in begun} == {note[:3] for note in prime.notes}
        else:
            frame = FRAMES[how]
            for tick in range(0, prime.length, frame):
                there, wanted = (
                    {note.pitch for note in pitched(one) if note.onset <= tick < note.end} for one in (piece, prime)
                )
                assert there == wanted
        rest = replace(piece, notes=tuple(note for note in piece.notes if note.onset >= prime.length))
        for checker in (check_scale, check_chords, check_voices):
            checker(rest, case)


SILLY: Mapping[str, Controls] = {
    "one pitch": Controls(bars=2, range=("60-60",)),
    "one pitch and one voice": Controls(bars=2, range=("60-60",), voices=1),
    "a chord every quarter": Controls(bars=2, meter="4/4", chords="| C Am F G7 |"),
    "a chord every sixteenth": Controls(bars=2, meter="4/4", chords="|" + " C F" * 8 + "|"),
    "more chords than ticks": Controls(bars=2, meter="4/4", chords="|" + " C F" * 40 + "|"),
    "one pitch under a chord it is in": Controls(bars=3, range=("60-60",), chords="C | Am", voices=1),
    "everything": Controls(bars=2, meter="3/4", key="C major", chords="| C Am F |", range=("60-71",), voices=1),
    "one bar": Controls(bars=1, meter="3/4"),
}


@pytest.mark.parametrize("how", MODELS)
@pytest.mark.parametrize("what", SILLY)
def test_silly_demands_are_met(models: Mapping[str, Model], how: str, what: str) -> None:
    controls = SILLY[what]
    for seed in range(4):
        case = Case(controls, BARS[controls.meter or "4/4"])
        piece = composed(models[how], case, seed)
        check_form(piece, case)
        check_voices(piece, case)
        if controls.range:
            low, high = map(int, controls.range[0].split("-"))
            assert all(low <= note.pitch <= high for note in pitched(piece))
        if controls.key:
            assert {note.pitch % 12 for note in pitched(piece)} <= C_MAJOR


def places(piece: Piece) -> set[int]:
    """Where in their beats notes begin."""
    found = set()
    for note in piece.notes:
        meter = [meter for meter in piece.meters if meter.onset <= note.onset][-1]
        found.add((note.onset - meter.onset) % meter.bar % meter.beat)
    return found


@pytest.mark.parametrize("how", MODELS)
def test_nothing_begins_where_nothing_of_the_corpus_can(
    models: Mapping[str, Model], tunes: tuple[Piece, ...], how: str
) -> None:
    """A thousand bars over all models; the tunes have sixteenths and triplets, and nothing between."""
    corpus = set().union(*map(places, tunes)) if how not in FRAMES else {0, *range(0, 12, FRAMES[how])}
    assert corpus < set(range(12))
    found = set()
    for seed, meter in enumerate(["4/4", "3/4"] * 4):
        piece = models[how].compose(bars=20, meter=meter, temperature=TEMPERATURES[seed % 4], seed=seed)
        found |= places(piece)
    assert found <= corpus
    assert len(found) > 1 or how == "quarters"


def test_in_frames_nothing_begins_where_nothing_of_the_corpus_can() -> None:
    eighths = Piece("x", (Track(),), tuple(Note(tick, 6, 60 + tick % 7) for tick in range(0, 96, 6)), 96)
    model = untrained(suit([eighths], "frames", 3, True, False))
    pieces = [model.compose(bars=10, temperature=2.0, seed=seed) for seed in range(3)]
    assert set().union(*map(places, pieces)) == {0, 6}
    assert {note.end % 12 for piece in pieces for note in piece.notes} == {0, 3, 6, 9}


def test_pickups_are_composed_as_often_as_pieces_have_them(tunes: tuple[Piece, ...]) -> None:
    """And wherever the steps are computed, the same."""
    meters = (Meter(0, 1, 4), Meter(12, 3, 4))
    begun = [replace(tune, meters=meters) for tune in tunes[4:]] + [replace(tunes[5], meters=(Meter(0, 3, 4),))]
    model = untrained(suit(begun, "notes", 0, True, False))
    pieces = [model.compose(bars=2, meter="3/4", seed=seed) for seed in range(90)]
    assert 45 < sum(has_pickup(piece) for piece in pieces) < 75
    for seed, piece in enumerate(pieces[:12]):
        assert piece.meters == (meters if has_pickup(piece) else (Meter(0, 3, 4),))
        assert piece.length == (12 if has_pickup(piece) else 0) + 72
        forced = model.compose(bars=2, meter="3/4", seed=seed, pickup="1")
        assert forced.meters == meters
        assert not has_pickup(model.compose(bars=2, meter="3/4", seed=seed, pickup="none"))


@pytest.mark.parametrize("how", MODELS)
def test_the_same_seed_composes_the_same_and_another_something_else(models: Mapping[str, Model], how: str) -> None:
    def compose(**options: Any) -> Piece:
        return models[how].compose(Controls(bars=2), Sampling(**options))

    assert compose(seed=3) == compose(seed=3)
    assert len({compose(seed=seed).notes for seed in range(5)} | {compose().notes}) == 6
    likeliest = compose(greedy=True)
    assert likeliest.notes == compose(top_k=1, seed=9).notes == compose(top_p=1e-9, temperature=1.0, seed=9).notes


def test_two_tracks_of_drums_lead_nowhere_never(models: Mapping[str, Model]) -> None:
    notation = models["notes"].notation
    shaker = notation.tracks[-1]._replace(name="Shaker")
    model = untrained(replace(notation, tracks=(*notation.tracks, shaker)))
    tracks = set()
    for seed in range(30):
        piece = model.compose(Controls(bars=2), Sampling(temperature=3.0, seed=seed))
        tracks |= {note.track for note in piece.notes}
    assert tracks == set(range(len(model.notation.tracks)))


def test_bars_that_frames_do_not_divide_keep_their_length(tunes: tuple[Piece, ...]) -> None:
    notation = replace(suit(tunes, "frames", 12, True, False), meters=((3, 8), (4, 4)))
    model = untrained(notation)
    for bars in range(1, 6):
        case = Case(Controls(bars=bars, meter="3/8", chords="C | F | G7"), 18, chords=(("C",), ("F",), ("G7",)))
        piece = model.compose(case.controls, Sampling(temperature=2.0, seed=bars))
        check_form(piece, case)
        check_chords(piece, case)


def test_a_voice_of_a_real_piece_stays_as_it_is(models: Mapping[str, Model], tunes: tuple[Piece, ...]) -> None:
    for how in ("notes", "loud", "trained"):
        model = models[how]
        for track in range(3):
            options = {"melody": tunes[track], "melody_track": str(track + 1)}
            piece = model.compose(Controls(voices=3), Sampling(seed=1), **options)
            own = [note for note in piece.notes if note.track == track]
            assert own == [note for note in tunes[track].notes if note.track == track]
            assert piece.length == tunes[track].length
