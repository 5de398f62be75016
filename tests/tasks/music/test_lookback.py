"""What comes next if a piece repeats itself: the compiled scan against its twin, and against pieces that do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recurra import music
from recurra.errors import OptionError
from recurra.tasks.music.config import Config
from recurra.tasks.music.data import chosen_lags, repeated_share
from recurra.tasks.music.lookback import (
    MEMORY,
    PASSAGE,
    RANKS,
    REPEATED,
    look_back,
    look_back_reference,
    lookback_features,
    memory_size,
)
from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.pieces import COMMON_TIME, Meter, Note, Piece, Track
from recurra.tasks.music.rule_features import METER, STEP, IntArray
from recurra.tasks.music.statistics import measure
from recurra.tasks.music.transcription import encode, suit

LAGS = (0, 1, 2, 4)
BAR = 48


def tune(bars: str, tracks: int = 1, seed: int = 0) -> Piece:
    """A piece with a bar for each letter, the same for the same letter: eighths at any pitches, some left out."""
    rng = np.random.default_rng(seed)
    kinds = {
        letter: [
            (6 * place, int(rng.integers(60, 72)), track)
            for place in range(8)
            for track in range(tracks)
            if rng.random() < 0.8 or (place == 0 and track == 0)
        ]
        for letter in sorted(set(bars))
    }
    notes = [
        Note(BAR * bar + tick, 6, pitch, 80, track)
        for bar, letter in enumerate(bars)
        for tick, pitch, track in kinds[letter]
    ]
    return Piece(
        bars, tuple(Track(f"{place}") for place in range(tracks)), tuple(sorted(notes)), BAR * len(bars), (COMMON_TIME,)
    )


def notation_for(piece: Piece, frames: bool = False) -> Notation:
    return replace(suit([piece], "frames" if frames else "notes", 6, True, False), lookback=LAGS)


def looked(notation: Notation, tokens: IntArray) -> tuple[IntArray, IntArray]:
    """What is shown of every lag after each token, `(time, lags)` each: what comes next, or -1, and its rank."""
    rules = MusicRules(notation)
    shown, _ = rules.read(tokens[None], np.zeros((1, rules.state_size), np.float32))
    first = sum(token.kind <= METER for token in notation.tokens)
    width = notation.size - first + RANKS
    blocks = shown[0, :, -len(notation.lookback) * width :].reshape(len(tokens), -1, width)
    comes, ranks = np.split(blocks, [notation.size - first], axis=2)
    assert (comes.sum(axis=2) == ranks.sum(axis=2)).all()
    assert (comes.sum(axis=2) <= 1).all()
    return np.where(comes.any(axis=2), comes.argmax(axis=2) + first, -1), ranks.argmax(axis=2)


@pytest.mark.parametrize(("tracks", "frames"), [(1, False), (3, False), (1, True)])
def test_the_scan_is_its_twin_on_pieces_that_outlast_the_memory(tracks: int, frames: bool) -> None:
    piece = tune("abcabcddabababcdacbd" * (5 if tracks > 1 else 8), tracks)
    notation = notation_for(piece, frames)
    tokens = encode(piece, notation, length=True)[0].astype(np.int64)
    rng = np.random.default_rng(1)
    changed = rng.random(len(tokens)) < 0.01
    tokens[changed] = rng.integers(2, notation.size, changed.sum())
    if not frames:
        assert len(tokens) > MEMORY + 500
    require_twins(notation, tokens[None])


def require_twins(notation: Notation, tokens: IntArray) -> None:
    """Both read the same and come to the same state."""
    kinds, values = (np.array(column) for column in zip(*notation.tokens, strict=True))
    bars = np.array([notation.bar(index) for index in range(len(notation.meters))])
    size = lookback_features(len(notation.lookback), int((kinds > METER).sum()))
    results = []
    for read in (look_back, look_back_reference):
        state = np.zeros((len(tokens), memory_size(len(notation.lookback))), np.float32)
        shown = np.zeros((*tokens.shape, size), np.float32)
        read(tokens, state, kinds, values, bars, np.array(notation.lookback), shown)
        results.append((shown, state))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["notes", "frames"])
def test_the_scan_is_its_twin_on_nonsense(kind: str) -> None:
    """Tokens in any order, pieces that begin anywhere, metres in the middle of bars."""
    piece = replace(tune("abcd", tracks=3), meters=(COMMON_TIME, Meter(2 * BAR, 3, 8)))
    notation = notation_for(piece, kind == "frames")
    rng = np.random.default_rng(2)
    few = rng.choice(np.arange(101, notation.size), (3, 6))
    tokens = np.stack([rng.integers(notation.size, size=400), *(rng.choice(row, 400) for row in few)])
    tokens[1:, ::97] = 0
    require_twins(notation, tokens)


@pytest.mark.parametrize("lag", [1, 2, 4])
def test_a_lag_says_what_stood_so_many_bars_ago(lag: int) -> None:
    piece = tune("abcdefgh"[:lag] * 3, tracks=2)
    notation = notation_for(piece)
    tokens = encode(piece, notation, length=True)[0].astype(np.int64)
    comes, ranks = looked(notation, tokens)
    steps = [notation.tokens[token].value if notation.tokens[token].kind == STEP else 0 for token in tokens]
    later = np.flatnonzero(np.cumsum(steps) >= lag * BAR)
    column = LAGS.index(lag)
    assert (comes[later[:-1], column] == tokens[later[1:]]).all()
    assert (comes[: later[0], column] == -1).all()
    assert ranks[later[:-1], column].max() == len(REPEATED)


def test_of_tracks_that_come_and_go_the_others_stay_in_step() -> None:
    both = tune("aa", tracks=2)
    piece = replace(both, notes=tuple(note for note in both.notes if note.track or note.onset < BAR))
    notation = notation_for(both)
    tokens = encode(piece, notation, length=True)[0].astype(np.int64)
    comes, _ = looked(notation, tokens)
    times = np.cumsum([notation.tokens[token].value * (notation.tokens[token].kind == STEP) for token in tokens])
    bass = notation.number(4, 1)  # the second track is named
    named = [index for index in np.flatnonzero(tokens == bass) if times[index] >= BAR]
    assert len(named) > 3
    for index in named:
        assert comes[index, LAGS.index(1)] == tokens[index + 1], "its pitch, and then its duration"
        assert comes[index + 1, LAGS.index(1)] == tokens[index + 2]


def test_a_passage_is_followed_wherever_it_was() -> None:
    piece = tune("abcdeab")
    notation = notation_for(piece)
    tokens = encode(piece, notation, length=True)[0].astype(np.int64)
    comes, ranks = looked(notation, tokens)
    steps = [notation.tokens[token].value if notation.tokens[token].kind == STEP else 0 for token in tokens]
    again = int(np.flatnonzero(np.cumsum(steps) >= 5 * BAR)[0])
    known = range(again + PASSAGE, len(tokens) - 2)
    assert len(known) > 15
    assert all(comes[index, 0] == tokens[index + 1] for index in known)
    assert ranks[known[-1], 0] == 2


def test_nothing_is_remembered_of_the_piece_before() -> None:
    piece = tune("abab")
    notation = notation_for(piece)
    tokens = encode(piece, notation, length=True)[0].astype(np.int64)
    alone, _ = looked(notation, tokens)
    after, _ = looked(notation, np.concatenate([tokens, tokens]))
    assert (after[len(tokens) :] == alone).all()


def test_what_is_composed_repeats_itself_only_with_it() -> None:
    """Tunes of random notes, in which two of four bars say what the others are."""
    pieces = [tune("aabbaabb", seed=seed) for seed in range(60)]
    small = dict(steps=600, hidden_size=48, embedding_size=32, batch_size=8, sequence_length=64, dropout=0.0)
    nats, repeated = [], []
    for bars in (0, 2):
        config = Config(lookback=bars, transpose=0, learning_rate=0.01, evaluations=1, **small)  # type: ignore[arg-type]
        model = music.train(pieces, None, config, progress=False)
        made = [model.compose(bars=8, temperature=0.9, seed=seed) for seed in range(6)]
        nats.append(model.record["nats_per_frame"])
        repeated.append(float(measure(made).scalars["repeated_bars"].mean()))
    assert nats[1] < 0.6 * nats[0]
    assert repeated[0] < 0.05 < 0.1 < repeated[1]


def test_a_model_of_before_goes_on_without_it(music_folder: Path) -> None:
    config = Config(steps=2, hidden_size=8, embedding_size=8, evaluations=1, batch_size=2, sequence_length=8)
    old = music.train(music_folder, None, replace(config, lookback=0), progress=False)
    old.config = replace(old.config, lookback=None)  # as it is read where none is stored
    for given in (None, 0):
        again = music.train(music_folder, None, Config(steps=4, lookback=given), from_model=old, progress=False)
        assert again.config.lookback == 0
        assert isinstance(again.notation, Notation)
        assert again.notation.lookback == ()
    with pytest.raises(OptionError, match=r"`lookback` is 4, but .* has none"):
        music.train(music_folder, None, Config(steps=4, lookback=4), from_model=old, progress=False)


@pytest.mark.parametrize(("bars", "share"), [("abcdefghijklmnop", 0.0), ("abcdabcdefghefgh", 0.45), ("aaaaaaaa", 0.8)])
def test_looking_back_is_for_pieces_that_repeat_themselves(bars: str, share: float) -> None:
    pieces = [tune(bars, seed=seed) for seed in range(5)]
    notation = suit(pieces, "notes", 6, True, False)
    tokens = [encode(piece, notation)[0] for piece in pieces]
    assert repeated_share(replace(notation, lookback=(0, 1, 2, 4, 8)), tokens) == pytest.approx(share, abs=0.08)
    assert chosen_lags(notation, tokens, None) == ((0, 1, 2, 4, 8) if share else ())
    assert chosen_lags(notation, tokens, 0) == ()
    assert chosen_lags(notation, tokens, 1) == (0, 1)
    assert chosen_lags(notation, tokens, 7) == (0, 1, 2, 4)
