"""Captions over HTTP: what the commands say of a picture, and broken pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile_pictures import HOSTILE
from serving import Running, error_of

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def pictures(scenes_file: Path) -> list[Path]:
    """Some drawn scenes."""
    return sorted(scenes_file.parent.glob("*.png"))[:4]


def describe(served: Running, picture: Path, **query: Any) -> Any:
    """An answer."""
    answer = served.client.post("/v1/captions/describe", params=query, content=picture.read_bytes())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_captions_are_those_of_the_command(
    served: Running, recurra: Command, trained_captions: Path, pictures: list[Path]
) -> None:
    told = json.loads(recurra("captions", "describe", trained_captions, *pictures, "--n-best", 3, "--json").out)
    for picture, known in zip(pictures, told["pictures"], strict=True):
        answer = describe(served, picture, n_best=3)
        assert answer["text"] == known["text"]
        for each, expected in zip(answer["n_best"], known["n_best"], strict=False):
            assert each["text"] == expected["text"]
            assert each["score"] == pytest.approx(expected["score"], abs=1e-4)


def test_where_it_looked_is_what_explain_tells(
    served: Running, recurra: Command, trained_captions: Path, pictures: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    told = json.loads(recurra("captions", "explain", trained_captions, pictures[0], "--out", out, "--json").out)
    (known,) = told["pictures"]
    answer = describe(served, pictures[0])
    assert set(answer) == set(known) - {"path"}
    assert (answer["width"], answer["height"]) == (known["width"], known["height"])
    assert [word["text"] for word in answer["words"]] == [word["text"] for word in known["words"]]
    for word, expected in zip(answer["words"], known["words"], strict=True):
        assert word["centre"] == pytest.approx(expected["centre"], abs=0.02)
        for row, expected_row in zip(word["weights"], expected["weights"], strict=True):
            assert row == pytest.approx(expected_row, abs=1e-4)


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_broken_and_hostile_pictures_are_refused(served: Running, name: str) -> None:
    answer = served.client.post("/v1/captions/describe", content=HOSTILE[name][0])
    assert error_of(answer, 400, "invalid_request").startswith("the picture ")


def test_options_and_limits(served: Running, pictures: list[Path]) -> None:
    assert len(describe(served, pictures[0], beam_size=1)["n_best"]) == 1
    answer = served.client.post("/v1/captions/describe?beam_size=1000", content=pictures[0].read_bytes())
    assert "between 1 and 100" in error_of(answer, 400, "invalid_value")
    error_of(served.client.post("/v1/captions/describe", content=b""), 400, "invalid_request")


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running, pictures: list[Path]) -> None:
    alone = [describe(served, picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda picture: describe(served, picture), pictures)) == alone
