"""Dataclasses to JSON and back: what was written is read, and nothing else is believed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra import config as module
from recurra.config import check_range, dump_json, field_docstrings, fill_in, from_dict, read_json
from recurra.errors import OptionError, RecurraError


@dataclass(frozen=True)
class Example:
    """A field of every kind that options have."""

    must: str
    size: int | None = None
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    on: bool = False
    minutes: float | None = None
    noted: Annotated[int, "with a note"] = 3

    def __post_init__(self) -> None:
        check_range("rate", self.rate, 0.0, 1.0)


examples = st.builds(
    Example,
    must=st.text(),
    size=st.integers(),
    rate=st.floats(0, 1),
    kind=st.sampled_from(["a", "b"]),
    on=st.booleans(),
    minutes=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    noted=st.integers(),
)


@given(example=examples)
def test_a_configuration_comes_back_from_its_json(example: Example) -> None:
    assert from_dict(Example, json.loads(dump_json(asdict(example))), "here") == example


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (None, "expected an object of options, found NoneType"),
        ([], "expected an object of options, found list"),
        ("must", "expected an object"),
        ({}, "entry 'must' is missing"),
        ({"must": "x", "extra": 1}, "unknown entry 'extra'"),
        ({"must": "x", "__class__": 1}, "unknown entry '__class__'"),
        ({"must": 1}, "entry 'must' has the invalid value 1"),
        ({"must": None}, "entry 'must' has the invalid value None"),
        ({"must": "x", "size": 1.0}, "entry 'size' has the invalid value 1.0"),
        ({"must": "x", "size": True}, "entry 'size' has the invalid value True"),
        ({"must": "x", "size": "1"}, "entry 'size'"),
        ({"must": "x", "rate": None}, "entry 'rate'"),
        ({"must": "x", "rate": float("nan")}, "entry 'rate' has the invalid value nan"),
        ({"must": "x", "rate": float("inf")}, "entry 'rate'"),
        ({"must": "x", "rate": 10**400}, "entry 'rate'"),
        ({"must": "x", "rate": [0.5]}, "entry 'rate'"),
        ({"must": "x", "rate": False}, "entry 'rate'"),
        ({"must": "x", "rate": 1.5}, "`rate` is 1.5, but must be between 0.0 and 1.0"),
        ({"must": "x", "kind": "c"}, "entry 'kind' has the invalid value 'c'"),
        ({"must": "x", "kind": ["a"]}, "entry 'kind'"),
        ({"must": "x", "on": 1}, "entry 'on'"),
        ({"must": "x", "on": "yes"}, "entry 'on'"),
        ({"must": "x", "minutes": "5"}, "entry 'minutes'"),
        ({"must": "x", "noted": 0.5}, "entry 'noted'"),
        ({"must": {"deep": "er"}}, "entry 'must'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: Any, complaint: str) -> None:
    with pytest.raises(RecurraError) as error:
        from_dict(Example, values, "model/config.json")
    assert str(error.value).startswith("model/config.json: ")
    assert complaint in str(error.value)
    assert error.value.status == 1


@pytest.mark.parametrize("values", [{"must": ["x" * 10**6]}, {"must": "x", "y" * 10**6: 1}])
def test_the_complaint_about_something_huge_is_short(values: dict[str, Any]) -> None:
    with pytest.raises(RecurraError) as error:
        from_dict(Example, values, "here")
    assert len(str(error.value)) < 300


def test_whole_numbers_are_numbers() -> None:
    assert from_dict(Example, {"must": "x", "rate": 1, "minutes": 3}, "here") == Example("x", rate=1, minutes=3)


def test_fill_in_leaves_alone_what_was_given() -> None:
    assert fill_in(Example("x", rate=0.1), size=7, rate=0.9, minutes=2.0) == Example("x", 7, 0.1, minutes=2.0)


@given(value=st.floats(), low=st.floats(-10, 10), high=st.floats(-10, 10))
def test_a_range_holds_its_ends_and_no_nan(value: float, low: float, high: float) -> None:
    if low <= value <= high:
        check_range("top_p", value, low, high)
    else:
        with pytest.raises(OptionError, match=r"`top_p` is .*, but must be between") as error:
            check_range("top_p", value, low, high)
        assert error.value.status == 2
    check_range("top_p", None, low, high)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
def test_json_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("json") / "value.json"
    path.write_text(dump_json(value), encoding="utf-8", errors="surrogatepass")
    assert read_json(path) == value
    assert dump_json(value).endswith("\n")


def test_json_is_readable_in_every_script_and_holds_no_nan() -> None:
    assert "春" in dump_json({"tokens": ["春"]})
    with pytest.raises(ValueError, match="JSON"):
        dump_json(float("nan"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"\xff\xfe\x00",
        b"\x80abc",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[1, NaN]",
        b"-Infinity",
        b"9" * 10_000,
        b'{"a": 1} {"b": 2}',
        b"\0\0\0\0",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_json_is_refused_in_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(
        RecurraError, match=r"config\.json is not JSON \(.*\); the file is damaged, copy or train"
    ) as error:
        read_json(path)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match=r"reading .*missing\.json failed: there is no such file"):
        read_json(tmp_path / "missing.json")
    with pytest.raises(RecurraError, match="this is a folder"):
        read_json(tmp_path)
    (tmp_path / "large.json").write_text("[1, 2, 3]")
    monkeypatch.setattr(module, "MAX_JSON_BYTES", 5)
    with pytest.raises(RecurraError, match=r"large\.json is larger than 5 bytes"):
        read_json(tmp_path / "large.json")


@dataclass
class Explained:
    """Something."""

    size: int = 0
    """How large it is, in a sentence that goes on
    in a second line."""


def test_help_is_one_line_wherever_its_sentence_is_broken() -> None:
    assert field_docstrings(Explained) == {"size": "How large it is, in a sentence that goes on in a second line."}
