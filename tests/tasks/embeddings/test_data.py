"""A text as numbers of words: counted, cut, and refused where nothing could be learned from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import text as text_files
from recurra.data.corpus import Texts
from recurra.errors import RecurraError
from recurra.tasks.embeddings import data as module
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.counted import Counted
from recurra.tasks.embeddings.data import LINE_END, Data, describe, read_data

SENTENCES = [f"The {n} cats sat on {m} mats; a dog was there, too." for n in range(7) for m in range(5)] * 8


def read(folder: Path, texts: Any, validation: Any = (), before: Counted = module.NOTHING, **options: Any) -> Data:
    folder.mkdir(exist_ok=True)
    sources = [Texts(["\n".join(texts)])] if isinstance(texts, list) else [texts]
    return read_data(sources, list(validation), resolve(Config(**options)), folder, before)


def spelled(data: Data, numbers: Any) -> list[list[str]]:
    """The words of each line."""
    rows: list[list[str]] = [[]]
    for number in numbers.tolist():
        if number == LINE_END:
            rows.append([])
        else:
            rows[-1].append(data.words[number])
    return rows


def words_of(line: str) -> list[str]:
    return line.lower().replace(";", "").replace(",", "").replace(".", "").split()


def test_words_are_counted_and_ranked(tmp_path: Path) -> None:
    data = read(tmp_path, SENTENCES, [Texts(["A dog, unknown, sat."])])
    counts = Counter(word for line in SENTENCES for word in words_of(line))
    assert list(data.words) == sorted(counts, key=lambda word: (-counts[word], word))
    assert data.counts.tolist() == [counts[word] for word in data.words]
    assert data.seen == counts.total()
    assert [line for line in spelled(data, data.train) if line] == [words_of(line) for line in SENTENCES]
    assert spelled(data, data.validation)[0] == ["a", "dog", "sat"], "a word without a vector is left out"


def test_rare_words_have_no_vector_but_are_told_and_counted(tmp_path: Path) -> None:
    data = read(tmp_path, [*SENTENCES, "rare rare rare words cats"], SENTENCES and [Texts(SENTENCES[:9])])
    assert dict(zip(data.rare.words, data.rare.counts, strict=True)) == {"rare": 3, "words": 1}
    assert "2 rarer ones, 4 words of the text" in " ".join(describe(data))
    most = read(tmp_path, SENTENCES, [Texts(SENTENCES[:9])], vocabulary_size=10)
    assert len(most.words) == 10
    assert most.counts.min() >= most.rare.counts.max()


def test_some_lines_are_kept_for_validation(tmp_path: Path) -> None:
    data = read(tmp_path, SENTENCES)
    kept, rest = (Counter(map(tuple, spelled(data, part))) for part in (data.validation, data.train))
    lines = Counter(tuple(words_of(line)) for line in SENTENCES)
    assert kept + rest - Counter({(): 9}) == lines
    assert 0.05 < sum(kept.values()) / len(SENTENCES) < 0.15
    assert data.validation_name == "one line in 10 of it"
    one_line = read(tmp_path, [" ".join(SENTENCES)])
    assert len(one_line.validation) == pytest.approx(len(one_line.train) / 9, rel=0.1)
    assert one_line.train[-1] != LINE_END, "the end is cut off, in the middle of the line"


def test_of_a_large_text_a_hundredth_is_kept_and_never_too_much(tmp_path: Path, monkeypatch: Any) -> None:
    many = SENTENCES * 40
    assert read(tmp_path, many).validation_name == "one line in 100 of it"
    monkeypatch.setattr(module, "MAX_VALIDATION", 500)
    assert len(read(tmp_path, many).validation) < 600


def test_it_is_read_in_blocks_whatever_their_size(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "text.txt"
    path.write_text(" ".join(SENTENCES) + "\n" + "\n".join(SENTENCES))
    whole = read(tmp_path / "a", path, phrases=1)
    monkeypatch.setattr(module, "_BLOCK", 97)
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 500)
    parts = read(tmp_path / "b", path, phrases=1)
    assert list(parts.words) == list(whole.words)
    assert (parts.train == whole.train).all()
    assert (parts.validation == whole.validation).all()
    assert parts.digest == whole.digest
    assert read(tmp_path / "c", [*SENTENCES, "more"]).digest != whole.digest


def test_only_what_is_learned_from_stays_on_the_disk(tmp_path: Path) -> None:
    read(tmp_path / "a", SENTENCES, phrases=2)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["kept.bin", "train.bin"]


def test_counts_go_on_from_those_of_the_model_begun_from(tmp_path: Path) -> None:
    before = Counted(["cats", "unseen", "rare"], np.array([100, 7, 3]), 2)
    data = read(tmp_path, [*SENTENCES, "rare rare dogs"], [Texts(SENTENCES[:9])], before)
    counts = dict(zip(data.words, data.counts.tolist(), strict=True))
    assert counts["cats"] == 280 + 100
    assert counts["unseen"] == 7, "a word with a vector keeps it"
    assert counts["rare"] == 5, "too rare in each text, but not in both"
    assert dict(zip(data.rare.words, data.rare.counts.tolist(), strict=True)) == {"dogs": 1}
    assert data.seen == sum(len(words_of(line)) for line in SENTENCES) + 3


def test_a_word_with_a_vector_keeps_it_beyond_the_largest_vocabulary(tmp_path: Path) -> None:
    before = Counted(["unseen"], np.array([1]), 1)
    data = read(tmp_path, SENTENCES, [Texts(SENTENCES[:9])], before, vocabulary_size=10)
    assert "unseen" in data.words
    assert len(data.words) == 11


def test_phrases_of_the_model_begun_from_are_joined_however_rare(tmp_path: Path) -> None:
    before = Counted(["the_3", "the"], np.array([9, 9]), 2)
    data = read(tmp_path, SENTENCES, [Texts(SENTENCES[:9])], before, phrases=1, phrase_threshold=1.0, min_count=2)
    assert data.counts[data.words.by_word["the_3"]] == 40 + 9
    without = read(tmp_path, SENTENCES, [Texts(SENTENCES[:9])], before, min_count=2)
    assert without.counts[without.words.by_word["the_3"]] == 9


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20), min_size=1, max_size=8))
def test_any_text_is_read_or_refused_in_a_sentence(tmp_path_factory: Any, lines: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        data = read(folder, lines * 30, min_count=1)
    except RecurraError as error:
        said = str(error)
    else:
        said = ""
        assert data.seen == int(data.counts.sum())
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("hello", {}, "too short to learn from: 1 words"),
        ("hello " * 300, {}, "1 of them distinct"),
        (" ".join(f"w{n}" for n in range(500)), {}, "0 of them distinct and seen `min_count` 5 times"),
        ("... --- ,,,\n" * 100, {}, "too short to learn from: 0 words"),
        ("... --- ,,,\n" * 100, {"phrases": 2}, "too short to learn from: 0 words"),
        ("我能吞下玻璃而不伤身体。\n" * 100, {}, "give `words` spaces"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecurraError, match=said):
        read(tmp_path, text.split("\n"), **options)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.txt"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(RecurraError, match="is not text"):
        read(tmp_path / "a", path)
    path.write_text("")
    with pytest.raises(RecurraError, match="is empty"):
        read(tmp_path / "a", path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(RecurraError, match="the disk is full"):
        module._written(full, [np.zeros(10, np.int32)])
