"""Features of pictures on disk, so that a frozen backbone reads each picture once, whatever is trained on it.

A cache is a folder with one folder for each backbone in it, named after its weights and what it does to pixels. That
holds

- `about.json`: what made the features, and their shape;
- `features.bin`: the features, 16 bits each, one picture after another, channels last;
- `index.bin`: for each of these the SHA-256 of the picture's pixels and the CRC-32 of the features.

Pixels are those that the backbone is given, so that neither a file's name nor its date matters, and one that was fitted
another way is another picture. Features are on the disk before the index names them: what a run that was killed leaves
is used by the next one, and the half of a batch is written again. Each is checked when it is first read.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.config import dump_json
from recurra.errors import RecurraError, os_errors
from recurra.files import lock, write_text_atomic
from recurra.progress import in_groups
from recurra.tasks.captions.backbones.network import Backbone

Half = NDArray[np.float16]

FORMAT = 1

BATCH_SIZE = 16
"""Pictures that are read by the backbone, and then put on the disk, at a time."""

_ENTRY = np.dtype([("picture", "S64"), ("check", "<u4")])
"""An entry of the index: the digest in hexadecimal, so that no byte of it is zero."""

_HEADER, _DATA, _INDEX = "about.json", "features.bin", "index.bin"


class Features:
    """Features of pictures, mapped: they cannot be written to, and nothing is read before it is used.

    Args:
        folder: of the backbone, in a cache.
        rows: which features are each picture's, `(pictures,)`.
        checks: of all features in the cache.
        shape: of a picture's: height and width of the grid, channels.
    """

    def __init__(self, folder: Path, rows: IntArray, checks: NDArray[np.uint32], shape: tuple[int, int, int]) -> None:
        self._path = folder / _DATA
        self._rows, self._checks = rows, checks
        self._checked = np.zeros(len(checks), np.bool_)
        with os_errors("reading", self._path), open(self._path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, "<f2", len(checks) * math.prod(shape))
        self._features = flat.reshape(len(checks), *shape)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of an array: pictures, channels, height and width of the grid."""
        _, height, width, channels = self._features.shape
        return len(self), channels, height, width

    def __getitem__(self, pictures: IntArray) -> Half:
        """The features of some pictures, `(some, channels, height, width)`, channels last in memory.

        Raises:
            RecurraError: if they are not as they were written.
        """
        rows = self._rows[pictures]
        features = self._features[rows]
        for row, grid in zip(rows.tolist(), features, strict=True):
            if not self._checked[row] and zlib.crc32(grid.data) != self._checks[row]:
                raise RecurraError(f"{self._path} is damaged; delete {self._path.parent}, and it is made again")
        self._checked[rows] = True
        _release(self._map)
        return features.transpose(0, 3, 1, 2)


def cached_features(folder: Path, backbone: Backbone, pixels: NDArray[np.uint8], device: torch.device) -> Features:
    """The features of pictures; those that a cache does not have are made and added to it.

    Args:
        folder: of the cache; made if it is not there.
        backbone: what makes the features, on `device`.
        pixels: of one picture or more, `(pictures, height, width, 3)`; mapped, they are never in memory together.
        device: where to make them.

    Raises:
        RecurraError: if the folder holds something else or is damaged, another process is adding to it, the disk is
            full, or a feature is too large for 16 bits.
    """
    grid = _grid(backbone, pixels.shape[1], pixels.shape[2], device)
    about = {
        "format": FORMAT,
        "backbone": backbone.description,
        "weights": backbone.digest(),
        "mean": backbone.mean,
        "std": backbone.std,
        "shape": grid,
    }
    place = folder / hashlib.sha256(dump_json(about).encode()).hexdigest()[:16]
    _prepare(place, dump_json(about))
    pictures = [_name(picture) for picture in pixels]
    with _Writer(place, grid) as writer:
        # Each once: of pictures that are the same, the last.
        missing = sorted({name: index for index, name in enumerate(pictures) if name not in writer.rows}.values())
        for some in in_groups(missing, BATCH_SIZE, "reading pictures with the backbone"):
            features = _computed(backbone, pixels[np.array(some)], device)
            forget(pixels)
            writer.add([pictures[index] for index in some], features)
    rows = np.array([writer.rows[name] for name in pictures], np.int64)
    return Features(place, rows, np.array(writer.checks, np.uint32), grid)


class _Writer:
    """The files of a cache, open for adding to: `rows` says where each picture's features are."""

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        self._folder = folder
        self._size = 2 * math.prod(shape)
        self.rows: dict[bytes, int] = {}
        self.checks: list[int] = []

    def __enter__(self) -> _Writer:
        with ExitStack() as opened, os_errors("writing", self._folder):
            self._data = opened.enter_context(_for_adding(self._folder / _DATA))
            self._index = opened.enter_context(_for_adding(self._folder / _INDEX))
            self._lock()
            entries = self._whole_entries()
            self._opened = opened.pop_all()
        self.rows = {name: row for row, name in enumerate(entries["picture"].tolist())}
        self.checks = entries["check"].tolist()
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def _lock(self) -> None:
        try:
            lock(self._index.fileno())
        except OSError as error:
            raise RecurraError(
                f"another process is adding features to {self._folder}; wait until it has ended, or give another cache"
            ) from error

    def _whole_entries(self) -> np.ndarray[Any, Any]:
        """The entries of the features that are there; what a run that was killed left half written is cut off."""
        count = min(_length(self._data) // self._size, _length(self._index) // _ENTRY.itemsize)
        self._data.truncate(count * self._size)
        self._index.truncate(count * _ENTRY.itemsize)
        self._index.seek(0)
        return np.frombuffer(self._index.read(), _ENTRY)

    def add(self, names: list[bytes], features: Half) -> None:
        """Put features `(pictures, height, width, channels)` on the disk, then their names."""
        checks = [zlib.crc32(grid.data) for grid in features]
        with os_errors("writing", self._folder):
            _append(self._data, features.tobytes())
            _append(self._index, np.array(list(zip(names, checks, strict=True)), _ENTRY).tobytes())
        self.rows |= {name: len(self.checks) + number for number, name in enumerate(names)}
        self.checks += checks


@torch.no_grad()
def _computed(backbone: Backbone, pixels: NDArray[np.uint8], device: torch.device) -> Half:
    features = backbone.module(backbone.normalize(torch.from_numpy(pixels).to(device)))
    half = features.permute(0, 2, 3, 1).half().cpu().contiguous().numpy()
    if not np.isfinite(half).all():
        raise RecurraError("this backbone's features are too large for 16 bits; choose another one, or `tune` it")
    return np.asarray(half, np.float16)


@torch.no_grad()
def _grid(backbone: Backbone, height: int, width: int, device: torch.device) -> tuple[int, int, int]:
    """Height, width and channels of the features of pictures of this size."""
    features = backbone.module(torch.zeros(1, 3, height, width, device=device))
    return int(features.shape[2]), int(features.shape[3]), int(features.shape[1])


def _prepare(folder: Path, about: str) -> None:
    """Make the folder, or see that it is one of these features."""
    path = folder / _HEADER
    with os_errors("writing", folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            write_text_atomic(path, about)
        if not path.exists() or path.read_bytes() != about.encode():
            raise RecurraError(f"{folder} does not hold features of this backbone; delete it, or give another cache")


def _name(picture: NDArray[np.uint8]) -> bytes:
    digest = hashlib.sha256(picture.tobytes()).hexdigest().encode()
    forget(picture)
    return digest


def forget(array: NDArray[Any]) -> None:
    """Let what was read of an array leave this process's memory if it is mapped; any other stays as it is."""
    mapped = getattr(array, "_mmap", None)  # of a `numpy.memmap`
    if mapped is not None:
        _release(mapped)


def _release(mapped: mmap.mmap) -> None:
    """The system keeps what was read as long as it has room."""
    if hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _for_adding(path: Path) -> BinaryIO:
    return open(path, "r+b" if path.exists() else "w+b")


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _append(file: BinaryIO, data: bytes) -> None:
    file.seek(0, os.SEEK_END)
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
