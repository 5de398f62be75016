"""Picture files of every kind, and what is wrong with others, made here byte by byte or by Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def noise(height: int = 12, width: int = 9, seed: int = 0) -> Image.Image:
    """A picture in which no two pixels are alike."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as a file of one of Pillow's kinds."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG with any header; `rows` each begin with a zero."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return SIGNATURE + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(width: int, height: int, *more: tuple[int, int, int, int], bits: int = 8, data: bytes = bytes(64)) -> bytes:
    """A TIFF with any header, without compression; `more` are entries (tag, type, count, value)."""
    sizes = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1)]
    strips = [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data))]
    entries = sorted({entry[0]: entry for entry in (*sizes, *strips, *more)}.values())
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


def bmp(width: int, height: int) -> bytes:
    """A BMP of 4 x 4 pixels that says it has others."""
    data = bytearray(saved(Image.new("RGB", (4, 4)), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    """A WebP of 16 x 16 pixels whose canvas is said to be another."""
    inner = saved(Image.new("RGBA", (16, 16)), "WEBP", lossless=True)[12:]
    canvas = bytes([16, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width: int, height: int) -> bytes:
    """A GIF of 4 x 4 pixels on a screen that is said to be another."""
    data = bytearray(saved(Image.new("L", (4, 4)), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def gif_of_large_frame() -> bytes:
    """A GIF whose first frame is said to be larger than its screen."""
    frame = b",\0\0\0\0\4\0\4\0"
    return gif(4, 4).replace(frame, b",\0\0\0\0\xff\xff\xff\xff")


def avif(width: int, height: int) -> bytes:
    """An AVIF of 64 x 64 pixels that says it has others."""
    data = bytearray(saved(Image.new("RGB", (64, 64)), "AVIF"))
    where = data.find(b"ispe")
    data[where + 8 : where + 16] = struct.pack(">II", width, height)
    return bytes(data)


def jpeg(width: int, height: int) -> bytes:
    """A JPEG of 8 x 8 pixels that says it has others."""
    data = bytearray(saved(Image.new("L", (8, 8)), "JPEG"))
    where = data.find(b"\xff\xc0")
    data[where + 5 : where + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def heif(brand: bytes, *compatible: bytes) -> bytes:
    """The beginning of a file of Apple's photos and their like."""
    brands = brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + b"\0\0\0\x08meta" + bytes(200)


def oriented(value: bytes, kind: int = 3, count: int = 1) -> bytes:
    """EXIF that says an orientation, by the four bytes in its place."""
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12" + struct.pack(">HI", kind, count) + value + bytes(4)


_BOMB = zlib.compress(bytes(8 * 2**20), 9)

_LARGE = zlib.compress(bytes(10**6), 9)

_DOT = png(1, 1, 8, 0, b"\0\0")

BOMBS: dict[str, tuple[bytes, str]] = {
    "zTXt": (png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"k\0\0" + _BOMB)), "too large"),
    "iTXt": (png(1, 1, 8, 0, b"\0\0", chunk(b"iTXt", b"k\0\1\0\0\0" + _BOMB)), "too large"),
    "iCCP": (png(1, 1, 8, 0, b"\0\0", chunk(b"iCCP", b"k\0\0" + _BOMB)), "too large"),
    "zTXt at the end": (_DOT[:-12] + chunk(b"zTXt", b"k\0\0" + _BOMB) + _DOT[-12:], "too large"),
    "many zTXt": (png(1, 1, 8, 0, b"\0\0", *[chunk(b"zTXt", b"%d\0\0" % n + _LARGE) for n in range(80)]), "too much"),
    "PNG of 3.6 gigapixels": (png(60_000, 60_000, 8, 0, b"\0\0"), "make it smaller"),
    "PNG of 100 megapixels": (png(10_000, 10_000, 8, 0, b"\0\0"), "10,000 x 10,000 pixels"),
    "PNG too wide": (png(70_000, 1, 8, 0, b"\0\0"), "70,000 x 1 pixels"),
    "PNG without pixels": (png(8000, 8000, 8, 0, b""), "cut off or damaged"),
    "JPEG": (jpeg(65_535, 65_535), "make it smaller"),
    "WebP": (webp(16_383, 16_383), "make it smaller"),
    "WebP within limits": (webp(8000, 8000), "damaged"),
    "WebP too wide": (webp(2**24, 2**24), "make it smaller"),
    "GIF": (gif(65_535, 65_535), "make it smaller"),
    "GIF of a frame": (gif_of_large_frame(), "make it smaller"),
    "AVIF": (avif(16_000, 16_000), "make it smaller"),
    "TIFF": (tiff(2**31, 4), "make it smaller"),
    "TIFF cut off": (tiff(8000, 8000), "cut off or damaged"),
    "BMP": (bmp(2**30, 2**30), "make it smaller"),
    "BMP of negative width": (bmp(-4, 4), "make it smaller"),
    "BMP of negative sizes": (bmp(-4, -4), "make it smaller"),
    "BMP of the most negative height": (bmp(4, -(2**31)), "make it smaller"),
}
"""Files that would fill the memory, and what the answer to each says."""


def _hostile() -> dict[str, tuple[bytes, str]]:
    large = noise(24, 32)
    photo = {kind: saved(large, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF")}
    photo["progressive JPEG"] = saved(large, "JPEG", progressive=True)
    photo["packed TIFF"] = saved(large, "TIFF", compression="tiff_lzw")
    files = {
        "nothing": (b"", "empty"),
        "one byte": (b"\xff", "not a picture"),
        "text": (b"This is not a picture.\n", "not a picture"),
        "a web page": (b"<!doctype html><html><body>404</body></html>", "not a picture"),
        "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>', "not a picture"),
        "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "not a picture"),
        "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n", "not a picture"),
        "PPM": (saved(noise(), "PPM"), "not a picture"),
        "TGA": (saved(noise(), "TGA"), "not a picture"),
        "ICO": (saved(noise(32, 32), "ICO"), "not a picture"),
        "JPEG 2000": (saved(noise(), "JPEG2000"), "not a picture"),
        "zeros": (bytes(1000), "not a picture"),
        "the beginning of a PNG alone": (SIGNATURE, "damaged"),
        "PNG of no width": (png(0, 1, 8, 0, b"\0\0"), "damaged"),
        "PNG of an unknown kind": (png(1, 1, 8, 7, b"\0\0"), "damaged"),
        "PNG with a palette that is missing": (png(1, 1, 8, 3, b"\0\0")[:-20], "damaged"),
        "BMP of no size": (bmp(0, 0), "not a picture"),
        "TIFF with a directory beyond its end": (b"II*\0\xff\xff\xff\x7f" + bytes(50), "not a picture"),
        "HEIC": (heif(b"heic", b"mif1"), "HEIC"),
        "HEIC in a container": (heif(b"mif1", b"mif1", b"heic"), "HEIC"),
        "HEVC sequence": (heif(b"hevc"), "HEIC"),
        "AVIF with nothing inside": (heif(b"avif", b"mif1"), "not a picture"),
    }
    for kind, data in photo.items():
        files[f"{kind}, half"] = (data[: len(data) // 2], "damaged")
        if kind not in ("PNG", "GIF"):
            files[f"{kind} without its last two bytes"] = (data[:-2], "damaged")
    return files


HOSTILE: dict[str, tuple[bytes, str]] = _hostile() | BOMBS
"""Files that are not described, and what the answer to each says."""
