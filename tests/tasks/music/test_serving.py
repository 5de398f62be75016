"""Pieces over HTTP: what the command composes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from serving import Running, error_of

from recurra.tasks.music.composer import Composer
from recurra.tasks.music.pieces import TICKS
from recurra.tasks.music.serving import Composition
from recurra.tasks.music.serving import compose as compose_

Command = Callable[..., Any]


def ask(served: Running, **values: Any) -> Any:
    """An answer."""
    answer = served.client.post("/v1/music/compose", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_piece_is_that_of_the_command(
    served: Running, recurra: Command, trained_music: Path, tmp_path: Path
) -> None:
    options = ["--seed", 3, "--bars", 3, "--key", "C major", "--chords", "C | G", "--voices", 2, "--temperature", 0.9]
    out = tmp_path / "piece.mid"
    told = json.loads(recurra("music", "compose", trained_music, "--out", out, *options, "--tempo", 90, "--json").out)
    values = {"seed": 3, "bars": 3, "key": "C major", "chords": "C | G", "voices": 2, "temperature": 0.9, "tempo": 90}
    answer = ask(served, **values)
    assert base64.b64decode(answer["midi"]) == out.read_bytes()
    (piece,) = told["pieces"]
    assert {name: answer[name] for name in ("notes", "bars", "key", "seed")} == {
        name: piece[name] for name in ("notes", "bars", "key", "seed")
    }
    assert {name: value for name, value in (answer["copy"] or {}).items() if name != "bar"} == (piece["copy"] or {})
    assert answer["compared"]


def test_the_roll_has_the_notes_with_their_times(served: Running, trained_music: Path) -> None:
    answer = ask(served, seed=5, bars=4, meter="3/4", tempo=60)
    piece = Composer.load(trained_music).compose(seed=5, bars=4, meter="3/4", tempo=60)
    roll = answer["roll"]
    assert [tuple(note[:5]) for note in roll["notes"]] == [tuple(note) for note in piece.notes]
    for onset, duration, _, _, _, begin, end in roll["notes"]:
        assert (begin, end) == pytest.approx((onset / TICKS, (onset + duration) / TICKS), abs=1e-3)
    assert roll["bars"] == [3 * TICKS * bar for bar in range(5)]
    assert [track["name"] for track in roll["tracks"]] == [track.name for track in piece.tracks]
    assert roll["tempos"] == [{"onset": 0, "quarters_per_minute": 60.0}]


def test_a_score_if_it_is_asked_for(served: Running, monkeypatch: pytest.MonkeyPatch, trained_music: Path) -> None:
    answer = ask(served, seed=5, bars=2, score=True)
    assert ElementTree.fromstring(answer["musicxml"]).tag == "score-partwise"
    assert all(page.startswith("<svg") for page in answer["svg"])
    assert not {"svg", "musicxml"} & set(ask(served, seed=5, bars=2))
    monkeypatch.setattr("recurra.tasks.music.serving.find_spec", lambda name: None)
    alone = compose_(Composer.load(trained_music), Composition(seed=5, bars=2, score=True))
    assert (alone["svg"], alone["musicxml"]) == (None, answer["musicxml"])


def test_a_fresh_seed_gives_the_piece_again_and_copies_are_told_where_there_is_what_to_compare_with(
    served: Running, music_model: Path
) -> None:
    first = ask(served, bars=2)
    assert ask(served, bars=2, seed=first["seed"])["midi"] == first["midi"]
    (music_model / "pieces.safetensors").unlink()
    answer = compose_(Composer.load(music_model), Composition(seed=1, bars=1))
    assert (answer["copy"], answer["compared"]) == (None, False)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"key": "H major"}, "H major"),
        ({"chords": "C | H7"}, "H7"),
        ({"bars": 257}, "between 1 and 256"),
        ({"voices": 0}, "between 1 and"),
        ({"temperature": 0}, "must be above 0"),
        ({"prime": "TVRo"}, "`prime` is not supported"),
        ({"range": ["C9-C1"]}, "`range`"),
        ({"meter": "0/4"}, "not a metre"),
    ],
)
def test_what_cannot_be_composed_is_refused(served: Running, values: dict[str, Any], sentence: str) -> None:
    answer = served.client.post("/v1/music/compose", json=values)
    assert sentence in error_of(answer, 400, answer.json()["error"]["code"])


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running) -> None:
    def one(seed: int) -> Any:
        return ask(served, seed=seed, bars=2)

    alone = [one(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == alone
