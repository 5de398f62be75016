"""Picture files as arrays: every kind of pixel brought to red, green and blue in one way, for training and use alike.

What is decided here, once:

- Colours are as stored; colour profiles are not applied. What shows through is white.
- 16 bits are scaled by their full range. Whole numbers of 32 bits, and fractions, do not say theirs: it is the first of
  0 to 1 (fractions only), 0 to 255 and 0 to 65,535 that holds all of them; if none does, the smallest is black and the
  greatest white. NaN is black.
- Of an animation the first frame counts. A picture is turned as its EXIF orientation says.
- A picture is refused as soon as its decoder misses a byte, which a JPEG's does even of the two that end it. The end
  marks of PNG and GIF are not missed: nothing is drawn by them.
- Sizes are changed by Pillow's bicubic filter, which averages where pixels get fewer, from the whole picture: nothing
  is read at a lower resolution first.
"""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recurra.errors import OptionError, RecurraError, explain_os_error

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]

How = Literal["stretch", "crop", "pad"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")
"""What is read, as Pillow names it; its reader of JPEG is that of MPO too, which has no name of its own there."""

SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".avif",
    ".tif",
    ".tiff",
    ".mpo",
    ".heic",
)
"""What a folder of pictures is searched for; the last is among them so that it is said not to be supported."""

MAX_BYTES = 2**28
"""A larger file is refused."""

MAX_PIXELS = 2**26
"""So is a picture of more pixels, before any of them is decoded; they take up to a dozen bytes each in memory."""

MAX_SIDE = 2**16 - 1
"""And one that is longer or wider, in pixels: JPEG cannot be."""

LONGEST_NAME = 160
"""Characters of a name that are shown."""

KINDS = "JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF"

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")

_ORIENTATION, _PHOTOMETRIC = 0x0112, 0x0106

_ROWS = 256
"""Rows of a picture of numbers that are scaled at a time."""


def open_picture(source: Path | bytes, name: str) -> Image.Image:
    """A whole picture, upright, of mode RGB; for how it gets that, see this module's beginning.

    Args:
        source: a file, or what is in one.
        name: what to call it in messages.

    Raises:
        RecurraError: if it is missing, is not a picture of the kinds that are read, is too large, or is damaged.
    """
    require_pillow()
    called = shown(name)
    try:
        with _opened(source, called) as file:
            return _read(file, called)
    except ValueError as error:  # a zero in the name
        raise RecurraError(f"there is no picture {called}: no file has such a name; check it") from error
    except OSError as error:
        if isinstance(source, Path) and os.path.islink(source) and not os.path.exists(source):
            raise RecurraError(f"{called} is a link that leads to no file; mend it or name the file itself") from error
        raise explain_os_error(error, "reading", called) from error


def fit(image: Image.Image, height: int, width: int, how: How) -> Pixels:
    """The pixels of a picture as a network sees it, `(height, width, 3)`: red, green, blue, 0 to 255.

    Args:
        image: of mode RGB.
        height: in pixels.
        width: in pixels.
        how: `stretch` changes its shape; `crop` takes the largest part of the right shape from the middle; `pad` puts
            all of it in the middle of a white one.

    Raises:
        OptionError: if there is no such way.
    """
    from PIL import Image

    if how not in ("stretch", "crop", "pad"):
        raise OptionError(f"`fit` {how!r} is not a way to fit a picture; give stretch, crop or pad")
    size, box = (width, height), None
    if how == "crop":
        box = _middle(image.width, image.height, width / height)
    elif how == "pad":
        share = min(width / image.width, height / image.height)
        size = (max(1, round(share * image.width)), max(1, round(share * image.height)))
    resized = image.resize(size, Image.Resampling.BICUBIC, box)
    if size != (width, height):
        inner, resized = resized, Image.new("RGB", (width, height), "white")
        resized.paste(inner, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.array(resized)


def shown(name: str) -> str:
    """A name as messages have it: on one line, of bounded length, with its beginning and its end."""
    half = LONGEST_NAME // 2
    short = name if len(name) <= LONGEST_NAME else f"{name[:half]}...{name[-half:]}"
    return short if short.isprintable() else repr(short)


def require_pillow() -> None:
    """Refuse in one sentence to go on without the package that reads pictures.

    Raises:
        RecurraError: if it is not installed, or is older than the one that is tested: those have critical faults.
    """
    try:
        import PIL
    except ImportError:
        raise RecurraError("reading pictures needs Pillow; install recurra[captions]") from None
    if int(PIL.__version__.split(".")[0]) < 13:
        raise RecurraError(f"Pillow {PIL.__version__} has known faults in reading pictures; install recurra[captions]")


def _middle(width: int, height: int, ratio: float) -> tuple[float, float, float, float]:
    """The largest box (left, top, right, bottom) with this ratio of width to height in the middle of a picture."""
    across, down = min(width, height * ratio), min(height, width / ratio)
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, min(left + across, width), min(top + down, height)


def _opened(source: Path | bytes, called: str) -> IO[bytes]:
    """A file to read, which is one: a pipe would be waited for."""
    if isinstance(source, bytes):
        _require_size(len(source), called)
        return BytesIO(source)
    status = source.stat()
    if stat.S_ISDIR(status.st_mode):
        raise RecurraError(f"{called} is a folder, not a picture; name the pictures in it")
    if not stat.S_ISREG(status.st_mode):
        raise RecurraError(f"{called} is a pipe or a device, not a picture; copy it to a file")
    _require_size(status.st_size, called)
    return open(source, "rb")


def _require_size(size: int, called: str) -> None:
    if not size:
        raise RecurraError(f"{called} is empty; copy the picture again")
    if size > MAX_BYTES:
        raise RecurraError(f"{called} has {size:,} bytes, more than the {MAX_BYTES:,} that are read; save it smaller")


def _read(file: IO[bytes], called: str) -> Image.Image:
    """The picture in an open file, upright, of mode RGB."""
    from PIL import Image, UnidentifiedImageError

    if _is_heic(file.read(64)):
        raise RecurraError(f"{called} is a HEIC picture, which is not supported; convert it to JPEG or PNG")
    try:
        with _quiet():
            image = Image.open(file, formats=FORMATS)
            _require_dimensions(image.size, called)
            _mend_transparency(image)
            turn = _turn(image)
            upright = _as_rgb(image)
            return upright if turn is None else upright.transpose(turn)
    except RecurraError:
        raise
    except UnidentifiedImageError as error:
        raise RecurraError(
            f"{called} is not a picture that can be read, or its first part is damaged; give {KINDS}"
        ) from error
    except Image.DecompressionBombError as error:
        raise RecurraError(
            f"{called} has more than the {MAX_PIXELS:,} pixels that are read; make it smaller"
        ) from error
    except MemoryError as error:
        raise RecurraError(f"{called} does not fit into memory; make it smaller") from error
    except Exception as error:  # decoders raise nearly all there are
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RecurraError(f"{called} is cut off or damaged ({_reason(error)}); copy it again") from error


def _is_heic(beginning: bytes) -> bool:
    """Whether a file begins like one of Apple's photos: its brand, or one of those it is compatible with."""
    brands = [beginning[8:12], *(beginning[at : at + 4] for at in range(16, len(beginning), 4))]
    return beginning[4:8] == b"ftyp" and b"avif" not in brands and any(brand in _HEIF_BRANDS for brand in brands)


def _require_dimensions(size: tuple[int, int], called: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise RecurraError(
            f"{called} has {width:,} x {height:,} pixels; up to {MAX_PIXELS:,} are read, and {MAX_SIDE:,} in a row: "
            "make it smaller"
        )


def _mend_transparency(image: Image.Image) -> None:
    """Bring the colour that a PNG calls transparent to 8 bits, as its pixels will be: Pillow leaves it as it was."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    match image.tile[0].args:  # type: ignore[attr-defined]
        case "L;2":
            image.info["transparency"] = key * 255 // 3
        case "L;4":
            image.info["transparency"] = key * 255 // 15
        case "RGB;16B":
            image.info["transparency"] = tuple(value >> 8 for value in key)


def _reason(error: Exception) -> str:
    """What Pillow says, in few words on one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return shown(said[:100]).rstrip(".")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How a picture must be turned to stand upright; not at all where its EXIF cannot be read or says nothing known.

    The pixels are loaded by this: readers of some formats turn them themselves then, and say so in their EXIF.
    """
    from PIL.Image import Transpose

    image.load()
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # what is wrong there does not hurt the picture
        return None
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return turns.get(orientation) if isinstance(orientation, int) else None


def _as_rgb(image: Image.Image) -> Image.Image:
    """A loaded picture of any mode as RGB, on white where it is transparent."""
    if image.mode.startswith("I;16"):
        return _of_grey(_eight_of_sixteen(image))
    if image.mode in ("I", "F"):
        return _of_grey(_eight_of_numbers(np.asarray(image)))
    if image.mode == "LAB":
        return _of_lab(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    with_alpha = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return white


def _of_grey(grey: Pixels) -> Image.Image:
    from PIL import Image

    return Image.fromarray(grey).convert("RGB")


def _of_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))
    assert converted is not None
    return converted


def _eight_of_sixteen(image: Image.Image) -> Pixels:
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    grey = _scaled(values, *((65535, 0) if tags.get(_PHOTOMETRIC) == 0 else (0, 65535)))  # 0: white is zero
    if (transparent := image.info.get("transparency")) is not None:
        grey[values == transparent] = 255
    return grey


def _eight_of_numbers(values: NDArray[Any]) -> Pixels:
    """Numbers of a range that nothing says, `(height, width)`; for the rule see this module's beginning."""
    finite = [row[np.isfinite(row)] for row in values]
    low = float(min((row.min() for row in finite if len(row)), default=0))
    high = float(max((row.max() for row in finite if len(row)), default=0))
    tops = (255.0, 65535.0) if values.dtype.kind == "i" else (1.0, 255.0, 65535.0)
    if low >= 0 and high <= tops[-1]:
        low, high = 0.0, next(top for top in tops if high <= top)
    return _scaled(values, low, high)


def _scaled(values: NDArray[Any], low: float, high: float) -> Pixels:
    """Numbers `(height, width)` as the nearest of 0 (`low`) to 255 (`high`), NaN as 0; some rows at a time."""
    grey = np.empty(values.shape, np.uint8)
    for begin in range(0, len(values), _ROWS):
        shares = (values[begin : begin + _ROWS].astype(np.float64) - low) / ((high - low) or 1.0)
        grey[begin : begin + _ROWS] = np.rint(255 * np.clip(np.nan_to_num(shares, posinf=1, neginf=0), 0, 1))
    return grey


_lock = threading.Lock()
_reading: list[warnings.catch_warnings[None]] = []
_readers = 0


@contextmanager
def _quiet() -> Iterator[None]:
    """None of Pillow's warnings, in whatever thread: what they warn of is answered here, or does not matter.

    Filters of warnings are the whole process's. They are changed by the first of those who read pictures at the same
    time and put back by the last: each doing it for itself would put back what another had changed.
    """
    global _readers
    with _lock:
        _readers += 1
        if _readers == 1:
            _reading.append(warnings.catch_warnings())
            _reading[-1].__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers:
                _reading.pop().__exit__(None, None, None)
