"""Pages in a browser: those of `explain` and `plot` open without complaint, and their scripts do what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile
from browser import PHONE, scrolls_sideways
from singing import SUNG_RATE, sung
from vectoring import royal

import recurra
from recurra.tasks.captions.shapes import shapes
from recurra.tasks.embeddings.maps.plot import plot

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


def test_translation(visit: Visit, trained_translation: Path, tmp_path: Path) -> None:
    recurra.load(trained_translation, task="translation").explain("badec", tmp_path / "page.html")
    page = visit(tmp_path / "page.html", viewport=PHONE)
    second = page.locator("#rows button").nth(1)
    second.click()
    assert page.locator("#translation").text_content() == second.text_content()
    assert page.locator("#map-1").is_visible()
    assert not scrolls_sideways(page)


def test_sentiment(visit: Visit, trained_sentiment: Path, tmp_path: Path) -> None:
    recurra.load(trained_sentiment, task="sentiment").explain("The film was not good.", tmp_path / "page.html")
    page = visit(tmp_path / "page.html", viewport=PHONE)
    page.locator(".words .word").first.focus()
    page.keyboard.press("ArrowRight")
    assert str(page.locator(".told").text_content()).startswith("“film”")
    assert not scrolls_sideways(page)


def test_captions(visit: Visit, trained_captions: Path, tmp_path: Path) -> None:
    recurra.load(trained_captions, task="captions").explain(shapes(1)[0], tmp_path / "page.html")
    page = visit(tmp_path / "page.html", viewport=PHONE)
    page.locator(".word").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".word").nth(1).get_attribute("aria-pressed") == "true"
    assert page.locator(".stage img").count() == 1
    assert not scrolls_sideways(page)


def test_speech(visit: Visit, trained_speech: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", sung("bade"), SUNG_RATE)
    recurra.load(trained_speech, task="speech").explain(tmp_path / "song.wav", tmp_path / "page.html")
    page = visit(tmp_path / "page.html", viewport=PHONE)
    page.locator(".word").first.click()
    assert "% sure" in str(page.locator(".told").text_content())
    assert not scrolls_sideways(page)


def test_map_of_words(visit: Visit, tmp_path: Path) -> None:
    plot(royal(), tmp_path / "map.html", method="pca")
    page = visit(tmp_path / "map.html", viewport=PHONE)
    page.locator("#search").fill("que")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#word").text_content() == "Neighbours of “queen”"
    assert page.locator("#neighbours button").first.is_visible()
    for name, word in zip("abc", ("man", "king", "woman"), strict=True):
        page.locator(f"#{name}").fill(word)
    page.get_by_role("button", name="what?").click()
    assert str(page.locator("#answers li").first.text_content()).startswith("queen")
    assert not scrolls_sideways(page)


def test_text(visit: Visit, trained_folder: Path, corpus_file: Path, tmp_path: Path) -> None:
    recurra.load(trained_folder, task="text").explain(corpus_file, tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    page.locator("#surprisal span").nth(3).hover()
    assert "bits, probability" in str(page.locator("#tip").text_content())


def test_music(visit: Visit, trained_music: Path, music_folder: Path, tmp_path: Path) -> None:
    recurra.load(trained_music, task="music").explain(music_folder / "tune-0.mid", tmp_path / "page.html")
    page = visit(tmp_path / "page.html")
    page.locator("#surprisal .note").first.hover()
    assert "bar 1" in str(page.locator("#tip").text_content())
    assert page.locator("#surprisal .cell").count() > 0
    assert "fill" in str(page.locator("#surprisal .note").first.get_attribute("style"))
