"""Rows out of tables of any kind: the right columns, every row that is good, and a sentence on all others."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import tables as module
from recurra.data.columns import Header, Wanted
from recurra.data.tables import MAX_CHARACTERS, Table, ending, read_lines, read_tables, split_lines
from recurra.errors import OptionError, RecurraError

WANTED = Wanted(("text,label", "title+body,class", "user,assistant"))

ROWS = [(f"Sentence number {number} is here .", "good" if number % 3 else "bad") for number in range(30)]


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def rows_of(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*table.columns, strict=True))


def separated(rows: list[tuple[str, ...]], between: str = "\t") -> str:
    return "".join(between.join(row) + "\n" for row in rows)


def lines(records: list[object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def refusal(path: Path, columns: str = "", header: Header = "auto") -> str:
    with pytest.raises(RecurraError) as error:
        read_tables([path], WANTED, columns, header)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


class TestLines:
    def test_only_real_line_ends_end_a_line(self, tmp_path: Path) -> None:
        other = "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g"
        assert read_lines(write(tmp_path / "a.txt", f"{other}\r\nh\ri\n\nj")) == [other, "h\ri", "", "j"]
        assert read_lines(write(tmp_path / "b.txt", f"{other}\rh\r\rj\r")) == [other, "h", "", "j"]

    @given(st.text(st.sampled_from("\r\na\x0b\u2028"), max_size=12))
    def test_as_python_reads_a_file_when_told_what_ends_a_line(self, text: str) -> None:
        end = "\n" if "\n" in text else "\r"
        file = io.StringIO(text, newline=end)
        expected = [line.removesuffix("\r\n").removesuffix(end) for line in file]
        assert split_lines(text) == (expected if text and not text.endswith(end) else [*expected, ""])

    @pytest.mark.parametrize(("name", "between"), [("rows.tsv", "\t"), ("rows.csv", ",")])
    def test_a_carriage_return_inside_a_line_is_a_space(self, tmp_path: Path, name: str, between: str) -> None:
        rows = [*ROWS[:5], ("On mo\rnday it was", "good"), *ROWS[5:]]
        read = read_tables([write(tmp_path / name, separated(rows, between))], WANTED)
        assert rows_of(read) == [*ROWS[:5], ("On mo nday it was", "good"), *ROWS[5:]]
        assert read.skipped == []

    def test_lines_of_old_macs(self, tmp_path: Path) -> None:
        for name, between in (("rows.tsv", "\t"), ("rows.csv", ",")):
            path = write(tmp_path / name, separated(ROWS, between).replace("\n", "\r"))
            assert rows_of(read_tables([path], WANTED)) == ROWS


class TestHeader:
    @pytest.mark.parametrize(
        "header",
        [
            "text\tlabel",
            "Text\tLabel",
            "en\tde",
            "english\tGerman",
            "question_1\tanswer_1",
            "sentence\tRating",
            "Satz\tArt",
        ],
    )
    def test_what_looks_like_names_is_one_and_told(self, tmp_path: Path, header: str) -> None:
        read = read_tables([write(tmp_path / "rows.tsv", header + "\n" + separated(ROWS))], WANTED)
        assert rows_of(read) == ROWS
        first, second = header.split("\t")
        told = f"'{first}', '{second}', the names of the columns (`header` no reads it as a row)"
        assert read.skipped == [f"{tmp_path}/rows.tsv, line 1: {told}"]

    @pytest.mark.parametrize(
        "first",
        [
            "Go .\tgood",
            "a fine film it was\tgood",
            "2014\tyes",
            "text\ttext",
            "see, label\tbad",
            "word " * 9 + "\ttext",
        ],
    )
    def test_other_first_rows_are_rows(self, tmp_path: Path, first: str) -> None:
        read = read_tables([write(tmp_path / "rows.tsv", first + "\n" + separated(ROWS))], WANTED)
        assert rows_of(read) == [tuple(cell.strip() for cell in first.split("\t")), *ROWS]
        assert read.skipped == []

    def test_a_word_among_words_is_no_name(self, tmp_path: Path) -> None:
        words = [("cat", "Katze"), ("dog", "Hund"), *((f"animal{number}", "Tier") for number in range(30))]
        assert rows_of(read_tables([write(tmp_path / "rows.tsv", separated(words))], WANTED)) == words

    @pytest.mark.parametrize("header", ["Rakhine\tEnglish", "Mot Wolof\tFrench translation", "src word\tgerman"])
    def test_a_column_of_words_named_after_a_language(self, tmp_path: Path, header: str) -> None:
        """Of two lists of words nothing but the names tells the header; a few words name languages themselves."""
        words = [(f"animal{'x' * number}", "Tier") for number in range(30)] + [("englisch", "English")]
        path = write(tmp_path / "rows.tsv", header + "\n" + separated(words))
        assert rows_of(read_tables([path], WANTED)) == words
        # A list of languages has none.
        listed = [("English", "anglais"), ("French", "français"), *((f"new Greek {n}", "grec") for n in range(30))]
        path = write(tmp_path / "rows.tsv", separated(listed))
        assert rows_of(read_tables([path], WANTED)) == listed

    def test_a_row_that_comes_again_is_no_header(self, tmp_path: Path) -> None:
        rows = [("text", "label"), *ROWS, ("text", "label")]
        assert rows_of(read_tables([write(tmp_path / "rows.tsv", separated(rows))], WANTED)) == rows

    def test_of_few_rows_only_usual_names_are_a_header(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", "Satz\tArt\n" + separated(ROWS[:9]))
        assert rows_of(read_tables([path], WANTED)) == [("Satz", "Art"), *ROWS[:9]]

    def test_what_stands_above_it_is_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", "# remarks\n" + separated([("text", "label"), *ROWS]))
        read = read_tables([path], WANTED)
        assert rows_of(read) == ROWS
        assert read.skipped[1:] == [f"{path}, line 1: there is only one column"]

    def test_the_option_decides(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", separated([("text", "label"), *ROWS]))
        assert rows_of(read_tables([path], WANTED, header="no")) == [("text", "label"), *ROWS]
        read = read_tables([path], WANTED, header="yes")
        assert (rows_of(read), read.skipped) == (ROWS, [])
        plain = write(tmp_path / "plain.tsv", separated(ROWS))
        assert rows_of(read_tables([plain], WANTED, header="yes")) == ROWS[1:]


class TestChoice:
    def test_known_names_decide_the_order(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.csv", "label,stars,text\n" + separated([(b, "5", a) for a, b in ROWS], ","))
        read = read_tables([path], WANTED)
        assert rows_of(read) == ROWS
        assert f"{path}: column stars ('5'); what is read is text and label (`columns` names others)" in read.skipped

    def test_known_names_are_joined_if_each_says_something(self, tmp_path: Path) -> None:
        rows = [(f"Title {number}", a, b) for number, (a, b) in enumerate(ROWS)]
        path = write(tmp_path / "rows.tsv", separated([("title", "body", "class"), *rows]))
        assert rows_of(read_tables([path], WANTED)) == [(f"{a} {b}", c) for a, b, c in rows]
        path = write(
            tmp_path / "rows.tsv", separated([("title", "body", "class"), *(("Same", b, c) for _, b, c in rows)])
        )
        read = read_tables([path], WANTED)
        assert rows_of(read) == ROWS
        assert f"{path}: column title (always the same, such as 'Same')" in read.skipped[1]

    def test_ids_and_the_like_are_left_out_and_told(self, tmp_path: Path) -> None:
        columns = {
            "row numbers": [str(1000 + number) for number in range(30)],
            "numbers": [str(number**2 % 17) for number in range(30)],
            "codes": [f"{2**40 + number * 9973:012x}" for number in range(30)],
            "always the same": ["eng"] * 30,
            "mostly empty": ["", "", "x"] * 10,
        }
        for kind, cells in columns.items():
            rows = [(cell, *row) for cell, row in zip(cells, ROWS, strict=True)]
            path = write(tmp_path / "rows.tsv", separated(rows))
            read = read_tables([path], WANTED)
            assert rows_of(read) == ROWS
            example = next(cell for cell in cells if cell)
            assert read.skipped == [
                f"{path}: column 1 ({kind}, such as '{example}'); what is read is 2 and 3 (`columns` names others)"
            ]

    def test_a_table_as_pandas_writes_it(self, tmp_path: Path) -> None:
        rows = [(str(number * 7 % 30), *row) for number, row in enumerate(ROWS)]  # as after shuffling
        for name in ("", "Unnamed: 0", "review_id"):
            path = write(tmp_path / "rows.csv", separated([(name, "en", "de"), *rows], ","))
            read = read_tables([path], WANTED)
            assert rows_of(read) == ROWS
            assert "(an ID, such as '0'); what is read is en and de" in read.skipped[1]

    def test_numbers_that_are_wanted_stay(self, tmp_path: Path) -> None:
        sums = [(f"{number} + 5", str(number + 5)) for number in range(30)]
        assert rows_of(read_tables([write(tmp_path / "sums.tsv", separated(sums))], WANTED)) == sums
        rows = [(str(number), *row) for number, row in enumerate(sums)]
        assert rows_of(read_tables([write(tmp_path / "sums.tsv", separated(rows))], WANTED)) == sums
        squares = [(str(number), str(number**2)) for number in range(30)]
        assert rows_of(read_tables([write(tmp_path / "sums.tsv", separated(squares))], WANTED)) == squares

    def test_without_names_the_first_of_too_many_are_read_and_told(self, tmp_path: Path) -> None:
        rows = [(*row, f"CC-BY by user {number} .") for number, row in enumerate(ROWS)]
        path = write(tmp_path / "rows.tsv", separated(rows))
        read = read_tables([path], WANTED)
        assert rows_of(read) == ROWS
        told = "column 3 ('CC-BY by user 0 .'); what is read is 1 and 2 (`columns` names others)"
        assert read.skipped == [f"{path}: {told}"]

    def test_with_names_too_many_are_refused_with_examples(self, tmp_path: Path) -> None:
        rows = [("one", "two", "three"), *((*row, f"Remark {number} .") for number, row in enumerate(ROWS))]
        path = write(tmp_path / "rows.tsv", separated(rows))
        assert refusal(path) == (
            f"{path} does not say which of its columns are text and label: it has one ('Sentence number 0 is ...'), "
            "two ('bad'), three ('Remark 0 .'); name them with `columns` A,B in their order"
        )
        assert rows_of(read_tables([path], WANTED, "one,two")) == ROWS

    def test_a_row_whose_cells_are_empty_or_missing_is_told(self, tmp_path: Path) -> None:
        rows = [*ROWS, ("", "good"), ("Well .", " "), ("Alone .",)]
        read = read_tables([write(tmp_path / "rows.tsv", separated(rows))], WANTED)
        assert rows_of(read) == ROWS
        assert [sentence.partition(", ")[2] for sentence in read.skipped] == [
            "line 31: the text is empty",
            "line 32: the label is empty",
            "line 33: there is only one column",
        ]


class TestColumns:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        rows = [(f"T{number}", b, a) for number, (a, b) in enumerate(ROWS)]
        return write(tmp_path / "rows.tsv", separated([("title", "Mood", "words here"), *rows]))

    @pytest.mark.parametrize("columns", ["words here,Mood", "3,2", " Words Here , mood ", "3,mood"])
    def test_by_name_and_number(self, table: Path, columns: str) -> None:
        assert rows_of(read_tables([table], WANTED, columns, header="yes")) == ROWS
        if columns != "3,2":
            read = read_tables([table], WANTED, columns)
            assert (rows_of(read), read.skipped) == (ROWS, [])

    def test_joined_with_a_space_but_not_with_nothing(self, table: Path, tmp_path: Path) -> None:
        expected = [(f"T{number} {a}", b) for number, (a, b) in enumerate(ROWS)]
        assert rows_of(read_tables([table], WANTED, "title + words here,Mood")) == expected
        some = write(tmp_path / "some.tsv", "a\tb\tc\n \tx\ty\nz\t \ty\n")
        assert rows_of(read_tables([some], WANTED, "a+b+c,c", "yes")) == [("x y", "y"), ("z y", "y")]

    def test_numbers_where_nothing_has_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.csv", separated([("x", b, a) for a, b in ROWS], ","))
        assert rows_of(read_tables([path], WANTED, "3,2")) == ROWS
        assert "has no column '4', or several of that name; it has 1 ('x'), 2 ('bad'), 3 (" in refusal(path, "3,4")
        assert "has no column '0'" in refusal(path, "3,0")
        assert "has no column 'Mood'" in refusal(path, "Mood,2")

    def test_a_name_that_two_columns_have_is_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", separated([("a", "a", "b"), *((a, a, b) for a, b in ROWS)]))
        assert "no column 'a', or several" in refusal(path, "a,b", "yes")
        assert rows_of(read_tables([path], WANTED, "2,b", "yes")) == ROWS

    @pytest.mark.parametrize("columns", ["text", "text,label,more", ",", "text,", "text+,label", "+,+"])
    def test_what_does_not_name_them_is_refused(self, table: Path, columns: str) -> None:
        with pytest.raises(OptionError, match="does not name text and label; give 2 names or numbers"):
            read_tables([table], WANTED, columns)

    def test_most_rows_must_have_them(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", separated([*((a, b, "x") for a, b in ROWS[:9]), *ROWS[9:]]))
        assert "line 10: there are too few columns (21 of 30 lines are wrong); give text and label" in refusal(
            path, "1,3"
        )

    def test_of_one_column_a_table_of_one_will_do(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.tsv", separated([(a,) for a, _ in ROWS]))
        assert read_tables([path], Wanted(("text",))).columns == ([a for a, _ in ROWS],)


class TestJson:
    def check(self, path: Path, skipped: str = "") -> None:
        read = read_tables([path], WANTED)
        assert rows_of(read) == ROWS
        assert read.skipped == ([f"{path}: {skipped} (`columns` names others)"] if skipped else [])

    def test_nested_lines_with_an_id(self, tmp_path: Path) -> None:
        records = [{"id": f"n{number}", "pair": {"en": a, "de": b}} for number, (a, b) in enumerate(ROWS)]
        path = write(tmp_path / "rows.jsonl", lines(records))
        self.check(path, "column id (an ID, such as 'n0'); what is read is pair.en and pair.de")
        assert rows_of(read_tables([path], WANTED, "pair.de,pair.en")) == [(b, a) for a, b in ROWS]
        assert rows_of(read_tables([path], WANTED, "id+pair.en,pair.de"))[7] == ("n7 " + ROWS[7][0], ROWS[7][1])

    @pytest.mark.parametrize("indent", [None, 1])
    @pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
    def test_an_array(self, tmp_path: Path, indent: int | None, name: str) -> None:
        records = [{"text": a, "label": b} for a, b in ROWS]
        self.check(write(tmp_path / name, json.dumps(records, indent=indent)))
        read = read_tables([write(tmp_path / name, json.dumps([*records, 7, {"text": "x"}]))], WANTED)
        assert rows_of(read) == ROWS
        assert read.skipped == [
            f"{tmp_path / name}, item 31: this is not a JSON object",
            f"{tmp_path / name}, item 32: there is no text called 'label'",
        ]

    def test_an_array_inside_an_object_and_lines_called_json(self, tmp_path: Path) -> None:
        records = [{"text": a, "label": b} for a, b in ROWS]
        self.check(write(tmp_path / "rows.json", json.dumps({"version": 2, "rows": records})))
        self.check(write(tmp_path / "rows.json", lines(records)))
        (tmp_path / "one.json").write_text(json.dumps(records[0]))
        assert rows_of(read_tables([tmp_path / "one.json"], WANTED)) == ROWS[:1]

    def test_a_chat(self, tmp_path: Path) -> None:
        talks = ([{"role": "user", "content": a}, {"role": "assistant", "content": b}] for a, b in ROWS)
        records = [{"messages": talk} for talk in talks]
        self.check(write(tmp_path / "rows.jsonl", lines(records)))
        (tmp_path / "one.json").write_text(json.dumps(records[0]))
        assert rows_of(read_tables([tmp_path / "one.json"], WANTED)) == ROWS[:1]

    def test_the_other_common_chat_and_its_system(self, tmp_path: Path) -> None:
        records = [
            {"id": 7, "talk": [dict(zip(("from", "value"), said, strict=True)) for said in talk]}
            for talk in ([("system", "Be brief ."), ("user", a), ("assistant", b)] for a, b in ROWS)
        ]
        path = write(tmp_path / "rows.jsonl", lines(records))
        assert rows_of(read_tables([path], WANTED)) == ROWS
        joined = read_tables([path], WANTED, "talk.system+talk.user,talk.assistant")
        assert rows_of(joined) == [(f"Be brief . {a}", b) for a, b in ROWS]

    def test_a_chat_of_many_turns_is_not_clear(self, tmp_path: Path) -> None:
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
        path = write(tmp_path / "rows.jsonl", lines([{"messages": turns}] * 5))
        assert "does not say which of its columns are text and label: it has none with text" in refusal(path)
        assert rows_of(read_tables([path], WANTED, "messages.2.content,messages.3.content")) == [("a", "b")] * 5
        path = write(tmp_path / "rows.jsonl", lines([*[{"messages": turns[:2]}] * 5, {"messages": turns}]))
        read = read_tables([path], WANTED)
        assert rows_of(read) == [("a", "b")] * 5
        assert read.skipped == [f"{path}, line 6: there is no text called 'messages.user'"]

    def test_values_that_are_no_strings(self, tmp_path: Path) -> None:
        records = [{"text": "a", "label": 1}, {"text": "b", "label": True}, {"text": "c", "label": 2.5}]
        path = write(
            tmp_path / "rows.jsonl", lines([*records, {"text": "d", "label": None}, {"text": "e", "label": []}])
        )
        read = read_tables([path], WANTED)
        assert rows_of(read) == [("a", "1"), ("b", "true"), ("c", "2.5")]
        assert [sentence.partition(", ")[2] for sentence in read.skipped] == [
            "line 4: the label is empty",
            "line 5: there is no text called 'label'",
        ]

    def test_what_is_not_clear_is_refused_with_the_keys(self, tmp_path: Path) -> None:
        records = [{"a": f"{a} .", "b": {"c": b, "d": a}, "e": ["x"]} for a, b in ROWS]
        path = write(tmp_path / "rows.jsonl", lines(records))
        assert "it has a ('Sentence number 0 is ...'), b.c ('bad'), b.d (" in refusal(path)
        assert rows_of(read_tables([path], WANTED, "b.d,b.c")) == ROWS
        message = refusal(path, "b.d,b.x")
        assert "has no text under the key 'b.x'; it has a (" in message
        assert rows_of(read_tables([path], WANTED, "a,e.0"))[0][1] == "x"

    def test_known_names_may_be_nested(self, tmp_path: Path) -> None:
        records = [{"note": f"{b} .", "data": {"label": b, "text": a}} for a, b in ROWS]
        read = read_tables([write(tmp_path / "rows.jsonl", lines(records))], WANTED)
        assert rows_of(read) == ROWS
        assert "column note ('bad .'); what is read is data.text and data.label" in read.skipped[0]

    def test_a_key_may_have_a_dot_of_its_own(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.jsonl", lines([{"a.b": a, "a": {"c": b}, "d": "x y z ."} for a, b in ROWS]))
        assert rows_of(read_tables([path], WANTED, "a.b,a.c")) == ROWS

    def test_deep_objects_are_no_trouble(self, tmp_path: Path) -> None:
        deep = '{"more": ' * 850 + "0" + "}" * 850
        path = write(tmp_path / "rows.jsonl", f'{{"text": "a", "label": "b", "x": {deep}}}\n' * 3)
        assert rows_of(read_tables([path], WANTED)) == [("a", "b")] * 3

    def test_damaged_json_is_refused_with_its_line(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.json", '[\n{"text": "a", "label": "b"},\n{"text": "a" "label": "b"}\n]')
        assert "rows.json, line 3: this is not JSON (Expecting ',' delimiter)" in refusal(path)
        for text in ("[" * 100_000, "[" + "9" * 5000 + "]"):
            assert "numbers or nesting are too large" in refusal(write(path, text))
        assert "rows.json, item 1: this is not a JSON object" in refusal(write(path, "[1, 2]"))
        assert "rows.json, item 1: this is not a JSON object" in refusal(write(path, "7"))


class TestCsv:
    def test_the_limit_of_the_process_stays_as_it_is(self, tmp_path: Path) -> None:
        before = csv.field_size_limit()
        long = "a" * (MAX_CHARACTERS + 1)
        for cell in (long, f'"{long}"', f'"{long}""{long}"'):
            path = write(tmp_path / "rows.csv", separated([*ROWS[:3], (cell, "good"), *ROWS[3:]], ","))
            read = read_tables([path], WANTED)
            assert rows_of(read) == ROWS
            assert read.skipped == [f"{path}, line 4: a cell has more than 131,072 characters"]
        assert csv.field_size_limit() == before

    def test_a_quote_that_is_not_closed_is_refused_however_much_follows(self, tmp_path: Path) -> None:
        for count in (5, 20_000):
            path = write(tmp_path / "rows.csv", separated([*ROWS[:3], ('"open', "good"), *ROWS[3:5] * count], ","))
            assert "rows.csv, line 4: what begins here is not CSV" in refusal(path)

    def test_a_comma_that_is_not_quoted_is_told(self, tmp_path: Path) -> None:
        read = read_tables([write(tmp_path / "rows.csv", separated([*ROWS, ("Well", " it is", "bad")], ","))], WANTED)
        assert rows_of(read) == ROWS
        assert "line 31: the number of columns is not that of the other lines" in read.skipped[0]


def test_several_tables_are_read_as_one(tmp_path: Path) -> None:
    first = write(tmp_path / "first.tsv", separated([*ROWS[:10], ("x", "")]))
    second = write(tmp_path / "second.csv", separated([("label", "text"), *((b, a) for a, b in ROWS[10:])], ","))
    third = write(tmp_path / "third.json", json.dumps([{"text": "a", "label": "b"}]))
    read = read_tables([first, second, third], WANTED)
    assert rows_of(read) == [*ROWS, ("a", "b")]
    assert read.name == "first.tsv and 2 more"
    assert read.skipped[0] == f"{first}, line 11: the label is empty"
    assert "second.csv, line 1" in read.skipped[1]
    assert len(read) == 31
    with pytest.raises(RecurraError, match=r"third\.json has no text under the key '1'"):
        read_tables([first, third], WANTED, "1,2")


@pytest.mark.parametrize("name", ["a.TSV", "b.tsv.gz", "c.Tsv.BZ2", "d.tsv.xz"])
def test_the_ending_is_that_below_the_packing(name: str) -> None:
    assert ending(Path("folder.csv") / name) == ".tsv"


def test_what_is_read_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert "holds more than 10 bytes; give a part of it" in refusal(write(tmp_path / "rows.tsv", "a\tb\n" * 3))


PARTS = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "\t",
    "\n",
    "\r",
    ";",
    "\\",
    "text",
    "label",
    "a b",
    "1",
    "null",
    " ",
    "\ufeff",
]


@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=30).map("".join),
    name=st.sampled_from(["a.tsv", "a.csv", "a.json", "a.jsonl"]),
    columns=st.sampled_from(["", "1,2", "text,label", "text+1,2", "0.text,1.label"]),
    header=st.sampled_from(["auto", "yes", "no"]),
)
def test_anything_gives_good_rows_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: str, name: str, columns: str, header: Header
) -> None:
    path = write(tmp_path_factory.mktemp("any") / name, parts)
    try:
        read = read_tables([path], WANTED, columns, header)
    except RecurraError:
        return
    assert read.columns[0]
    assert all(cell and cell == cell.strip() and not {"\r", "\n"} & set(cell) for row in rows_of(read) for cell in row)
