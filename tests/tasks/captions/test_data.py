"""What is learned from and what is kept: pictures, never captions, are parted; nothing is left out silently."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recurra.errors import RecurraError
from recurra.tasks.captions.collections import Captioned, Collection
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.data import Data, Part, _digest, clean, describe, divided, read_data


def item(number: int, split: str | None = None) -> Captioned:
    return Captioned(f"{number}.png", (f"number {number}",), split, lambda: Image.new("RGB", (9, 9), (number, 0, 0)))


def collection(*splits: str | None) -> Collection:
    return Collection("all", [item(number, split) for number, split in enumerate(splits)], [])


def names(part: Collection) -> set[str]:
    return {each.name for each in part.items}


def test_a_part_of_the_pictures_is_drawn_by_the_seed_where_the_collection_says_nothing() -> None:
    whole = collection(*[None] * 40)
    rest, kept = divided(whole, 1)
    assert len(kept.items) == 4
    assert names(rest) | names(kept) == names(whole)
    assert not names(rest) & names(kept)
    assert names(divided(whole, 1)[1]) == names(kept) != names(divided(whole, 2)[1])
    with pytest.raises(RecurraError, match="all has 1 pictures to learn from; at least 10"):
        divided(collection(None), 1)


def test_what_a_collection_calls_its_parts_is_obeyed_and_told() -> None:
    rest, kept = divided(collection("train", "val", "test", None, "val", "test"), 1)
    assert names(rest) == {"0.png", "3.png"}
    assert names(kept) == {"1.png", "4.png"}
    assert rest.skipped == ["2 pictures that all calls test"]
    assert kept.name == "2 pictures of all that it calls val"


def test_captions_are_brought_to_one_space_between_words_and_small_letters_if_asked_for() -> None:
    assert clean(" A  Red\tring. ", True) == "a red ring."
    assert clean(" A  Red\tring. ", False) == "A Red ring."


def read(path: Path, folder: Path, **options: Any) -> Data:
    folder.mkdir(exist_ok=True)
    return read_data([path], (), Config(image_size=16, min_count=1, **options), folder)


def test_pixels_are_those_of_the_pictures_and_tokens_those_of_their_captions(scenes_file: Path, tmp_path: Path) -> None:
    data = read(scenes_file, tmp_path / "a")
    assert len(data.train) == 54
    assert len(data.validation) == 6
    assert data.train.pixels.shape == (54, 16, 16, 3)
    lines = [line.split("\t") for line in scenes_file.read_text(encoding="utf-8").splitlines()[1:]]
    said = {file: {caption for other, caption in lines if other == file} for file, _ in lines}
    pixels = {
        file: np.asarray(Image.open(scenes_file.parent / file).resize((16, 16), Image.Resampling.BICUBIC))
        for file in said
    }
    for part in (data.train, data.validation):
        for row, captions in zip(part.pixels, part.captions, strict=True):
            (file,) = [file for file, each in pixels.items() if (each == row).all()]
            assert {data.vocabulary.decode(caption[:-1]) for caption in captions} == said[file]
    assert any("54 pictures with 108 captions" in line for line in describe(data))


def test_the_digest_tells_other_data_and_the_same(scenes_file: Path, tmp_path: Path) -> None:
    same = [read(scenes_file, tmp_path / name).digest for name in ("a", "b")]
    assert same[0] == same[1] != read(scenes_file, tmp_path / "c", fit="crop", seed=2).digest


def test_what_cannot_be_read_or_is_too_long_is_left_out_and_told(tmp_path: Path) -> None:
    lines = ["file\tcaption"]
    for number in range(14):
        Image.new("RGB", (20, 20), (number, 9, 9)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\tpicture number {number}")
    (tmp_path / "3.png").write_bytes(b"no picture")
    lines.append(f"5.png\t{'very ' * 20}long")
    lines.append(f"6.png\t{'very ' * 20}long")
    lines[7] = f"6.png\t{'so ' * 30}long"
    (tmp_path / "captions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = read(tmp_path / "captions.tsv", tmp_path / "work", longest=10, seed=3)
    assert len(data.train) + len(data.validation) == 12
    told = "\n".join(describe(data))
    assert re.search(r"1 of \d+ picture\(s\) cannot be read: 3.png", told)
    assert "captions of more than 10 words (`longest`)" in told


def test_too_few_pictures_or_none_are_refused(tmp_path: Path) -> None:
    lines = ["file\tcaption"]
    for number in range(8):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\tpicture {number}")
    (tmp_path / "captions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(RecurraError, match="has 7 pictures to learn from; at least 10 are needed"):
        read(tmp_path / "captions.tsv", tmp_path / "work")
    with pytest.raises(RecurraError, match="no picture can be read, or all captions are too long"):
        read(tmp_path / "captions.tsv", tmp_path / "work", longest=1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, which says what memory is in use")
def test_pictures_that_were_taken_do_not_stay_in_memory(tmp_path: Path) -> None:
    def mapped() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssFile")).split()[1]) // 1024

    path = tmp_path / "pixels.bin"
    with open(path, "wb") as file:
        file.truncate(64 * 2**20)
    pixels = np.memmap(path, np.uint8, "r", shape=(256, 256, 1024, 1))
    part = Part("pictures", pixels, [[np.array([1], np.int32)]] * 256)
    before = mapped()
    for begin in range(0, 256, 16):
        assert part.take(np.arange(begin, begin + 16)).shape == (16, 256, 1024, 1)
    _digest(part)
    assert mapped() < before + 16
