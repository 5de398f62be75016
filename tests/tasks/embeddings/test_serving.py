"""Word vectors over HTTP: what the commands say, and what OpenAI's own client reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from serving import Running, error_of
from vectoring import ROYAL, royal

Command = Callable[..., Any]


def ask(served: Running, path: str, **values: Any) -> Any:
    """An answer."""
    answer = served.client.post(f"/v1/embeddings{path}", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestVectors:
    def test_words_and_the_mean_of_words(self, served: Running) -> None:
        answer = ask(served, "", input=["king", "The King, or a queen", "KING"])
        vectors = [each["embedding"] for each in answer["data"]]
        known = [word for word in ("the", "king", "or", "a", "queen") if word in ROYAL]
        assert vectors[0] == vectors[2] == pytest.approx(ROYAL["king"])
        assert vectors[1] == pytest.approx(np.mean([ROYAL[word] for word in known], axis=0).tolist())
        assert [each["index"] for each in answer["data"]] == [0, 1, 2]
        assert answer["model"] == "royal"

    def test_openai_s_client_reads_them(self, served: Running) -> None:
        client = openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0)
        for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            made = client.embeddings.create(model="royal", input=["king", "queen"], user="me", **options)  # type: ignore[call-overload]
            for word, each in zip(("king", "queen"), made.data, strict=True):
                vector = each.embedding
                if isinstance(vector, str):  # as it was asked for
                    vector = np.frombuffer(base64.b64decode(vector), "<f4").tolist()
                assert vector == pytest.approx(ROYAL[word], abs=1e-6)
        with pytest.raises(openai.BadRequestError, match="`dimensions` is not supported"):
            client.embeddings.create(model="royal", input="king", dimensions=2)
        with pytest.raises(openai.BadRequestError, match="has no word 'kinge'; did you mean"):
            client.embeddings.create(model="royal", input="kinge")
        with pytest.raises(openai.BadRequestError, match="none of the words"):
            client.embeddings.create(model="royal", input="nothing known here")


class TestCommands:
    """What the commands print as JSON."""

    @pytest.fixture
    def told(self, recurra: Command, royal_vectors: Path) -> Callable[..., Any]:
        """What a command prints."""

        def run(verb: str, *arguments: object) -> Any:
            return json.loads(recurra("embeddings", verb, royal_vectors, *arguments, "--json").out)

        return run

    def test_neighbours(self, served: Running, told: Callable[..., Any]) -> None:
        assert ask(served, "/similar", words=["king", "spoon"], count=3) == told(
            "similar", "king", "spoon", "--count", 3
        )
        assert ask(served, "/similar", words="king") == told("similar", "king")
        found = ask(served, "/similar", words="king", among=["spoon", "queen"])["similar"][0]["neighbours"]
        assert [each["word"] for each in found] == ["queen", "spoon"]

    def test_analogies(self, served: Running, told: Callable[..., Any]) -> None:
        for method in ("add", "multiply"):
            expected = told("analogy", "man", "king", "woman", "--count", 2, "--method", method)
            assert ask(served, "/analogy", a="man", b="king", c="woman", count=2, method=method) == expected
        assert expected["text"] == "queen"

    def test_the_odd_one(self, served: Running, told: Callable[..., Any]) -> None:
        words = ["man", "king", "spoon", "prince"]
        assert ask(served, "/odd-one-out", words=words) == told("odd-one-out", *words)

    def test_a_map_has_the_words_in_a_square_of_side_one(self, served: Running) -> None:
        for method in ("pca", "t-sne"):
            answer = ask(served, "/map", words=["king", "man", "woman", "queen"], method=method, seed=3)
            assert answer["words"] == [word for word in royal().vectors.words if word in answer["words"]]
            for axis in ("x", "y"):
                assert all(0 <= place <= 1 for place in answer[axis])
            spans = [max(answer[axis]) - min(answer[axis]) for axis in ("x", "y")]
            assert max(spans) == pytest.approx(1, abs=1e-3)
            assert len(answer["groups"]) == 4
        assert ask(served, "/map", count=3)["words"] == ask(served, "/map", count=5)["words"][:3]


@pytest.mark.parametrize(
    ("path", "values", "sentence"),
    [
        ("", {"input": []}, "`input` has 0 texts"),
        ("", {"input": [1]}, "list of other things than text"),
        ("", {"input": ["king"] * 1001}, "1,001 texts; give 1 to 1,000"),
        ("", {"input": ""}, "none of the words"),
        ("/similar", {"words": "kinge"}, "has no word 'kinge'"),
        ("/similar", {"words": "king", "count": 0}, "between 1 and"),
        ("/similar", {"words": "king", "among": ["nothing"]}, "none of the 1 words"),
        ("/analogy", {"a": "man", "b": "king"}, "`c` is missing"),
        ("/analogy", {"a": "man", "b": "king", "c": "woman", "method": "divide"}, "one of add, multiply"),
        ("/odd-one-out", {"words": ["man", "king"]}, "fewer than three"),
        ("/map", {"words": ["man", "king"]}, "too few for a map"),
        ("/map", {"words": ["man"] * 1001}, "at most 1,000"),
    ],
)
def test_what_cannot_be_answered_is_refused(served: Running, path: str, values: dict[str, Any], sentence: str) -> None:
    answer = served.client.post(f"/v1/embeddings{path}", json=values)
    assert sentence in error_of(answer, 400, answer.json()["error"]["code"])
