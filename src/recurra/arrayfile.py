"""Arrays in safetensors files: written all or nothing, and mapped, so that nothing is read before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError

from recurra.errors import RecurraError, os_errors
from recurra.files import write_atomic

Arrays = dict[str, np.ndarray[Any, Any]]

_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
"""The types an array may have, by the names that the format gives them."""

_NAMES = {np.dtype(kind).str: name for name, kind in _TYPES.items()}

_MAX_HEADER = 2**26

_BLOCK = 2**20
"""Entries that are written at a time."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], figures: Any = None) -> None:
    """Write a safetensors file, all or nothing.

    Args:
        path: where.
        arrays: by name.
        figures: anything else, as JSON values; it is kept in the header.
    """
    header: dict[str, Any] = {} if figures is None else {"__metadata__": {"figures": json.dumps(figures)}}
    end = 0
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # so that each is aligned
    for name, array in ordered:
        kind = _NAMES[np.dtype(array.dtype).newbyteorder("<").str]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": (end, end := end + array.nbytes)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, array in ordered:
                flat = np.ascontiguousarray(array).reshape(-1)
                for begin in range(0, len(flat), _BLOCK):  # so that one that is mapped is never in memory whole
                    file.write(flat[begin : begin + _BLOCK].astype(array.dtype.newbyteorder("<"), copy=False).tobytes())

    write_atomic(path, write)


def map_arrays(path: Path) -> Arrays:
    """The arrays of a safetensors file, mapped: they cannot be written to, and nothing is read before it is used.

    Raises:
        RecurraError: if the file is damaged.
    """
    try:
        with os_errors("reading", path), open(path, "rb") as file:
            header, begin, size = _header(file)
            raw = np.memmap(path, np.uint8, "r", begin, (size,)) if size else np.zeros(0, np.uint8)
        return {name: _array(raw, entry) for name, entry in header.items() if name != "__metadata__"}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error


def read_figures(path: Path) -> dict[str, Any]:
    """What `write_arrays` was given besides arrays.

    Raises:
        RecurraError: if the file is damaged or holds no such thing.
    """
    try:
        with os_errors("reading", path), open(path, "rb") as file:
            figures = json.loads(_header(file)[0]["__metadata__"]["figures"])
        return dict(figures)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error


def _header(file: BinaryIO) -> tuple[dict[str, Any], int, int]:
    """What a file says of itself, the byte its arrays begin at, and how many bytes they are."""
    length = file.read(8)
    count = int.from_bytes(length, "little")
    if len(length) < 8 or count > _MAX_HEADER:
        raise ValueError("its header is missing or too long")
    text = file.read(count)
    header = json.loads(text) if len(text) == count else None
    if not isinstance(header, dict):
        raise ValueError("its header is cut off or is not an object")
    size = os.fstat(file.fileno()).st_size - 8 - count
    places = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    if size != max((end for _, end in places), default=0) or size != sum(end - begin for begin, end in places):
        raise ValueError("it is cut off, or its header does not fit")
    return header, 8 + count, size


def _array(raw: np.ndarray[Any, Any], entry: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    brain = entry["dtype"] == "BF16"  # the upper half of a float32, which NumPy has no type for
    kind, shape = np.dtype("<u2" if brain else _TYPES[entry["dtype"]]), tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError("a shape is not one")
        count *= length
    if not 0 <= begin <= end <= len(raw) or end - begin != count * kind.itemsize:
        raise ValueError("its header does not fit")
    array = raw[begin:end].view(kind).reshape(shape)
    return (array.astype(np.uint32) << 16).view(np.float32) if brain else array


def damaged(path: Path, error: Exception) -> RecurraError:
    """What is said of a file that is not as it was written."""
    return RecurraError(f"{path} is damaged ({error}); copy the file or train the model again")


@contextmanager
def reported() -> Iterator[None]:
    """Let what safetensors meets on a disk (a full one) be an `OSError`; the library has an error of its own for it."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(_errno_of(error), str(error)) from error


def _errno_of(error: SafetensorError) -> int:
    """The operating system's error number inside a safetensors error ("... (os error 28)"), 0 if there is none."""
    _, found, number = str(error).partition("os error ")
    digits = number.split(")")[0]
    return int(digits) if found and digits.isdigit() else 0
