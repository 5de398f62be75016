"""Sentence pairs in: whatever a table or two files hold comes through as it is, or one sentence says why not."""

import csv
import gzip
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra import load
from recurra.data import tables as module
from recurra.data import text as texts
from recurra.data.tables import MAX_CHARACTERS
from recurra.data.tokenizer import TokenKind
from recurra.data.vocabulary import VocabularyPair
from recurra.errors import OptionError, RecurraError
from recurra.tasks.translation.data import Pairs, encode_sentence, open_pairs, split_validation, too_long
from recurra.tasks.translation.dates import dates

PAIRS = [
    ("the cat was full", "die Katze war satt"),
    ("dogs", "Hunde\u2028und\x0cmehr"),
    ("春眠不觉晓", "spring 🙂, “so”"),
]

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])

SENTENCES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\r\n\ufeff")).filter(
    lambda text: text.strip()
)

MANY = st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=8)


def pairs_of(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.sources, pairs.targets, strict=True))


def tsv(pairs: Sequence[tuple[str, ...]], end: str = "\n") -> str:
    return "".join("\t".join(cells) + end for cells in pairs)


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    data = content.encode(encoding) if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def refusal(*names: str | Path, encoding: str = "utf-8") -> str:
    with pytest.raises(RecurraError) as error:
        open_pairs(names, encoding)
    message = str(error.value)
    assert "\n" not in message
    assert ";" in message, "no remedy"
    return message


@given(pairs=MANY, end=LINE_ENDS, mark=st.booleans())
def test_a_tsv_comes_through_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], end: str, mark: bool
) -> None:
    path = write(tmp_path_factory.mktemp("tsv") / "pairs.tsv", "\ufeff" * mark + tsv(pairs, end))
    header = [name.strip().lower() for name in pairs[0]]
    if sorted(header) in (["source", "target"], ["src", "tgt"]):
        return
    assert pairs_of(open_pairs([path])) == [(source.strip(), target.strip()) for source, target in pairs]


@given(pairs=MANY, ends=st.permutations(["\n", "\r\n", "\r"]), last=st.booleans())
def test_parallel_files_come_through_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], ends: list[str], last: bool
) -> None:
    folder = tmp_path_factory.mktemp("parallel")
    for side, name in enumerate(("a.en", "b.de.gz")):
        text = "".join(pair[side] + ends[side] for pair in pairs)
        write(folder / name, text if last else text.rstrip("\r\n"))
    read = open_pairs([folder / "a.en", folder / "b.de.gz"])
    assert pairs_of(read) == [(source.strip(), target.strip()) for source, target in pairs]
    assert read.name == "a.en and b.de.gz"
    assert read.skipped == []


@given(pairs=MANY, delimiter=st.sampled_from(",;\t"), quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_a_csv_written_by_python_comes_through(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], delimiter: str, quoting: int
) -> None:
    file = io.StringIO()
    rows = [("source", "target"), *pairs]
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows(rows)
    path = write(tmp_path_factory.mktemp("csv") / "pairs.csv", file.getvalue())
    if quoting == csv.QUOTE_MINIMAL and any(mark in cell for pair in pairs for cell in pair for mark in ",;\t"):
        return  # of so few lines, other marks may be as good a column end
    assert pairs_of(open_pairs([path])) == [(source.strip(), target.strip()) for source, target in pairs]


@given(pairs=MANY, keys=st.sampled_from([("source", "target"), ("src", "tgt"), ("en", "de")]), nested=st.booleans())
def test_json_lines_come_through(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], keys: tuple[str, str], nested: bool
) -> None:
    records = [dict(zip(keys, pair, strict=True)) for pair in pairs]
    lines = [json.dumps({"translation": record} if nested else record | {"id": 7}) + "\n" for record in records]
    path = write(tmp_path_factory.mktemp("json") / "pairs.jsonl.gz", "".join(lines))
    assert pairs_of(open_pairs([path])) == [(source.strip(), target.strip()) for source, target in pairs]


def test_line_ends_inside_quotes_and_json_become_a_space(tmp_path: Path) -> None:
    table = write(tmp_path / "pairs.csv", '"one\r\ntwo","eins\nzwei"\r\n"three, ""3""",drei\r\n')
    assert pairs_of(open_pairs([table])) == [("one two", "eins zwei"), ('three, "3"', "drei")]
    lines = write(tmp_path / "pairs.jsonl", json.dumps({"source": "one\rtwo", "target": "eins"}))
    assert pairs_of(open_pairs([lines])) == [("one two", "eins")]


@pytest.mark.parametrize("name", ["pairs.tsv", "fra.txt", "pairs", "PAIRS.TSV.GZ", "fra.txt.gz"])
def test_a_file_of_any_other_name_is_a_tsv(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, tsv(PAIRS)) if not name.endswith("GZ") else tmp_path / name
    if name.endswith("GZ"):
        path.write_bytes(gzip.compress(tsv(PAIRS).encode()))
    read = open_pairs([str(path)])
    assert pairs_of(read) == PAIRS
    assert (read.name, read.skipped, len(read)) == (name, [], 3)


def test_a_header_names_the_columns_and_further_ones_are_told(tmp_path: Path) -> None:
    named = write(tmp_path / "named.tsv", "id\tTarget\tsource\n1\tzwei\ttwo\n2\tdrei\n3\tvier\tfour\n")
    read = open_pairs([named])
    assert pairs_of(read) == [("two", "zwei"), ("four", "vier")]
    assert any("named.tsv: column id ('1'); what is read is source and Target" in text for text in read.skipped)
    assert any("named.tsv, line 3: there are too few columns" in sentence for sentence in read.skipped)
    for name, text in (
        ("blank.csv", "\ntarget,source\nzwei,two\nvier,four\n"),
        ("excel.csv", "sep=;\ntarget;source\nzwei;two\nvier;four\n"),
        ("comment.tsv", "# numbers\ntarget\tsource\nzwei\ttwo\nvier\tfour\n"),
        ("keys.jsonl", '{"Target": "zwei", "Source": "two"}\n{"Target": "vier", "Source": "four"}\n'),
    ):
        assert pairs_of(open_pairs([write(tmp_path / name, text)])) == [("two", "zwei"), ("four", "vier")]


def test_what_is_left_out_is_told_with_its_lines(tmp_path: Path) -> None:
    rows = [("a", "b"), ("", "c"), ("d", " "), ("e", "\u3000"), ("\t",), ("f", ""), ("g",), ("h", "i"), ("j", "")]
    path = write(tmp_path / "pairs.tsv", tsv([*rows, *[("k", "l")] * 20]))
    read = open_pairs([path])
    assert pairs_of(read) == [("a", "b"), ("h", "i"), *[("k", "l")] * 20]
    assert sorted(read.skipped) == [
        f"{path}, line 2: the source is empty",
        f"{path}, line 5: nothing is there",
        f"{path}, line 7: there is only one column",
        f"{path}, lines 3, 4, 6 and 1 more: the target is empty",
    ]


class TestKeys:
    ENGLISH: ClassVar = {
        "menu": {"open": "Open", "save": "Save"},
        "quit": "Quit",
        "beta": "Beta",
        "n": 3,
        "list": ["a"],
    }
    GERMAN: ClassVar = {"quit": "Beenden", "menu": {"save": "Speichern", "open": "Öffnen"}, "alt": "Alt"}

    def test_texts_of_two_files_with_the_same_key_belong_together(self, tmp_path: Path) -> None:
        first = write(tmp_path / "en.json", json.dumps(self.ENGLISH, indent=2))
        second = write(tmp_path / "de.json", "\ufeff" + json.dumps(self.GERMAN))
        read = open_pairs([first, second])
        assert read.sources == ["Open", "Save", "Quit"]
        assert read.targets == ["Öffnen", "Speichern", "Beenden"]
        assert read.skipped == [
            f"{first}: 1 key(s) that {second} does not have, such as 'beta'",
            f"{second}: 1 key(s) that {first} does not have, such as 'alt'",
        ]

    def test_other_json_files_are_tables(self, tmp_path: Path) -> None:
        rows = [{"source": f"a{n}", "target": f"b{n}"} for n in range(3)]
        first = write(tmp_path / "a.json", json.dumps(rows))
        second = write(tmp_path / "b.json", json.dumps({"data": rows, "version": "1"}))
        assert len(open_pairs([first, first])) == len(open_pairs([first, second])) == 6
        lines = write(tmp_path / "c.json", "".join(json.dumps(row) + "\n" for row in rows))
        assert len(open_pairs([lines, first])) == 6
        one = write(tmp_path / "one.json", json.dumps(rows[0]))
        other = write(tmp_path / "other.json", json.dumps(rows[1]))
        assert open_pairs([one, other], columns="source,target").sources == ["a0", "a1"]


def test_empty_sides_of_parallel_files_are_left_out_and_told(tmp_path: Path) -> None:
    first = write(tmp_path / "a.en", "one\n\nthree\n\nfive\n")
    second = write(tmp_path / "a.de", "eins\nzwei\n\n\nfünf\n")
    read = open_pairs([first, second])
    assert pairs_of(read) == [("one", "eins"), ("five", "fünf")]
    assert read.skipped == [
        "a.en and a.de, line 2: the source is empty",
        "a.en and a.de, line 3: the target is empty",
        "a.en and a.de, line 4: nothing is there",
    ]


def test_empty_lines_at_the_end_of_one_file_do_not_matter_but_are_told(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.en", "one\ntwo\n\n \n"), write(tmp_path / "a.de", "eins\nzwei\n")
    assert pairs_of(open_pairs([first, second])) == [("one", "eins"), ("two", "zwei")]
    assert pairs_of(open_pairs([second, first])) == [("eins", "one"), ("zwei", "two")]
    assert open_pairs([first, second]).skipped == [f"{first}: the last 2 line(s), which are empty"]


def test_unequal_numbers_of_lines_are_refused_with_both_and_where_they_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["word " * int(number) for number in rng.integers(1, 20, 2000)]
    first = write(tmp_path / "a.en", "\n".join(lines))
    second = write(tmp_path / "a.de", "\n".join(lines[:1233] + lines[1234:]))
    message = refusal(first, second)
    assert "a.en has 2,000 lines but " in message
    assert "a.de has 1,999, and the files part probably near line 1,23" in message
    write(second, "\n".join(lines[:5]))
    write(first, "\n".join(["same"] * 9))
    assert "probably" not in refusal(first, second)


def test_a_table_of_one_column_is_refused(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "corpus.txt", "one\ntwo\nthree\tdrei\n"))
    assert "corpus.txt, line 1: there is only one column (2 of 3 lines" in message
    assert "tab between them, or two parallel files" in message
    message = refusal(write(tmp_path / "corpus.csv", "one\ntwo\n"))
    assert re.search(r"corpus\.csv, line 1: there is only one column .*a comma between", message)


def test_records_that_are_no_pairs_are_left_out_or_refused(tmp_path: Path) -> None:
    good = json.dumps({"source": "a", "target": "b"})
    bad = [
        "{",
        "[1, 2]",
        '"text"',
        '{"source": "c"}',
        '{"source": [1], "target": "d"}',
        "[" * 100_000,
        "9" * 5000,
    ]  # too deep, too long
    path = write(tmp_path / "pairs.jsonl", "\n".join([good] * 8 + bad))
    read = open_pairs([path])
    assert pairs_of(read) == [("a", "b")] * 8
    assert any("lines 9, 14, 15: this is not JSON" in sentence for sentence in read.skipped)
    assert any("line 12: there is no text called 'target'" in sentence for sentence in read.skipped)
    message = refusal(write(path, "\n".join([good, *bad])))
    assert re.search(r'pairs\.jsonl, line 2: this is not JSON \(5 of 8 lines are wrong\); give \{"source"', message)
    other = write(path, '{"de": "eins", "en": "one"}\n{"en": "two", "de": "zwei"}\n')
    assert pairs_of(open_pairs([other])) == [("eins", "one"), ("zwei", "two")]


def test_lone_surrogates_and_zeros_in_json_are_left_out(tmp_path: Path) -> None:
    lines = ['{"source": "a", "target": "b"}'] * 3 + [
        r'{"source": "\ud800", "target": "b"}',
        r'{"source": "a", "target": "\u0000"}',
    ]
    read = open_pairs([write(tmp_path / "pairs.jsonl", "\n".join(lines))])
    assert pairs_of(read) == [("a", "b")] * 3
    assert "lines 4, 5: there is a zero or half a surrogate pair" in read.skipped[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_marks_of_sentences_do_not_cut_a_table(tmp_path: Path, delimiter: str) -> None:
    mark = ";" if delimiter == "," else ","
    rows = [(f"Sunday{mark} 9 March 2014", "2014-03-09"), (f"Monday{mark} 10 March 2014", "2014-03-10")]
    path = write(tmp_path / "dates.csv", "".join(delimiter.join(row) + "\n" for row in rows))
    assert pairs_of(open_pairs([path])) == rows


def test_csv_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "pairs.csv", 'a,b\nc,d\n"e,f\ng,h\n'))
    assert re.search(r"pairs\.csv, line 3: what begins here is not CSV .*close its quotes", message)
    read = open_pairs([write(tmp_path / "pairs.csv", "a,b\nc,d\nWell, e,f\ng,h\n")])
    assert pairs_of(read) == [("a", "b"), ("c", "d"), ("g", "h")]
    assert "line 3: the number of columns is not that of the other lines" in read.skipped[0]
    refusal(write(tmp_path / "blank.csv", ',\n" "\n'))


def test_a_very_long_sentence_is_kept_and_a_longer_one_left_out(tmp_path: Path) -> None:
    words = "word " * 10_000
    for name, between in (("pairs.tsv", "\t"), ("pairs.csv", ",")):
        read = open_pairs([write(tmp_path / name, f"{words}{between}lang\nshort{between}kurz\n")])
        assert len(read.sources[0].split()) == 10_000
        read = open_pairs([write(tmp_path / name, f"{'a' * (MAX_CHARACTERS + 1)}{between}lang\nshort{between}kurz\n")])
        assert pairs_of(read) == [("short", "kurz")]
        assert "line 1: a cell has more than 131,072 characters" in read.skipped[0]


@pytest.mark.parametrize(
    ("data", "encoding", "line"),
    [
        (b"a\tb\r\nc\td\ne\t\xff\n", "utf-8", 3),
        (b"a\tb\rc\td\re\t\xff\r", "utf-8", 3),
        (b"a\tb\nc\rd\t\xff\n", "utf-8", 2),
        (b"\xff", "utf-8", 1),
        (b"a\tb\n\xed\xa0\x80\tc\n", "utf-8", 2),  # a surrogate, which UTF-8 has not
        ("a\tb\nc".encode("utf-16-le") + b"\0", "utf-16-le", 2),
        (b"a\tb\n", "utf-16", 1),
    ],
)
def test_what_is_not_of_its_encoding_is_refused_with_the_line(
    tmp_path: Path, data: bytes, encoding: str, line: int
) -> None:
    message = refusal(write(tmp_path / "pairs.tsv", data), encoding=encoding)
    if encoding != "utf-16":
        assert f"pairs.tsv, line {line}: this is not {encoding}; make it UTF-8 or name the right `encoding`" in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "gb18030", "utf-32"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "pairs.tsv", tsv(PAIRS), encoding)
    assert pairs_of(open_pairs([path], encoding)) == PAIRS
    assert "not an encoding that Python knows" in refusal(path, encoding="klingon")


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert re.search(r"line 2: a zero byte", refusal(write(tmp_path / "zero.tsv", b"a\tb\nc\0\td\n")))
    for name, data in (("empty.tsv", b""), ("blank.txt", b" \n\r\n"), ("mark.csv", b"\xef\xbb\xbf")):
        assert f"{name} is empty" in refusal(write(tmp_path / name, data))
    assert "is empty" in refusal(write(tmp_path / "a.en", b""), write(tmp_path / "a.de", b"x\n"))
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(tsv(PAIRS).encode() * 99)[:-9])
    assert "damaged .gz" in refusal(tmp_path / "cut.tsv.gz")
    assert "has no row with source and target" in refusal(write(tmp_path / "sides.tsv", "a\t\n\tb\n"))
    assert "the names of the columns" in refusal(write(tmp_path / "header.tsv", "source\ttarget\n"))


def test_what_is_named_wrongly_is_refused(tmp_path: Path) -> None:
    good = write(tmp_path / "good.tsv", tsv(PAIRS))
    os.mkfifo(tmp_path / "pipe")
    plain = write(tmp_path / "plain.txt", tsv(PAIRS))
    assert "3 files are given" in refusal(plain, plain, plain)
    assert "3 files are given" in refusal(good, plain, good)
    assert "0 files are given" in refusal()
    assert "is a folder; name" in refusal(tmp_path)
    assert "is a folder; name" in refusal(good, tmp_path)
    assert "good.tsv is a table, but " in refusal(plain, good)
    assert "only once" in refusal(tmp_path / "pipe")
    assert "sample:dates" in refusal("sample:nothing")
    assert "give it alone" in refusal("sample:dates", good)
    for missing in (tmp_path / "missing.tsv", "", "x" * 400):
        refusal(missing)


def test_large_files_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "pairs.tsv", "a\tb\n" * 1000)
    bomb = write(tmp_path / "bomb.tsv.gz", "a\tb\n" * 1_000_000)
    monkeypatch.setattr(module, "MAX_BYTES", 3000)
    assert "pairs.tsv holds more than 3,000 bytes" in refusal(path)
    assert "bomb.tsv.gz holds more than 3,000 bytes" in refusal(bomb)
    monkeypatch.setattr(module, "MAX_BYTES", 2**40)
    monkeypatch.setattr(module, "MAX_LINES", 500)
    for lines in ("a\tb\n" * 501, "a\tb\r\n" * 501, "a\tb\n" + "\r" * 1001):
        assert "long.tsv has more than 500 lines" in refusal(write(tmp_path / "long.tsv", lines))
    assert len(open_pairs([write(tmp_path / "long.tsv", "a\tb\n" * 500)])) == 500
    assert len(open_pairs([write(tmp_path / "long.tsv", "a\tb\r\n" * 500)])) == 500
    monkeypatch.setattr(texts, "MIN_UNPACKED_LIMIT", 1000)
    assert "bomb.tsv.gz unpacks to over" in refusal(bomb)


def test_the_sample_of_dates() -> None:
    read = open_pairs(["sample:dates"])
    assert pairs_of(read) == dates()
    assert read.name == "sample:dates"
    train, held = split_validation(read)
    assert (len(train), len(held)) == (19_000, 1000)
    assert held.name == "1,000 pairs of sample:dates, drawn at random"


@given(
    sources=st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=60),
    share=st.floats(0.01, 0.99),
    most=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_no_source_is_on_both_sides_of_the_cut(sources: list[str], share: float, most: int, seed: int) -> None:
    pairs = Pairs("letters", sources, [str(place) for place in range(len(sources))], ["left out"])
    if len(set(sources)) < 2:
        with pytest.raises(RecurraError, match="fewer than two different sources"):
            split_validation(pairs, share, most, seed)
        return
    train, held = split_validation(pairs, share, most, seed)
    assert not set(train.sources) & set(held.sources)
    assert len(train) >= 1
    assert len(held) >= 1
    assert sorted(pairs_of(train) + pairs_of(held), key=lambda pair: int(pair[1])) == pairs_of(pairs)
    for part in (train, held):
        assert [int(target) for target in part.targets] == sorted(int(target) for target in part.targets)
    smallest = min(sources.count(source) for source in sources)
    assert len(held) <= max(smallest, min(int(np.ceil(share * len(sources))), most))
    assert (train, held) == split_validation(pairs, share, most, seed)


def test_the_cut_is_as_large_as_asked_for_and_drawn_by_the_seed() -> None:
    numbers = [str(number) for number in range(1000)]
    pairs = Pairs("numbers", numbers, numbers, [])
    assert len(split_validation(pairs)[1]) == 100
    assert len(split_validation(pairs, 0.5, 30)[1]) == 30
    assert split_validation(pairs, seed=1)[1] != split_validation(pairs, seed=2)[1]
    assert len({int(number) // 100 for number in split_validation(pairs)[1].sources}) > 5
    for share, most in ((0, 1), (1, 1), (0.1, 0)):
        with pytest.raises(OptionError, match="cannot be kept for validation"):
            split_validation(pairs, share, most)


GIVEN = [("one", "eins"), ("two\r\nmore", " zwei "), ["three", "drei"]]


def test_pairs_may_be_given_as_they_are() -> None:
    read = open_pairs([*GIVEN, ("four", " ")])
    assert pairs_of(read) == [("one", "eins"), ("two more", "zwei"), ("three", "drei")]
    assert read.name == "pairs given in Python"
    assert read.skipped == ["pairs given in Python, index 3: the target is empty"]


@pytest.mark.parametrize(("wrong", "kind"), [(7, "int"), (("a",), "tuple"), (("a", 2), "tuple"), ("ab", "str")])
def test_what_is_no_pair_among_them_is_refused_with_its_index(wrong: object, kind: str) -> None:
    with pytest.raises(RecurraError, match=f"Python, index 3: this is not two texts but {kind}; give .source, target"):
        open_pairs([*GIVEN, wrong])


def test_several_tables_are_read_as_one(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.tsv", tsv(PAIRS)), write(tmp_path / "b.csv", "one,eins\ntwo,zwei\n")
    read = open_pairs([first, second])
    assert pairs_of(read) == [*PAIRS, ("one", "eins"), ("two", "zwei")]
    assert read.name == "a.tsv and 1 more"


def test_instructions_count_if_they_differ(tmp_path: Path) -> None:
    for instructions, expected in ((("go", "go"), ("x", "y")), (("go", "stop"), ("go x", "stop y"))):
        records = [
            {"instruction": instruction, "input": source, "output": source.upper()}
            for instruction, source in zip(instructions, "xy", strict=True)
        ]
        path = write(tmp_path / "pairs.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        assert tuple(open_pairs([path]).sources) == expected


def test_columns_of_what_is_no_table_are_told(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.en", "one\n"), write(tmp_path / "a.de", "eins\n")
    read = open_pairs([first, second], columns="2,1")
    assert pairs_of(read) == [("one", "eins")]
    assert read.skipped == ["`columns` and `header`, which do nothing for a.en and a.de: they are for tables"]
    table = write(tmp_path / "pairs.tsv", tsv(PAIRS))
    assert pairs_of(open_pairs([table], columns="2,1")) == [(target, source) for source, target in PAIRS]


@pytest.mark.parametrize("kind", ["characters", "words", "subwords", "bytes"])
def test_sentences_are_encoded_once_for_all_that_asks(kind: TokenKind) -> None:
    texts = ["the cat was full", "dogs", "the cat"] * 4
    vocabularies = VocabularyPair.build((kind, kind), texts, texts, True, 300, 1)
    vocabulary = vocabularies.source
    for text in (" the  cat\n", "", "春 the 春 z", "z" * 1000, "z" * 1001):
        sentence = encode_sentence(text, vocabularies)
        assert sentence.text == text.strip()
        assert sentence.tokens.tolist() == vocabulary.encode(text.strip()).tolist()
        assert vocabulary.unknown_in(sentence.text, sentence.tokens) == vocabulary.unknown_in(text.strip())
        assert bool(too_long(sentence, kind)) == (len(sentence.tokens) > 1001)
    assert vocabulary.unknown_in("春 the 春 z") == ([] if kind in ("subwords", "bytes") else ["春", "z"])


def test_columns_are_an_option_of_training_and_of_evaluating(
    recurra: Callable[..., Any], tmp_path: Path, tiny_translation_options: list[str]
) -> None:
    rows = [(f"n{number}", f"eins zwei {number}", "x", f"one two {number}") for number in range(20)]
    path = write(tmp_path / "pairs.tsv", tsv([("key", "de", "kind", "en"), *rows]))
    options = ["--columns", "key+en,de", "--tokens", "characters", *tiny_translation_options]
    answer = recurra("translation", "train", path, "--out", tmp_path / "m", *options)
    assert answer.status == 0, answer
    assert load(tmp_path / "m").vocabularies.source.unknown_in("n one two") == []
    assert load(tmp_path / "m").vocabularies.source.unknown_in("x") == ["x"]
    answer = recurra("translation", "evaluate", tmp_path / "m", path, "--columns", "1+4,2", "--header", "no", "--json")
    assert json.loads(answer.out)["count"] == 21
    answer = recurra("translation", "evaluate", tmp_path / "m", path, "--columns", "en,fr")
    assert (answer.status, "no column 'fr'" in answer.err) == (1, True)
