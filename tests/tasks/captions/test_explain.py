"""What shows where a model looked: the mapping to the picture, words, the page, the picture, the command."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recurra import captions
from recurra.errors import OptionError, RecurraError
from recurra.explain.html import fill
from recurra.tasks.captions import figure
from recurra.tasks.captions.explanation import (
    MOST_PICTURES,
    Checked,
    Explained,
    Explanation,
    Word,
    area,
    told,
    words_of,
)
from recurra.tasks.captions.image_encoder import Places, SmallEncoder
from recurra.tasks.captions.model import Caption, Model
from recurra.tasks.captions.page import MOST_MAPS, page_parts
from recurra.tasks.captions.pictures import How, fit
from recurra.tasks.captions.shapes import shapes

Command = Callable[..., Any]

NASTY = 'a </script><img onerror=x src=y> & "b" \' {{model}} $_x 好 .png'

HOWS: tuple[How, ...] = ("stretch", "crop", "pad")


@pytest.fixture(scope="module")
def model(trained_captions: Path) -> Model:
    return Model.load(trained_captions)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes, one of them wide, and one that is cut off."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, item in enumerate(shapes(3, seed=9)):
        item.open().resize((192, 64) if number == 1 else (64, 64)).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes((folder / "0.png").read_bytes()[:200])
    return folder


def made(words: Sequence[Word], size: tuple[int, int] = (80, 40), how: How = "stretch") -> Explanation:
    """An explanation that no model gave."""
    weights = None if words and words[0].weights is None else np.zeros((len(words) + 1, 4, 4), np.float32)
    text = " ".join(word.text for word in words)
    best = Caption(text, tuple(range(len(words))), (-0.1,) * (len(words) + 1), -0.1, True, weights)
    picture = Image.new("RGB", size, "white")
    return Explanation("x.png", size, picture, [best], words, area(*size, 32, how), Places.even(32, 4))


def one(row: int, column: int, count: int = 4) -> np.ndarray:
    """Weights that are all in one position."""
    weights = np.zeros((count, count), np.float32)
    weights[row, column] = 1
    return weights


class TestMapping:
    @pytest.mark.parametrize("how", HOWS)
    @pytest.mark.parametrize("size", [(96, 64), (40, 120), (64, 64), (301, 77)])
    def test_what_lies_in_a_cell_is_what_the_network_saw_there(self, size: tuple[int, int], how: How) -> None:
        side, count = 64, 4
        explanation = replace(made([]), size=size, area=area(*size, side, how), places=Places.even(side, count))
        for row, column in np.ndindex(count, count):
            box = explanation.strongest(one(row, column))
            if box.right - box.left < 12 or box.bottom - box.top < 12:  # mostly padding
                continue
            # What is painted into the cell in the picture must come out in the cell of the square.
            drawn = Image.new("RGB", size, "white")
            inner = np.add(box, (2, 2, -2, -2)).round().astype(int).tolist()
            drawn.paste("black", tuple(inner))
            dark = np.argwhere(fit(drawn, side, side, how)[..., 0] < 128)
            assert len(dark)
            assert (dark // (side // count) == (row, column)).all(), (row, column)

    def test_edges(self) -> None:
        assert Places(64, 4, 8.0, 16.0).edges.tolist() == Places.even(64, 4).edges.tolist() == [0, 16, 32, 48, 64]
        assert Places(64, 4, 2.0, 16.0).edges.tolist() == [0, 10, 26, 42, 64]

    def test_numbers_worked_out_by_hand(self) -> None:
        assert area(200, 100, 50, "stretch") == (0, 0, 200, 100)
        assert area(200, 100, 50, "crop") == (50, 0, 150, 100)
        assert area(100, 200, 50, "crop") == (0, 50, 100, 150)
        assert area(200, 100, 50, "pad") == (0, -48, 200, 152)  # 50 x 25 pixels, 12 of white above, 13 below

    @given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(HOWS))
    def test_the_whole_network_s_square_is_used(self, width: int, height: int, how: How) -> None:
        left, top, right, bottom = area(width, height, 32, how)
        if how == "pad":
            assert left <= 0 <= width <= right + 1e-6
            assert top <= 0 <= height <= bottom + 1e-6
        else:
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert how == "stretch" or right - left == pytest.approx(bottom - top)

    def test_centre_and_strongest(self) -> None:
        explanation = made([])
        assert explanation.strongest(one(1, 2)) == (40, 10, 60, 20)
        assert explanation.centre(one(1, 2)) == (50, 15)
        both = one(0, 0) / 4 + one(3, 3) * 3 / 4
        assert explanation.centre(both) == pytest.approx((0.25 * 10 + 0.75 * 70, 0.25 * 5 + 0.75 * 35))

    @pytest.mark.parametrize("size", [32, 64, 68, 128])
    def test_places_are_what_positions_of_the_encoder_see(self, size: int) -> None:
        torch.manual_seed(0)
        encoder = SmallEncoder(size, 8)
        pixels = torch.rand(1, size, size, 3).requires_grad_()
        found = []
        middle = encoder.places.count // 2
        for layer in encoder.convolutions:
            torch.nn.init.ones_(layer.weight)  # or some paths would not count
        features = pixels.permute(0, 3, 1, 2)
        for layer in encoder.convolutions:
            features = layer(features)
        assert features.shape[2:] == (encoder.places.count, encoder.places.count)
        for position in (middle - 1, middle):
            (gradient,) = torch.autograd.grad(features[0, 0, position, position], pixels, retain_graph=True)
            rows = gradient[0].abs().sum(dim=(1, 2)).numpy()
            found.append(float((np.arange(size) + 0.5) @ rows / rows.sum()))
        assert found[0] == pytest.approx(encoder.places.first + encoder.places.step * (middle - 1), abs=0.6)
        assert found[1] - found[0] == pytest.approx(encoder.places.step, abs=0.6)


class TestSmoothed:
    def test_it_peaks_where_the_weight_is(self) -> None:
        explanation = made([], size=(800, 400))
        map_ = explanation.smoothed(one(1, 2), 80, 40)
        assert map_.shape == (40, 80)
        row, column = np.unravel_index(map_.argmax(), map_.shape)
        assert (abs(row + 0.5 - 15) < 1, abs(column + 0.5 - 50) < 1) == (True, True)
        assert 0.95 < map_.max() <= 1
        assert map_.min() >= 0
        assert map_[:, :10].max() < 1e-9  # two positions away there is nothing

    def test_even_attention_is_even(self) -> None:
        weights = np.full((4, 4), 1 / 16, np.float32)
        assert made([]).smoothed(weights, 30, 20) == pytest.approx(np.ones((20, 30)))

    def test_what_the_network_did_not_see_got_nothing(self) -> None:
        weights = np.full((4, 4), 1 / 16, np.float32)
        map_ = made([], how="crop").smoothed(weights, 80, 40)
        assert map_[:, 20:60] == pytest.approx(np.ones((40, 40)))
        assert (map_[:, :20] == 0).all()
        assert (map_[:, 60:] == 0).all()

    def test_attention_on_padding_is_not_in_the_picture(self) -> None:
        assert made([], size=(80, 20), how="pad").smoothed(one(0, 1), 80, 20).max() < 0.2


class TestWords:
    @pytest.mark.parametrize(
        ("pieces", "expected"),
        [
            ([" a", " man's", " dog", "."], ["a", "man's", "dog", "."]),
            ([" sto", "ol", " and", " .", ".."], ["stool", "and", ".", ".."]),
            (list("a b"), ["a", "b"]),
            (list("一只狗。"), ["一", "只", "狗", "。"]),
            ([], []),
        ],
    )
    def test_tokens_make_words(self, pieces: list[str], expected: list[str]) -> None:
        found = words_of([piece.encode() for piece in pieces], [-0.5] * len(pieces), None)
        assert [word.text for word in found] == expected

    def test_parts_of_a_character(self) -> None:
        data = "é 狗x".encode()
        found = words_of([bytes([byte]) for byte in data], [0.0] * len(data), None)
        assert [word.text for word in found] == ["é", "狗", "x"]
        assert [word.text for word in words_of([b"\xc3", b" x"], [0.0] * 2, None)] == ["\ufffd", "x"]

    def test_probabilities_are_multiplied_and_attention_averaged(self) -> None:
        weights = np.stack([one(0, 0), one(3, 3), one(1, 1)])
        stool, dog = words_of([b" sto", b"ol", b" dog"], np.log([0.5, 0.4, 0.3]).tolist(), weights)
        assert (stool.probability, dog.probability) == pytest.approx((0.2, 0.3))
        assert np.array_equal(stool.weights, (one(0, 0) + one(3, 3)) / 2)  # type: ignore[arg-type]
        assert np.array_equal(dog.weights, one(1, 1))  # type: ignore[arg-type]


def test_it_says_what_describing_says(model: Model, folder: Path) -> None:
    files = [folder / f"{number}.png" for number in range(3)]
    found = model.explain(files).explanations
    assert [each.captions[0].text for each in found] == model.describe(files)
    assert [each.size for each in found] == [(64, 64), (192, 64), (64, 64)]
    for each in found:
        best = each.captions[0]
        assert " ".join(word.text for word in each.words) == " ".join(re.findall(r"\w+|[^\w\s]", best.text))
        assert len(each.captions) > 1
        assert [other.score for other in each.captions] == sorted(
            (other.score for other in each.captions), reverse=True
        )
        assert best.weights is not None
        for number, word in enumerate(each.words):
            assert word.probability == pytest.approx(np.exp(best.log_probs[number]))
            assert np.array_equal(word.weights, best.weights[number])  # type: ignore[arg-type]
            assert word.weights.sum() == pytest.approx(1, abs=1e-5)  # type: ignore[union-attr]


def test_pictures_in_any_form(model: Model, folder: Path) -> None:
    file = folder / "0.png"
    texts = [
        model.explain(each).explanations[0].captions[0].text for each in (file, str(file), opened(file).convert("RGB"))
    ]
    assert len(set(texts)) == 1
    assert len(model.explain(file, beam_size=1).explanations[0].captions) == 1
    with pytest.raises(OptionError, match="give 1 to"):
        model.explain([])
    with pytest.raises(OptionError, match=f"{MOST_PICTURES + 1} pictures"):
        model.explain([file] * (MOST_PICTURES + 1))
    with pytest.raises(RecurraError, match="none of the 2 pictures"):
        model.explain([folder / "gone.png"] * 2)


def test_a_large_picture_is_kept_small(model: Model, tmp_path: Path) -> None:
    Image.new("RGB", (3000, 20), "red").save(tmp_path / "wide.png")
    found = model.explain(tmp_path / "wide.png").explanations[0]
    assert found.size == (3000, 20)
    assert found.picture.size == (480, 3)


def test_drawn_scenes_are_checked(model: Model) -> None:
    item = shapes(1, seed=9)[0]
    checked = model.explain(item).explanations[0].checked
    assert checked is not None
    assert checked.said == item.captions
    assert checked.true in (True, False, None)
    assert (checked.inside is None) == (checked.true is not True)


def opened(path: Path) -> Image.Image:
    """A picture, its file closed."""
    return Image.open(BytesIO(path.read_bytes()))


class Reader(HTMLParser):
    """The elements of a page and the text in them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [
            values for name, values in self.tags if name == tag and kind in ["", *(values.get("class") or "").split()]
        ]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


class TestPage:
    def test_it_holds_all_it_needs(self, model: Model, folder: Path, tmp_path: Path) -> None:
        found = model.explain([folder / "0.png", folder / "1.png", folder / "3.png"], tmp_path / "new" / "page.html")
        assert found.files == (tmp_path / "new" / "page.html", tmp_path / "new" / "page.png")
        text = found.files[0].read_text(encoding="utf-8")
        assert "{{" not in text
        assert "default-src 'none'" in text
        assert not re.search(r"""(src|href)=["'](?!data:)|url\((?!data:)""", text)
        assert not re.search("//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
        page = read(text)
        words = [word for each in found.explanations for word in each.words]
        assert len(page.named("button", "word")) == len(page.named("span", "thumb")) == len(words)
        assert len(page.named("section")) == 2
        assert [values["tabindex"] for values in page.named("button")].count("0") == 2
        assert "left out: 1" in page.text
        for each in found.explanations:
            assert all(other.text in page.text for other in each.captions)
        picture = opened(found.files[1])
        assert picture.format == "PNG"
        assert min(picture.size) > 300

    def test_pictures_and_veils_are_those_of_the_explanation(self) -> None:
        explanation = made([Word("x", 0.5, one(1, 2))], size=(80, 40))
        parts = page_parts("m", captions.Config(), Explained([explanation], []))
        assert "--ratio:2" in parts["pictures"]
        images = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", parts["pictures"])
        picture, veil = (Image.open(BytesIO(base64.b64decode(image))) for image in images)
        assert np.array_equal(np.asarray(picture), np.asarray(explanation.picture))
        assert veil.size == (48, 24)
        alpha = np.asarray(veil.convert("RGBA"))[..., 3]
        row, column = np.unravel_index(alpha.argmin(), alpha.shape)
        assert (row // 6, column // 12) == (1, 2)
        assert alpha.min() < 10
        assert alpha.max() == pytest.approx(0.88 * 255, abs=3)

    def test_what_was_read_never_becomes_markup(self) -> None:
        explanation = replace(made([Word(NASTY, 0.5, one(1, 2))]), source=NASTY, checked=Checked(True, 0.5, (NASTY,)))
        parts = page_parts(NASTY, captions.Config(), Explained([explanation], [NASTY]))
        page = read(fill("<p>{{model}} {{count}} {{about}}</p>{{left}}{{pictures}}", parts))
        assert [values for values in page.named("img") if "onerror" in values] == []
        assert len(page.named("img")) == 1
        assert not page.named("script")
        assert page.text.count(NASTY) == 7  # model, left out, heading, name, the scene's own, the word, the table
        assert page.named("div", "stage")[0]["aria-label"] == NASTY

    def test_a_name_of_controls_is_shown_as_such(self) -> None:
        explanation = replace(made([]), source="a\nb\u202ec.png")
        page = read(page_parts("m", captions.Config(), Explained([explanation], []))["pictures"])
        assert r"'a\nb\u202ec.png'" in page.text
        assert "(no words)" in page.text

    def test_a_long_caption_has_a_bounded_number_of_pictures(self) -> None:
        words = [Word("x", 0.5, one(1, 2))] * (MOST_MAPS + 3)
        page = read(page_parts("m", captions.Config(), Explained([made(words)], []))["pictures"])
        assert len(page.named("button")) == MOST_MAPS + 3
        assert len(page.named("img")) == MOST_MAPS

    def test_without_attention_captions_alone(self, scenes_file: Path, tiny_captions: Any, tmp_path: Path) -> None:
        model = captions.train(scenes_file, progress=False, attention="none", **tiny_captions)
        found = model.explain(shapes(1)[0], tmp_path / "page.html")
        page = read((tmp_path / "page.html").read_text(encoding="utf-8"))
        assert "no attention" in page.text
        assert page.named("button", "word")
        assert not page.named("img")
        assert (tmp_path / "page.png").is_file()
        assert set(told(found.explanations[0])["words"][0]) == {"text", "probability"}


def test_the_picture_has_the_first_ones_and_draws_any_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "MOST_PICTURED", 2)
    monkeypatch.setattr(figure, "MOST_PANELS", 9)

    def size(words: int, pictures: int) -> tuple[int, int]:
        explanation = made([Word("狗 $x_ ^", 0.001, one(1, 2))] * words)
        figure.draw([explanation] * pictures, tmp_path / "drawn.png")
        return opened(tmp_path / "drawn.png").size

    (wide, one_line), (_, two_lines) = size(7, 1), size(9, 1)
    assert size(7, 2) == size(7, 3)
    assert size(10, 1) == size(9, 1)
    assert size(7, 2)[1] > 1.7 * one_line
    assert two_lines > 1.3 * one_line
    assert wide > 5 * one_line


def test_panels_are_the_picture_with_its_veil() -> None:
    explanation = made([])
    pixels = figure.veiled(explanation, one(1, 2), figure.Size(80, 40))
    assert pixels.shape == (40, 80, 3)
    assert pixels[15, 50].min() > 245
    assert np.abs(pixels[35, 5] - (0.12 * 255 + 0.88 * np.array(figure.VEIL))).max() < 1


class TestCommand:
    def test_page_and_picture(self, recurra: Command, trained_captions: Path, folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "new" / "page.html"
        answer = recurra("captions", "explain", trained_captions, folder, "--out", out)
        assert answer.status == 0, answer
        *lines, blank, page, picture = answer.out.splitlines()
        assert (blank, page, picture) == ("", str(out), str(out.with_suffix(".png")))
        assert [line.split("\t")[0] for line in lines] == [str(folder / f"{number}.png") for number in range(3)]
        assert "3.png is cut off" in answer.err
        assert "1 of 4 pictures were left out" in answer.err
        assert out.is_file()
        assert out.with_suffix(".png").is_file()

    def test_json(self, recurra: Command, trained_captions: Path, folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "page.html"
        answer = recurra("captions", "explain", trained_captions, folder / "1.png", "--out", out, "--json")
        value = json.loads(answer.out)
        assert (value["count"], value["left_out"]) == (1, [])
        assert (value["path"], value["files"]) == (str(out), [str(out), str(tmp_path / "page.png")])
        (picture,) = value["pictures"]
        assert value["text"] == picture["text"] == picture["n_best"][0]["text"]
        assert (picture["width"], picture["height"]) == (192, 64)
        assert (picture["columns"][0], picture["columns"][-1]) == (0, 192)
        assert (picture["rows"][0], picture["rows"][-1]) == (0, 64)
        for word in picture["words"]:
            weights = np.array(word["weights"])
            assert weights.sum() == pytest.approx(1, abs=1e-3)
            assert weights.max() == pytest.approx(word["weight"], abs=1e-4)
            row, column = divmod(int(weights.argmax()), weights.shape[1])
            assert word["box"] == [
                *(picture["columns"][column], picture["rows"][row]),
                *(picture["columns"][column + 1], picture["rows"][row + 1]),
            ]
            assert 0 < word["centre"][0] < 192

    def test_the_sample_and_a_part_of_it(self, recurra: Command, trained_captions: Path, tmp_path: Path) -> None:
        command = ["captions", "explain", trained_captions, "sample:shapes", "--out", tmp_path / "page.html"]
        answer = recurra(*command, "--count", 2, "--json")
        value = json.loads(answer.out)
        assert "the first 2 of 500 pictures are shown" in answer.err
        assert [picture["path"] for picture in value["pictures"]] == ["shapes-00001.png", "shapes-00025.png"]
        assert {"true", "attention_inside"} <= set(value["pictures"][0])

    def test_refusals(self, refused: Command, trained_captions: Path, folder: Path, tmp_path: Path) -> None:
        command = ["captions", "explain", trained_captions]
        out = tmp_path / "p.html"
        assert ".html" in refused(*command, folder, "--out", tmp_path / "page.png", status=2)
        assert "name a picture" in refused(*command, "--out", out, status=2)
        assert "--count" in refused(*command, folder, "--out", out, "--count", MOST_PICTURES + 1, status=2)
        assert "there is no such file" in refused(*command, tmp_path / "gone.png", "--out", out)
        assert "is cut off" in refused(*command, folder / "3.png", "--out", out)
        assert "sample:shapes" in refused(*command, "sample:flowers", "--out", out)
        assert list(tmp_path.iterdir()) == []
