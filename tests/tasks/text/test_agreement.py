"""Agreement against scoring whole sentences one at a time; the files by examples good and bad."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.data.tokenizer import Bytes, Characters, Subwords, Tokenizer, WithBoundary, Words
from recurra.errors import RecurraError
from recurra.evaluation.language_model import log_probs
from recurra.tasks.text import agreement as module
from recurra.tasks.text.agreement import Group, Item, agreement, read_items

TEXT = """the cat sleeps . <eos>
the cats that the dog sees sleep . <eos>
Sleep well . <eos>
a dog of the cats has it . <eos>
the man is . <eos>
cats in the big old house with a door are . <eos>
"""
GOLD = """2\tsleeps\tsleep\t0
6\tsleep\tsleeps\t1
0\tSleep\tSleeps\t0
5\thas\thave\t1
2\tis\tis\t0
9\tare\tis\t2
"""


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    (tmp_path / "X.text").write_text(TEXT, encoding="utf-8")
    (tmp_path / "X.gold").write_text(GOLD, encoding="utf-8")
    return tmp_path / "X"


def tokenizers() -> list[Tokenizer]:
    corpus = [TEXT + "Sleeps have has is are sleep sleeps\n have has is are sleep sleeps\n"]
    plain = [Characters.build(corpus, 99, 1), Bytes(), Words.build(corpus, 99, 1), Subwords.build(corpus, 280, 1)]
    return [*plain, *map(WithBoundary, plain)]


def opened(tokenizer: Tokenizer, text: str) -> np.ndarray:
    """As after a line end, or as a document."""
    if tokenizer.boundary is None:
        return tokenizer.encode("\n" + text)
    return np.array([tokenizer.boundary, *tokenizer.encode(text)])


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda tokenizer: f"{tokenizer.kind} {tokenizer.boundary}")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_as_scoring_whole_sentences(make_model, stem: Path, tokenizer: Tokenizer, cell: str, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    model = make_model(vocabulary=tokenizer.size, cell=cell, seed=5)
    closing = " " if tokenizer.kind in ("characters", "bytes") else ""
    margins, groups = [], {}
    for item in read_items(stem):
        if item.right == item.wrong:
            continue
        scores = []
        for form in (item.right, item.wrong):
            before = opened(tokenizer, item.prefix)
            whole = opened(tokenizer, item.prefix + (" " if item.prefix else "") + form + closing)
            assert whole[: len(before)].tolist() == before.tolist()
            scores.append(float(log_probs(model, whole, torch.device("cpu"))[len(before) - 1 :].sum()))
        margins.append(scores[0] - scores[1])
        count, right = groups.get(item.attractors, (0, 0))
        groups[item.attractors] = (count + 1, right + (margins[-1] > 0))
    measured = agreement(model, tokenizer, stem)
    assert measured.by_attractors == {number: Group(*figures) for number, figures in groups.items()}
    assert list(measured.by_attractors) == [0, 1, 2]
    assert measured.overall == Group(5, sum(margin > 0 for margin in margins))
    assert measured.left_out == 1

    own = [item for item in read_items(stem) if item.right != item.wrong]
    prefixes = [opened(tokenizer, item.prefix) for item in own]
    spaces = [" " if item.prefix else "" for item in own]
    forms = [
        tuple(tokenizer.encode(space + form + closing) for form in (item.right, item.wrong))
        for space, item in zip(spaces, own, strict=True)
    ]
    np.testing.assert_allclose(module._margins(model, prefixes, forms), margins, atol=1e-4)


@torch.no_grad()
def test_a_word_does_not_win_as_the_beginning_of_another(make_model, tmp_path: Path) -> None:
    """A model of letter pairs that likes "hav" better than "has", but after "have" expects an n more than a space."""
    (tmp_path / "X.text").write_text("they have . <eos>\n")
    (tmp_path / "X.gold").write_text("1\thave\thas\t0\n")
    letters = Characters([*" aehnstvy\n"])
    size = letters.size
    model = make_model(vocabulary=size, cell="rnn", hidden=size, layers=1, embedding=size)
    for parameter in model.parameters():
        parameter.zero_()
    model.embedding.weight.copy_(torch.eye(size))
    model.recurrent.weights(0).weight_ih.copy_(50 * torch.eye(size))  # h is the last token, one-hot
    share = torch.full((size, size), 1e-6)
    for pair, value in {"av": 0.9, "as": 0.1, "ve": 1, "en": 0.99, "e ": 0.01, "s ": 1, " h": 1, "ha": 1}.items():
        before, after = letters.encode(pair).tolist()
        share[after, before] = value
    model.output.weight.copy_(share.log())
    prefix = [letters.encode("\nthey")]
    margin = module._margins(model, prefix, [(letters.encode(" have "), letters.encode(" has "))])[0]
    assert margin == pytest.approx(np.log(0.9 * 0.01 / 0.1), abs=1e-3)
    assert agreement(model, letters, tmp_path / "X").overall == Group(1, 0)


@torch.no_grad()
def test_what_is_as_probable_is_not_right(make_model, stem: Path) -> None:
    words = Words.build([TEXT + "Sleeps have has is are sleep sleeps"], 99, 1)
    model = make_model(vocabulary=words.size)
    for parameter in model.parameters():
        parameter.zero_()
    measured = agreement(model, words, stem)
    assert measured.overall == Group(5, 0)
    assert all(group.right == 0 for group in measured.by_attractors.values())


def test_words_the_vocabulary_lacks_are_left_out(make_model, stem: Path) -> None:
    words = Words(["the", " cat", " sleeps", " sleep"])
    measured = agreement(make_model(vocabulary=words.size), words, stem)
    assert (measured.overall.count, measured.left_out) == (2, 4)
    with pytest.raises(RecurraError, match="lacks every verb"):
        agreement(make_model(vocabulary=2), Words(["x"]), stem)


def test_a_tie_is_not_right(make_model, stem: Path) -> None:
    words = Words([" has", " have"])
    model = make_model(vocabulary=words.size)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.zero_()
    assert agreement(model, words, stem).overall == Group(1, 0)


@pytest.mark.parametrize("name", ["X", "X.text", "X.gold", "X.text.gz", "X.gold.gz"])
def test_any_of_the_names_finds_both_files(stem: Path, name: str) -> None:
    if name.endswith("gz"):
        for kind in ("text", "gold"):
            plain = stem.with_name(f"X.{kind}")
            stem.with_name(f"X.{kind}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
    items = read_items(stem.with_name(name))
    assert items[1] == Item("the cats that the dog sees", "sleep", "sleeps", 1)
    assert items[2] == Item("", "Sleep", "Sleeps", 0)


def wide(index: int, right: str, wrong: str) -> str:
    return "\t".join(
        ["L__N_V", "0", "1", str(index), "VERB", "Number=Sing", right, wrong, "lemma", "7", "NOUN", "a prefix"]
    )


def test_twelve_columns_take_attractors_from_the_table_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "X.text").write_text("ideas that dogs saw sleep\nan idea sleeps\n")
    (tmp_path / "X.gold").write_text(wide(4, "sleep", "sleeps") + "\n" + wide(2, "has", "have") + "\n")
    expected = [Item("ideas that dogs saw", "sleep", "sleeps", None), Item("an idea", "has", "have", None)]
    assert read_items(tmp_path / "X") == expected
    rows = [("form", "class", "n_attr"), ("sleep", "correct", "3"), ("sleeps", "wrong", "3"), ("has", "correct", "0")]
    (tmp_path / "X.tab").write_text("".join("\t".join(row) + "\n" for row in rows))
    assert [item.attractors for item in read_items(tmp_path / "X")] == [3, 0]
    (tmp_path / "X.tab").write_text("".join("\t".join(row) + "\n" for row in rows[:2]))  # of another test
    assert read_items(tmp_path / "X") == expected


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("", "X.gold is empty"),
        ("1\ta\tb\t0\n1\ta\tb\t0\n", "has 1 lines and .*X.gold 2"),
        ("1\ta\tb\n", r"X.gold, line 1 has 3 columns; it needs 4"),
        ("3\ta\tb\t0\n", "line 1: the index '3' does not fit a sentence of 3 tokens"),
        ("-1\ta\tb\t0\n", "line 1: the index '-1'"),
        ("x\ta\tb\t0\n", "line 1: the index 'x'"),
        ("1\ta\tb\tmany\n", "'many' is not a number of attractors"),
        ("1\ta\t\t0\n", "line 1 needs two forms"),
    ],
)
def test_bad_files_are_refused_by_name_and_line(tmp_path: Path, gold: str, message: str) -> None:
    (tmp_path / "X.text").write_text("one two three\n")
    (tmp_path / "X.gold").write_text(gold)
    with pytest.raises(RecurraError, match=message):
        read_items(tmp_path / "X")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match=r"there is no .*X\.text"):
        read_items(tmp_path / "X.gold")
    (tmp_path / "X.text").write_text("a\n")
    with pytest.raises(RecurraError, match=r"there is no .*X\.gold"):
        read_items(tmp_path / "X")


def test_intervals_as_published() -> None:
    """Values of Wilson's interval worked out elsewhere (Newcombe 1998, table I)."""
    assert Group(263, 81).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Group(148, 15).interval == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert Group(20, 0).interval == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert Group(29, 1).interval == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert Group(0, 0).interval == (0.0, 1.0)
    assert np.isnan(Group(0, 0).share)
