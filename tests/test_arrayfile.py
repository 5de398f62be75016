"""Arrays on disk: the format is safetensors', mapped, and refused when damaged."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recurra.arrayfile import map_arrays, read_figures, write_arrays
from recurra.errors import RecurraError

KINDS = ["f8", "f4", "f2", "i8", "i4", "i2", "u1", "?"]


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {kind: (9 * rng.normal(size=(3, 2, 5))).astype(kind) for kind in KINDS}
    return made | {"none": np.zeros((0, 4), np.float32), "one": np.array(7, np.int64)}


def test_the_library_reads_what_is_written_and_the_other_way_round(tmp_path: Path) -> None:
    write_arrays(tmp_path / "ours", arrays())
    save_file(arrays(), tmp_path / "theirs")
    ours, theirs = map_arrays(tmp_path / "theirs"), load_file(tmp_path / "ours")
    assert ours.keys() == theirs.keys() == arrays().keys()
    for name, array in arrays().items():
        for other in (ours[name], theirs[name]):
            assert other.dtype == array.dtype
            assert other.shape == array.shape
            assert (other == array).all()


def test_figures_stand_in_the_header(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", arrays(), {"step": 3, "name": "ä"})
    assert read_figures(tmp_path / "a") == {"step": 3, "name": "ä"}
    write_arrays(tmp_path / "b", arrays())
    with pytest.raises(RecurraError, match="is damaged"):
        read_figures(tmp_path / "b")


def test_what_is_mapped_is_copied_without_being_in_memory_whole(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", {"x": np.zeros((2**11, 2**12), np.float32), "few": np.ones(3, np.uint8)})
    mapped = map_arrays(tmp_path / "a")
    tracemalloc.start()
    write_arrays(tmp_path / "b", mapped)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < mapped["x"].nbytes / 2
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


HOSTILE = {
    "beyond the end": {"data_offsets": [0, 400]},
    "backwards": {"data_offsets": [8, 0]},
    "not numbers": {"data_offsets": ["a", "b"]},
    "three": {"data_offsets": [0, 4, 8]},
    "a negative shape": {"shape": [-2, -1]},
    "a large shape": {"shape": [2**40, 2**40]},
    "no shape": {"shape": None},
    "an unknown type": {"dtype": "F8_E4M3"},
}


@pytest.mark.parametrize("entry", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | entry}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(RecurraError, match="is damaged"):
        map_arrays(tmp_path / "a")


@pytest.mark.parametrize(
    "content", [b"", b"1234567", bytes(7) + b"\xff", b"\x04" + bytes(7) + b"[1] ", b"\x02" + bytes(7)]
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(RecurraError, match="is damaged"):
        map_arrays(tmp_path / "a")


def test_nested_headers_do_not_end_the_program(tmp_path: Path) -> None:
    header = b"[" * 100_000
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(RecurraError, match="is damaged"):
        map_arrays(tmp_path / "a")
