"""Translations as LibreTranslate's clients ask for them, and with all that is known of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import Running, error_of

from recurra.serve.errors import FieldError
from recurra.tasks.translation.serving import Pair, Translation, choose, languages

Command = Callable[..., Any]


@pytest.fixture
def translate(recurra: Command, trained_translation: Path) -> Callable[..., Any]:
    """What the command answers, JSON."""

    def run(*arguments: object) -> Any:
        return json.loads(recurra("translation", "translate", trained_translation, "--json", *arguments).out)

    return run


def ask(served: Running, **values: Any) -> Any:
    """An answer of /translate."""
    answer = served.client.post("/translate", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_text_and_several_are_translated_as_by_the_command(served: Running, translate: Callable[..., Any]) -> None:
    expected = [translate(text)["text"] for text in ("abcd", "hgfe", "aab")]
    assert ask(served, q="abcd", source="reverser", target="reverser") == {"translatedText": expected[0]}
    assert ask(served, q=["abcd", "hgfe", "aab"], source="reverser")["translatedText"] == expected
    assert ask(served, q="")["translatedText"] == ""


def test_alternatives_are_the_next_best(served: Running, translate: Callable[..., Any]) -> None:
    best, *others = [each["text"] for each in translate("abcd", "--n-best", 4)["translations"][0]["n_best"]]
    assert ask(served, q="abcd", alternatives=3) == {
        "translatedText": best,
        "alternatives": others,
        "detectedLanguage": {"language": "reverser", "confidence": 0.0},
    }
    answer = ask(served, q=["abcd", "ab"], alternatives=3, source="reverser")
    assert answer["alternatives"][0] == others
    assert len(answer["alternatives"]) == 2


def test_lines_are_translated_one_by_one(served: Running) -> None:
    lines = ["abcd", "", *(letter * 3 for letter in "abcdefgh" * 3)]
    alone = [ask(served, q=line)["translatedText"] for line in lines]
    assert ask(served, q="\n".join(lines))["translatedText"] == "\n".join(alone)


def test_a_form_will_do(served: Running) -> None:
    values = {"q": "abcd", "source": "auto", "target": "reverser", "format": "text", "api_key": "x", "other": "y"}
    by_json = ask(served, **values)
    assert served.client.post("/translate", data=values).json() == by_json
    assert (
        served.client.post("/translate", files={name: (None, text) for name, text in values.items()}).json() == by_json
    )
    assert served.client.post("/translate", data={"q": ["ab", "cd"]}).json()["translatedText"] == ["ba", "dc"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "`q` is missing"),
        ({"q": "a", "format": "html"}, "html is not supported"),
        ({"q": "a", "target": "fr"}, "auto to 'fr' is not translated here; there is reverser to reverser"),
        ({"q": "a", "source": "en", "target": "reverser"}, "en to 'reverser' is not translated here"),
        ({"q": ["a"] * 1001}, "1,001 texts are too many"),
        ({"q": "a" * 2000}, "characters"),
        ({"q": "a", "alternatives": 100}, "between 0 and 99"),
    ],
)
def test_what_cannot_be_translated_is_refused(served: Running, values: dict[str, Any], sentence: str) -> None:
    answer = served.client.post("/translate", json=values)
    assert sentence in error_of(answer, 400, answer.json()["error"]["code"])


def test_the_languages_of_models(served: Running) -> None:
    assert served.client.get("/languages").json() == [{"code": "reverser", "name": "reverser", "targets": ["reverser"]}]
    assert (Pair("en-fr").source, Pair("en-fr").target) == ("en", "fr")
    assert (Pair("de_eng").source, Pair("de_eng").target) == ("de", "eng")
    models = dict.fromkeys(["en-fr", "en-de", "fr-en", "dates"])
    assert languages(models) == [
        {"code": "en", "name": "en", "targets": ["fr", "de"]},
        {"code": "fr", "name": "fr", "targets": ["en"]},
        {"code": "dates", "name": "dates", "targets": ["dates"]},
    ]


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [("en", "de", "en-de"), ("auto", "en", "fr-en"), ("fr", "", "fr-en"), ("auto", "", None)],
)
def test_languages_choose_the_model(source: str, target: str, name: str | None) -> None:
    models = dict.fromkeys(["en-fr", "en-de", "fr-en"])
    assert choose(models, Translation(q="a", source=source, target=target)) == name
    with pytest.raises(FieldError, match="de to 'fr' is not translated here; there is en to fr, en to de, fr to en"):
        choose(models, Translation(q="a", source="de", target="fr"))


class TestExplain:
    def test_it_tells_what_the_command_knows(self, served: Running, translate: Callable[..., Any]) -> None:
        asked = {"text": "abcd", "beam_size": 4, "n_best": 4}
        answer = served.client.post("/v1/translation/explain", json=asked).json()
        expected = translate("abcd", "--beam-size", 4, "--n-best", 4)["translations"][0]
        assert (answer["source"], answer["text"]) == ("abcd", expected["text"])
        given = [each for each in answer["candidates"] if each["given"]]
        assert [each["text"] for each in given] == [each["text"] for each in expected["n_best"]]
        for each, known in zip(given, expected["n_best"], strict=True):
            assert each["score"] == pytest.approx(known["score"], abs=1e-5)
            assert each["log_probs"] == pytest.approx(known["log_probs"], abs=1e-5)
            for row, known_row in zip(each["weights"], known["attention"], strict=True):
                assert row == pytest.approx(known_row, abs=0.006)  # what a map leaves white is 0
        assert answer["sources"] == ["a", "b", "c", "d", "⏎"]

    def test_its_tree_has_every_output_as_a_path(self, served: Running) -> None:
        answer = served.client.post("/v1/translation/explain", json={"text": "abc", "beam_size": 3}).json()
        nodes, numbers = answer["tree"]["nodes"], answer["tree"]["numbers"]
        assert nodes[0][0] is None
        for candidate in answer["candidates"]:
            path = [numbers.index(number) for number in candidate["path"]]
            assert [nodes[number][1] for number in path] == candidate["tokens"]
            assert [nodes[number][0] for number in path] == [0, *path[:-1]]
            assert nodes[path[-1]][3] == pytest.approx(candidate["total"], abs=1e-5)
            assert nodes[path[-1]][4] == "finished"
        assert answer["tree"]["left_out"] == 0
        assert answer["tree_svg"].startswith("<svg")
        assert answer["attention_svg"].count('class="look"') > 0

    def test_nothing_is_refused(self, served: Running) -> None:
        answer = served.client.post("/v1/translation/explain", json={"text": " "})
        assert "no sentence to explain" in error_of(answer, 400, "invalid_request")
        answer = served.client.post("/v1/translation/explain", json={"text": "a", "n_best": 6})
        assert "at most `beam_size`" in error_of(answer, 400, "invalid_value")


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running) -> None:
    texts = ["abcdefgh"[number:] * 2 for number in range(6)]

    def one(text: str) -> Any:
        return ask(served, q=text, alternatives=2)

    alone = [one(text) for text in texts]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, texts)) == alone
