"""Laying out labels, by hand and by what must hold of any layout."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.explain.lettering import Cell, colour_grid, lay_out, not_drawn, printable, width_of


def test_rows_by_hand() -> None:
    assert lay_out(["ab", "c\n", "好", "", "xyz"], 4, break_lines=True) == [
        Cell(0, 0, 0, "ab", 2),
        Cell(1, 0, 2, "c↵", 2),
        Cell(2, 1, 0, "好", 2),
        Cell(3, 1, 2, "", 1),
        Cell(4, 2, 0, "xyz", 3),
    ]


@given(st.lists(st.text(max_size=6), max_size=30), st.integers(1, 12), st.booleans())
def test_no_two_cells_meet_and_all_fit(labels: list[str], columns: int, break_lines: bool) -> None:
    cells = lay_out(labels, columns, break_lines)
    assert [cell.index for cell in cells] == list(range(len(labels)))
    taken = [(cell.row, column) for cell in cells for column in range(cell.column, cell.column + cell.width)]
    assert len(set(taken)) == len(taken)
    assert all(column < columns for _, column in taken)
    assert taken == sorted(taken)


def test_widths() -> None:
    assert [width_of(character) for character in "a好é\u0301"] == [1, 2, 1, 0]


def test_grid_has_each_cell_in_its_colour_and_nothing_elsewhere() -> None:
    cells = lay_out(["ab", "好c"], 4, break_lines=False)
    colours = np.array([[1.0, 0, 0, 1], [0, 0, 1, 1]])
    grid = colour_grid(cells, colours, 2, 4)
    assert grid[0, :2].tolist() == [colours[0].tolist()] * 2
    assert grid[1, :3].tolist() == [colours[1].tolist()] * 3
    assert grid[0, 2:].sum() == grid[1, 3:].sum() == 0


def test_what_the_standard_font_lacks_is_not_printed() -> None:
    assert printable("a\u0378\n") == "a??"


def test_characters_without_a_font_are_told_once() -> None:
    assert not_drawn(["ab", "é ", "\n", ""]) == []
    # A character that Unicode has assigned and fonts do not have; where one does, nothing is missing.
    rare = "\N{OLD SOUTH ARABIAN LETTER HE}"
    assert not_drawn([rare, "a" + rare]) in ([rare], [])
    assert not_drawn(["\U000e0041", "\x07"]) == []
