"""Completions: what the command writes, as OpenAI's own client reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from serving import Running, error_of

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def client(served: Running) -> openai.OpenAI:
    """OpenAI's own client."""
    return openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0)


@pytest.fixture
def write(recurra: Command, trained_folder: Path) -> Callable[..., Any]:
    """What the command writes, JSON."""

    def run(*arguments: object) -> Any:
        return json.loads(recurra("text", "write", trained_folder, "--json", *arguments).out)

    return run


def ask(served: Running, **values: Any) -> Any:
    """An answer."""
    answer = served.client.post("/v1/completions", json={"model": "tiny"} | values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_text_and_its_probabilities_are_those_of_the_command(served: Running, write: Callable[..., Any]) -> None:
    values = {"prompt": "The ", "max_tokens": 30, "temperature": 0.7, "top_p": 0.9, "seed": 3, "logprobs": 0}
    answer = ask(served, **values)
    expected = write("--prompt", "The ", "--length", 30, "--temperature", 0.7, "--top-p", 0.9, "--seed", 3)
    (choice,) = answer["choices"]
    assert "The " + choice["text"] == expected["text"]
    (sample,) = expected["samples"]
    assert choice["logprobs"]["tokens"] == sample["tokens"]
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(sample["log_probs"], abs=1e-6)
    assert choice["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 30, "total_tokens": 34}
    assert (answer["object"], answer["model"], answer["seed"]) == ("text_completion", "tiny", 3)


def test_what_is_not_given_is_as_in_the_command(served: Running, write: Callable[..., Any]) -> None:
    assert ask(served, seed=5)["choices"][0]["text"] == write("--seed", 5)["text"]
    greedy = write("--greedy", "--length", 20)["text"]
    assert ask(served, temperature=0, max_tokens=20)["choices"][0]["text"] == greedy
    assert ask(served, top_p=0, max_tokens=20)["choices"][0]["text"] == greedy
    assert ask(served, top_k=1, max_tokens=20)["choices"][0]["text"] == greedy


def test_a_fresh_seed_is_told_and_gives_the_text_again(served: Running) -> None:
    first = ask(served, max_tokens=20)
    assert ask(served, max_tokens=20, seed=first["seed"])["choices"] == first["choices"]


def test_several_texts_are_the_samples_of_a_seed(served: Running, write: Callable[..., Any], tmp_path: Path) -> None:
    answer = ask(served, prompt="The ", max_tokens=10, seed=3, n=3, echo=True)
    samples = write("--prompt", "The ", "--length", 10, "--seed", 3, "--samples", 3)["samples"]
    assert [choice["text"] for choice in answer["choices"]] == [sample["text"] for sample in samples]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    (prompts := tmp_path / "prompts.txt").write_text("The \ncat\n", encoding="utf-8")
    samples = write("--prompt-file", prompts, "--length", 10, "--seed", 3, "--samples", 2)["samples"]
    answer = ask(served, prompt=["The ", "cat"], max_tokens=10, seed=3, n=2, echo=True)
    assert [choice["text"] for choice in answer["choices"]] == [sample["text"] for sample in samples]


def test_what_could_have_come_instead(served: Running, write: Callable[..., Any]) -> None:
    (choice,) = ask(served, prompt="The ", max_tokens=3, seed=3, logprobs=4)["choices"]
    text = ""
    for token, others in zip(choice["logprobs"]["tokens"], choice["logprobs"]["top_logprobs"], strict=True):
        candidates = write("--prompt", "The " + text, "--show-candidates", 4)["candidates"]
        assert list(others) == [each["text"] for each in candidates]
        assert [2.718281828459045**each for each in others.values()] == pytest.approx(
            [each["probability"] for each in candidates], abs=2e-6
        )
        text += token
    assert choice["logprobs"]["text_offset"] == [0, 1, 2]


def test_texts_end_before_the_first_of_several_strings(served: Running) -> None:
    whole = ask(served, max_tokens=60, seed=2)["choices"][0]["text"]
    first, second = whole[30:33], whole[20:22]
    assert whole.index(second) < whole.index(first)
    for stop, length in ((first, whole.index(first)), ([first, second], whole.index(second))):
        (choice,) = ask(served, max_tokens=60, seed=2, stop=stop, logprobs=1)["choices"]
        assert choice["text"] == whole[:length] == "".join(choice["logprobs"]["tokens"])
        assert choice["finish_reason"] == "stop"
        assert len(choice["logprobs"]["top_logprobs"]) == length
    (choice,) = ask(served, max_tokens=60, seed=2, stop=["neverwritten"])["choices"]
    assert (choice["text"], choice["finish_reason"]) == (whole, "length")


def test_what_the_model_does_not_know_is_told(served: Running) -> None:
    assert ask(served, prompt="The 漢字", max_tokens=1)["unknown"] == ["漢", "字"]


class TestOpenAI:
    def test_models(self, client: openai.OpenAI) -> None:
        listed = client.models.list()
        assert [model.id for model in listed] == ["tiny", "band", "royal", "mood", "reverser", "eyes", "listener"]
        assert client.models.retrieve("tiny").owned_by == "recurra"
        with pytest.raises(openai.NotFoundError, match="there is no model"):
            client.models.retrieve("nothing")

    def test_a_completion_whole_and_streamed(self, client: openai.OpenAI, write: Callable[..., Any]) -> None:
        asked: Any = {"model": "tiny", "prompt": "The ", "max_tokens": 40, "temperature": 0.7, "seed": 4, "logprobs": 1}
        whole = client.completions.create(**asked)
        expected = write("--prompt", "The ", "--without-prompt", "--length", 40, "--temperature", 0.7, "--seed", 4)
        assert whole.choices[0].text == expected["text"]
        chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
        assert [chunk.choices[0].finish_reason for chunk in chunks[-2:-1]] == ["length"]
        assert chunks[-1].usage == whole.usage
        assert whole.choices[0].logprobs is not None
        streamed = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices]
        for name in ("tokens", "token_logprobs", "text_offset", "top_logprobs"):
            parts = [getattr(each, name) for each in streamed]
            assert [item for part in parts for item in part] == getattr(whole.choices[0].logprobs, name)

    def test_a_stream_of_several_texts_says_whose_a_token_is(self, client: openai.OpenAI) -> None:
        asked: Any = {"model": "tiny", "prompt": ["a", "b"], "max_tokens": 5, "seed": 4, "echo": True}
        texts = {0: "", 1: ""}
        for chunk in client.completions.create(**asked, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].text
        assert list(texts.values()) == [choice.text for choice in client.completions.create(**asked).choices]

    def test_what_it_sends_besides(self, client: openai.OpenAI) -> None:
        asked: Any = {"model": "tiny", "prompt": "a", "max_tokens": 3}
        neutral: Any = {"best_of": 1, "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "suffix": ""}
        client.completions.create(**asked, **neutral, user="somebody")
        for name, value in (("best_of", 2), ("presence_penalty", 0.5), ("suffix", "end"), ("logit_bias", {"5": 1})):
            with pytest.raises(openai.BadRequestError, match=f"`{name}` is not supported"):
                client.completions.create(**asked, **{name: value})  # type: ignore[call-overload]
        with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
            client.completions.create(model="gpt", prompt="a")
        with pytest.raises(openai.BadRequestError, match="list of other things than text"):
            client.completions.create(model="tiny", prompt=[1, 2, 3])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"stop": ""}, "`stop` is empty"),
        ({"stop": ["a", ""]}, "`stop` is empty"),
        ({"prompt": []}, "`prompt` is an empty list"),
        ({"prompt": ["a"] * 65, "n": 2}, "130 texts are asked for"),
        ({"n": 50, "max_tokens": 2001}, "at most 100,000 tokens"),
        ({"temperature": -1}, "`temperature` is -1"),
        ({"max_tokens": 10**6}, "between 0 and 100,000"),
        ({"seed": -1}, "between 0 and"),
        ({"echo": True, "logprobs": 1}, "no `logprobs` of the prompt"),
    ],
)
def test_what_cannot_be_written_is_refused(served: Running, values: dict[str, Any], sentence: str) -> None:
    for stream in (False, True):
        answer = served.client.post("/v1/completions", json=values | {"stream": stream})
        assert sentence in error_of(answer, 400, answer.json()["error"]["code"])


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running) -> None:
    asked = [{"prompt": "The ", "max_tokens": 50 + 10 * seed, "seed": seed, "logprobs": 1} for seed in range(8)]

    def choices(values: dict[str, Any]) -> Any:
        return ask(served, **values)["choices"]

    alone = [choices(values) for values in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(choices, asked)) == alone
