"""Picture files of every kind as the same pixels always, and what is wrong with the others in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_pictures import BOMBS, HOSTILE, chunk, heif, noise, oriented, png, saved, tiff
from PIL import Image, ImageFile, features

from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions import pictures
from recurra.tasks.captions.pictures import fit, open_picture, shown

WHITE = (255, 255, 255)

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("GIF", {}),
    ("BMP", {}),
    ("AVIF", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("MPO", {"save_all": True, "append_images": [noise(seed=1)]}),
]
"""Every kind of file that is read."""


def pixels(data: bytes) -> list[Any]:
    image = open_picture(data, "x")
    assert image.mode == "RGB"
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def grey(*levels: int) -> list[tuple[int, int, int]]:
    return [(level, level, level) for level in levels]


def numbers(values: Any, kind: str, **options: Any) -> bytes:
    return saved(Image.fromarray(np.array([values], kind)), "TIFF", **options)


def palette(*more: bytes) -> bytes:
    return png(2, 1, 8, 3, b"\0\0\1", chunk(b"PLTE", bytes([200, 100, 50, 6, 5, 4])), *more)


MODES: dict[str, tuple[bytes, list[tuple[int, int, int]]]] = {
    "1 bit": (png(2, 1, 1, 0, b"\0\x40"), grey(0, 255)),
    "1 bit, black transparent": (png(2, 1, 1, 0, b"\0\x40", chunk(b"tRNS", b"\0\0")), grey(255, 255)),
    "2 bits": (png(4, 1, 2, 0, b"\0\x1b"), grey(0, 85, 170, 255)),
    "2 bits, one transparent": (png(4, 1, 2, 0, b"\0\x1b", chunk(b"tRNS", b"\0\1")), grey(0, 255, 170, 255)),
    "4 bits, one transparent": (png(2, 1, 4, 0, b"\0\x5a", chunk(b"tRNS", b"\0\5")), grey(255, 170)),
    "grey": (png(2, 1, 8, 0, b"\0\x05\x0a"), grey(5, 10)),
    "grey, one transparent": (png(2, 1, 8, 0, b"\0\x05\x0a", chunk(b"tRNS", b"\0\5")), grey(255, 10)),
    "16 bits": (png(3, 1, 16, 0, b"\0\x00\xff\x80\x00\xff\xff"), grey(1, 128, 255)),
    "16 bits, one transparent": (png(2, 1, 16, 0, b"\0\5\1\5\2", chunk(b"tRNS", b"\5\1")), grey(255, 5)),
    "grey and alpha": (png(3, 1, 8, 4, b"\0\0\0\0\xff\x64\x80"), grey(255, 0, 177)),
    "grey and alpha of 16 bits": (png(2, 1, 16, 4, b"\0\1\1\0\0\x80\0\xff\xff"), grey(255, 128)),
    "RGB, one transparent": (
        png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", chunk(b"tRNS", b"\0\1\0\2\0\3")),
        [WHITE, (4, 5, 6)],
    ),
    "RGB of 16 bits, one transparent": (
        png(2, 1, 16, 2, b"\0\1\x09\2\x09\3\x09\4\x09\5\x09\6\x09", chunk(b"tRNS", b"\1\x09\2\x09\3\x09")),
        [WHITE, (4, 5, 6)],
    ),
    "RGBA": (png(2, 1, 8, 6, b"\0\1\2\3\0\1\2\3\xff"), [WHITE, (1, 2, 3)]),
    "RGBA, half through": (png(1, 1, 8, 6, b"\0\x64\x32\0\x80"), [(177, 152, 127)]),
    "palette": (palette(), [(200, 100, 50), (6, 5, 4)]),
    "palette, one transparent": (palette(chunk(b"tRNS", b"\0")), [WHITE, (6, 5, 4)]),
    "palette, half through": (palette(chunk(b"tRNS", b"\x80\xff")), [(227, 177, 152), (6, 5, 4)]),
    "GIF, transparent": (
        saved(Image.frombytes("L", (2, 1), b"\5\1").convert("P"), "GIF", transparency=5),
        [WHITE, (1, 1, 1)],
    ),
    "grey multiplied by alpha": (
        tiff(2, 1, (258, 3, 2, 0x80008), (277, 3, 1, 2), (338, 3, 1, 1), data=b"\x32\x80\x10\xff"),
        grey(177, 16),
    ),
    "RGB multiplied by alpha": (
        tiff(1, 1, (258, 3, 1, 8), (262, 3, 1, 2), (277, 3, 1, 4), (338, 3, 1, 1), data=b"\x32\0\0\x80"),
        [(177, 127, 127)],
    ),
    "palette and alpha": (saved(Image.new("PA", (1, 1), (0, 0)), "TIFF"), [WHITE]),
    "CMYK": (saved(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), [(255, 0, 0)]),
    "YCbCr": (saved(Image.new("YCbCr", (1, 1), (100, 128, 128)), "TIFF"), grey(100)),
    "LAB of white": (saved(Image.new("LAB", (1, 1), (255, 128, 128)), "TIFF"), [WHITE]),
    "LAB of red": (saved(Image.new("LAB", (1, 1), (138, 209, 198)), "TIFF"), [(255, 0, 0)]),
    "16 bits, other order": (tiff(2, 1, bits=16, data=b"\x80\x00\xff\xff"), grey(0, 255)),
    "16 bits where white is zero": (tiff(2, 1, (262, 3, 1, 0), bits=16, data=b"\x00\x00\xff\xff"), grey(255, 0)),
    "16 bits with a sign": (tiff(3, 1, (339, 3, 1, 2), bits=16, data=b"\x00\x80\0\0\xff\x7f"), grey(0, 128, 255)),
    "32 bits up to 255": (numbers([0, 10, 255], "i4"), grey(0, 10, 255)),
    "32 bits up to 65,535": (numbers([0, 256, 65_535], "i4"), grey(0, 1, 255)),
    "32 bits of the smallest range": (numbers([0, 1], "i4"), grey(0, 1)),
    "32 bits beyond": (numbers([-(2**31), 0, 2**31 - 1], "i4"), grey(0, 128, 255)),
    "fractions": (numbers([0.0, 0.5, 1.0], "f4"), grey(0, 128, 255)),
    "fractions up to 255": (numbers([0.0, 10.4, 255.0], "f4"), grey(0, 10, 255)),
    "fractions up to 65,535": (numbers([0.0, 257.0, 65_535.0], "f4"), grey(0, 1, 255)),
    "negative fractions": (numbers([-1.0, 0.0, 3.0], "f4"), grey(0, 64, 255)),
    "fractions of any size": (numbers([-3e38, 0.0, 3e38], "f4"), grey(0, 128, 255)),
    "not numbers": (numbers([np.nan, np.inf, -np.inf, 1.0], "f4"), grey(0, 255, 0, 255)),
    "nothing but not numbers": (numbers([np.nan, np.nan], "f4"), grey(0, 0)),
    "all the same": (numbers([-5.0, -5.0], "f4"), grey(0, 0)),
    "1 x 1": (png(1, 1, 8, 2, b"\0\1\2\3"), [(1, 2, 3)]),
}


@pytest.mark.parametrize("mode", MODES)
def test_pixels_of_every_kind(mode: str) -> None:
    data, expected = MODES[mode]
    np.testing.assert_allclose(
        pixels(data), expected, atol=5 if "LAB" in mode else 1 if re.search("half|alpha", mode) else 0
    )


@pytest.mark.parametrize("how", [("PNG", ""), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_all_of_16_bits_are_scaled_by_their_full_range(how: tuple[str, str]) -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    image = Image.fromarray(values.astype(how[1] or "<u2"))
    read = np.asarray(open_picture(saved(image, how[0]), "x"))
    np.testing.assert_array_equal(read[..., 0], np.rint(values / 257))
    assert (read[..., 0] == read[..., 1]).all()
    assert (read[..., 0] == read[..., 2]).all()


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_every_kind_of_file(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    smooth = noise(2, 2).resize((9, 12), Image.Resampling.BICUBIC)
    data = saved(smooth, kind, **options)
    (tmp_path / "wrong ending.txt").write_bytes(data)
    read = open_picture(tmp_path / "wrong ending.txt", "x")
    assert (read.mode, read.size) == ("RGB", (9, 12))
    assert np.abs(np.asarray(read, int) - np.asarray(smooth, int)).mean() < 8


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_allclose(pixels(data), [(255, 0, 0)] * 64, atol=1)


UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}
"""How each orientation of EXIF is brought upright: 6 is a quarter turn clockwise."""


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(10))
def test_pictures_are_turned_upright(orientation: int, kind: str) -> None:
    image = noise(2, 3).resize((24, 16), Image.Resampling.NEAREST)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = open_picture(saved(image, kind, exif=exif, **options), "x")
    expected = UPRIGHT.get(orientation, np.asarray)(np.asarray(image))
    np.testing.assert_allclose(np.asarray(read), expected, atol=6 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    "exif",
    {
        "garbage": b"Exif\0\0" + bytes(range(200)),
        "nothing": b"Exif\0\0",
        "cut off": oriented(b"\0\6\0\0")[:20],
        "a text": oriented(b"6\0\0\0", kind=2, count=2),
        "a fraction of nothing": oriented(b"\0\0\0\0", kind=5),
        "too many": oriented(b"\0\0\0\6", count=2**31),
    }.items(),
    ids=lambda pair: pair[0],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_break_a_picture(exif: tuple[str, bytes], kind: str) -> None:
    image = noise(16, 24)
    plain = np.asarray(open_picture(saved(image, kind), "x"))
    np.testing.assert_array_equal(np.asarray(open_picture(saved(image, kind, exif=exif[1]), "x")), plain)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_answered_in_a_sentence(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises(RecurraError) as caught:
        open_picture(data, "photos/x.jpg")
    message = str(caught.value)
    assert message.startswith("photos/x.jpg ")
    assert words.lower() in message.lower()
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_lost_end_mark_costs_nothing_that_is_drawn(kind: str) -> None:
    data = saved(noise(), kind)
    assert pixels(data[:-2]) == pixels(data)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_whatever_is_changed_in_a_file_it_is_read_or_refused(kind: str, options: dict[str, Any]) -> None:
    data = saved(noise(), kind, exif=oriented(b"\0\6\0\0"), **options)
    rng = np.random.default_rng(len(data))
    answers = list[str]()
    changed = [data[:end] for end in range(0, len(data), 23)]
    for _ in range(60):
        mutant = bytearray(data)
        for place in rng.integers(0, len(data), rng.choice([1, 3, 10])):
            mutant[place] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        changed.append(bytes(mutant))
    for mutant in map(bytes, changed):
        try:
            assert open_picture(mutant, "x").mode == "RGB"
        except RecurraError as error:
            answers.append(str(error))
    assert 10 < len(answers) < len(changed)
    assert max(map(len, answers)) < 300
    assert "\n" not in "".join(answers)


def test_bombs_do_not_fill_the_memory() -> None:
    lines = [
        "import resource",
        "from hostile_pictures import BOMBS, noise, saved",
        "from recurra.errors import RecurraError",
        "from recurra.tasks.captions.pictures import open_picture",
        "open_picture(saved(noise(), 'TIFF'), 'x')",
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss",
        "for data, _ in BOMBS.values():",
        "    try: open_picture(data, 'x')",
        "    except RecurraError: pass",
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 120_000  # kilobytes; Pillow allows 64 MB of texts
    assert len(BOMBS) > 20


def test_the_pixel_limit_is_checked_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: object) -> None:
        raise AssertionError("decoded")

    data = [saved(noise(), kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")]
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12 * 9 - 1)
    for each in data:
        with pytest.raises(RecurraError, match="9 x 12 pixels; up to 107 are read"):
            open_picture(each, "x")


def test_pillows_own_limits_and_settings_do_not_matter_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    assert len(pixels(png(10, 10, 8, 0, bytes(110)))) == 100  # of which Pillow warns
    with pytest.raises(RecurraError, match="make it smaller"):
        open_picture(BOMBS["PNG of 100 megapixels"][0], "x")
    assert Image.MAX_IMAGE_PIXELS == 60
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_warnings_are_silent_in_all_threads_and_filters_are_as_they_were() -> None:
    inside, outside = threading.Barrier(2, timeout=10), threading.Barrier(2, timeout=10)
    before = list(warnings.filters)

    def first() -> None:
        with pictures._quiet():
            inside.wait()
            outside.wait()

    def second() -> None:
        inside.wait()
        with pictures._quiet():
            outside.wait()
            warnings.warn_explicit("it", UserWarning, "Image.py", 1, "PIL.Image")

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(first), threads.submit(second)]:
            done.result()
    assert warnings.filters == before
    with pytest.raises(UserWarning), pictures._quiet():
        warnings.warn("of others", UserWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "x does not fit into memory; make it smaller"),
        (OSError(5, "Input/output error"), "reading x failed: Input/output error"),
        (KeyError("a\nb" * 100), r"x is cut off or damaged \(.{20,150}\); copy it again"),
    ],
)
def test_whatever_a_decoder_raises_is_a_sentence(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(self: object) -> None:
        raise error

    (tmp_path / "x.png").write_bytes(saved(noise(), "PNG"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for source in (tmp_path / "x.png", (tmp_path / "x.png").read_bytes()):
        with pytest.raises(RecurraError, match=words):
            open_picture(source, "x")


def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(pictures.MAX_BYTES + 1)
    with pytest.raises(RecurraError, match="bytes, more than the"):
        open_picture(tmp_path / "large.jpg", "large.jpg")
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    with pytest.raises(RecurraError, match="bytes, more than the 10"):
        open_picture(saved(noise(), "PNG"), "x")


def _paths(folder: Path) -> dict[str, tuple[Path, str]]:
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "zero.jpg").touch()
    (folder / "text.jpg").write_text("text")
    os.mkfifo(folder / "pipe.jpg")
    return {
        "folder.jpg": (folder / "folder.jpg", "is a folder"),
        "dangling.jpg": (folder / "dangling.jpg", "link that leads to no file"),
        "loop.jpg": (folder / "loop.jpg", "link that leads to no file"),
        "zero.jpg": (folder / "zero.jpg", "is empty"),
        "text.jpg": (folder / "text.jpg", "not a picture"),
        "pipe.jpg": (folder / "pipe.jpg", "pipe or a device"),
        "missing.jpg": (folder / "missing.jpg", "no such file"),
        "under": (folder / "zero.jpg" / "a.jpg", "not a folder"),
        "a\0b.jpg": (folder / "a\0b.jpg", "no file has such a name"),
        "long": (folder / ("a" * 5000 + ".jpg"), "too long"),
    }


def test_paths_that_lead_to_no_picture(tmp_path: Path) -> None:
    for name, (path, words) in _paths(tmp_path).items():
        with pytest.raises(RecurraError, match=words) as caught:
            open_picture(path, name)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "name", ["a\nb.png", "-rf.png", "--help", "Ünï⟨çø⟩dé 🎉.png", "\u202egnp.png", "a" * 240 + ".png"]
)
def test_names_of_any_kind(name: str, tmp_path: Path) -> None:
    image = noise()
    (tmp_path / name).write_bytes(saved(image, "PNG"))
    assert np.array_equal(np.asarray(open_picture(tmp_path / name, name)), np.asarray(image))
    (tmp_path / name).write_bytes(b"no")
    with pytest.raises(RecurraError) as caught:
        open_picture(tmp_path / name, name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_shown_names_are_printable_and_short() -> None:
    assert shown("photos/Ünï 🎉.png") == "photos/Ünï 🎉.png"
    assert shown("a\nb") == r"'a\nb'"
    assert shown("\udcff.png") == r"'\udcff.png'"
    long = shown("begin" + "x" * 5000 + "end.png")
    assert long.startswith("begin")
    assert long.endswith("end.png")
    assert len(long) < 200


def test_of_apples_photos_only_those_of_avif_are_read() -> None:
    data = saved(noise(), "AVIF")
    assert features.check("avif")
    assert open_picture(data[:8] + b"mif1" + data[12:], "x").mode == "RGB"  # as some programs write AVIF
    with pytest.raises(RecurraError, match="HEIC picture, which is not supported"):
        open_picture(heif(b"mif1", b"miaf", b"heix"), "x")


def test_pillow_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.__version__", "12.1.0")
    with pytest.raises(RecurraError, match=r"Pillow 12\.1\.0 has known faults.*recurra\[captions\]"):
        open_picture(b"", "x")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(RecurraError, match=r"needs Pillow; install recurra\[captions\]"):
        open_picture(b"", "x")


# fit


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
def test_training_and_describing_see_the_same_bits(
    kind: str, options: dict[str, Any], how: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(noise(90, 170), kind, **options))
    once = fit(open_picture(path, "a.jpg"), 24, 16, how)
    with ThreadPoolExecutor(3) as threads:
        for again in threads.map(lambda _: fit(open_picture(path, "b"), 24, 16, how), range(6)):
            np.testing.assert_array_equal(again, once)
    np.testing.assert_array_equal(fit(open_picture(path.read_bytes(), "c"), 24, 16, how), once)


def test_a_large_jpeg_is_not_read_at_a_lower_resolution() -> None:
    data = saved(noise(640, 640), "JPEG")
    whole = Image.fromarray(np.asarray(open_picture(data, "x")))
    assert whole.size == (640, 640)
    np.testing.assert_array_equal(fit(open_picture(data, "x"), 32, 32, "stretch"), fit(whole, 32, 32, "stretch"))


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 60_000), (60_000, 1), (3, 5), (40, 30), (500, 30)])
def test_any_size_is_fitted(size: tuple[int, int], how: Any) -> None:
    fitted = fit(Image.new("RGB", size, (10, 20, 30)), 20, 30, how)
    assert fitted.shape == (20, 30, 3)
    assert fitted.dtype == np.uint8
    colors = {tuple(pixel) for pixel in fitted.reshape(-1, 3).tolist()}
    assert colors <= {(10, 20, 30), WHITE}
    assert (10, 20, 30) in colors
    assert how == "pad" or WHITE not in colors


def test_what_has_the_right_size_is_left_as_it_is() -> None:
    image = noise(20, 30)
    for how in ("stretch", "crop", "pad"):
        np.testing.assert_array_equal(fit(image, 20, 30, how), np.asarray(image))  # type: ignore[arg-type]


def test_crop_takes_the_middle() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = np.asarray(noise(10, 10))
    np.testing.assert_array_equal(fit(Image.fromarray(wide), 10, 10, "crop"), wide[:, 15:25])
    tall = wide.transpose(1, 0, 2).copy()
    np.testing.assert_array_equal(fit(Image.fromarray(tall), 10, 10, "crop"), tall[15:25])
    np.testing.assert_array_equal(fit(Image.fromarray(wide), 10, 20, "crop"), wide[:, 10:30])


def test_pad_keeps_all_in_the_middle_of_white() -> None:
    image = noise(10, 20)
    padded = fit(image, 20, 20, "pad")
    np.testing.assert_array_equal(padded[5:15], np.asarray(image))
    assert (padded[:5] == 255).all()
    assert (padded[15:] == 255).all()


def test_stretch_fills_the_whole() -> None:
    halves = np.zeros((8, 80, 3), np.uint8)
    halves[:, 40:] = 255
    fitted = fit(Image.fromarray(halves), 8, 8, "stretch")
    assert (fitted[:, 0] == 0).all()
    assert (fitted[:, -1] == 255).all()


def test_where_pixels_get_fewer_they_are_averaged() -> None:
    board = np.indices((120, 120)).sum(axis=0) % 2 * 255
    fitted = fit(Image.fromarray(np.stack([board] * 3, axis=-1).astype(np.uint8)), 10, 10, "stretch")
    assert np.abs(fitted[1:-1, 1:-1].astype(int) - 127.5).max() < 3


def test_a_way_that_there_is_not() -> None:
    with pytest.raises(OptionError, match="`fit` 'squash' is not a way"):
        fit(noise(), 4, 4, "squash")  # type: ignore[arg-type]
