"""The page in a browser: every panel is opened and used, and what it shows is what the model itself says.

Each page that is visited must ask no other host for anything and have nothing to complain of, which a breach of its
content security policy would be: see `browser`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from browser import PHONE, scrolls_sideways
from serving import Running
from singing import SUNG_RATE, sung

import recurra
from recurra.decoding.beam_search import BeamSearch
from recurra.tasks.captions.shapes import shapes
from recurra.tasks.music.composer import Composer
from recurra.tasks.music.io.midi import midi_bytes, read_midi
from recurra.tasks.text.writing import Writer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[[Path], "Page"]


@pytest.fixture
def panel(served: Running, visit: Callable[..., Page]) -> Open:
    """Open the panel of a model."""

    def opened(folder: Path) -> Page:
        page = visit(f"{served.url}/#{folder.name}")
        page.locator("#host form").first.wait_for()
        return page

    return opened


def told(page: Page, beginning: str) -> str:
    """What the status says, as soon as it begins so."""
    status = page.locator("#host > #status").filter(has_text=re.compile(f"^{beginning}"))
    status.wait_for()
    return str(status.text_content())


def python_says(page: Page, where: Path, *needed: Path) -> str:
    """What the Python lines print, run in a new folder with the model and the file."""
    where.mkdir()
    for path in needed:
        (where / path.name).symlink_to(path)
    out, before = io.StringIO(), Path.cwd()
    os.chdir(where)
    try:
        with contextlib.redirect_stdout(out):
            exec(str(page.locator("#python").text_content()), {})
    finally:
        os.chdir(before)
    return out.getvalue().removesuffix("\n")


def curl_says(page: Page, where: Path) -> Any:
    """What the curl line prints."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    line = str(page.locator("#curl").text_content()).replace("curl ", "curl --silent --noproxy '*' ", 1)
    return json.loads(subprocess.run(line, shell=True, cwd=where, capture_output=True, check=True).stdout)


def fits_phones(page: Page) -> bool:
    """Whether a page that shows an answer is no wider than a phone."""
    page.set_viewport_size(PHONE)
    return not scrolls_sideways(page)


WITHOUT_SIGNS = """box => {
  const copy = box.cloneNode(true);
  copy.querySelectorAll("i").forEach(sign => sign.remove());
  return copy.textContent;
}"""


class TestText:
    @staticmethod
    def write(page: Page, prompt: str, length: int) -> None:
        page.get_by_label("What the text begins with").fill(prompt)
        page.get_by_label("Length").fill(str(length))
        page.get_by_label("Seed").fill("5")
        page.keyboard.press("Enter")

    @staticmethod
    def written(page: Page) -> str:
        """The text, without the signs for line ends."""
        return str(page.locator(".written").evaluate(WITHOUT_SIGNS))

    def test_it_writes_what_the_model_writes(self, panel: Open, trained_folder: Path, tmp_path: Path) -> None:
        page = panel(trained_folder)
        self.write(page, "the cat, ", 80)
        assert told(page, "Written: ").startswith("Written: 80 tokens")
        expected = Writer.load(trained_folder).write("the cat, ", length=80, seed=5)
        assert self.written(page) == expected
        assert python_says(page, tmp_path / "here", trained_folder) == expected
        assert "the cat, " + curl_says(page, tmp_path)["choices"][0]["text"] == expected
        assert fits_phones(page)

    def test_each_token_tells_what_else_could_have_come(self, panel: Open, trained_folder: Path) -> None:
        page = panel(trained_folder)
        self.write(page, "the cat, ", 40)
        told(page, "Written")
        page.locator(".token").first.focus()
        page.keyboard.press("ArrowRight")
        first = str(page.locator(".token").first.text_content())
        expected = Writer.load(trained_folder).candidates("the cat, " + first, 8)
        shown = page.locator(".instead li")
        shown.nth(7).wait_for()
        assert [row.replace("␣", " ")[0] for row in shown.all_text_contents()] == [each.text for each in expected]
        assert f"{100 * exp(expected[0].log_prob):.1f} %" in str(shown.first.text_content())

    def test_another_token_is_gone_on_with(self, panel: Open, trained_folder: Path) -> None:
        page = panel(trained_folder)
        self.write(page, "the cat, ", 20)
        told(page, "Written")
        begun = self.written(page)[: len("the cat, ") + 2]
        page.locator(".token").nth(2).click()
        other = page.locator(".instead li").nth(3)
        begun += str(other.text_content())[0].replace("␣", " ").replace("↵", "\n")
        other.get_by_role("button").click()
        page.locator(".written .prompt").get_by_text(begun).wait_for()
        told(page, "Written")
        assert self.written(page).startswith(begun)

    def test_stop_stops(self, panel: Open, trained_folder: Path, served: Running) -> None:
        page = panel(trained_folder)
        self.write(page, "", 20_000)
        page.locator(".token").nth(3).wait_for()
        page.get_by_role("button", name="Stop").click()
        count = int(re.findall(r"[\d,]+", told(page, "Stopped"))[0].replace(",", ""))
        assert 3 < count < 20_000
        assert page.locator(".token").count() == count
        assert served.client.post("/v1/completions", json={"max_tokens": 1}).status_code == 200

    def test_what_is_refused_is_not_said_to_be_under_way(
        self, served: Running, chromium: Browser, trained_folder: Path
    ) -> None:
        page = chromium.new_page()
        page.goto(f"{served.url}/#{trained_folder.name}")
        page.get_by_label("Seed").fill("9007199254740993")  # which JavaScript would round
        assert page.get_by_label("Seed").evaluate("field => field.validity.rangeOverflow")
        page.locator("form.ask").evaluate("form => { form.noValidate = true; }")
        page.get_by_label("Seed").fill("1e300")
        page.get_by_role("button", name="Write").click()
        page.get_by_role("alert").wait_for()
        assert page.locator("#host > #status").text_content() == ""
        page.close()


class TestMusic:
    def test_it_composes_what_the_model_composes(self, panel: Open, trained_music: Path, tmp_path: Path) -> None:
        page = panel(trained_music)
        for label, value in (("Bars", "2"), ("Key", "C major"), ("Seed", "3")):
            page.get_by_label(label).fill(value)
        page.keyboard.press("Enter")
        piece = Composer.load(trained_music).compose(bars=2, key="C major", seed=3, name="band, seed 3")
        assert f": {len(piece.notes)} notes in 2 bars, seed 3." in told(page, "Composed")
        drawn = page.locator("#roll .note").evaluate_all("notes => new Set(notes.map(note => note.dataset.note)).size")
        assert drawn == len(piece.notes)
        with page.expect_download() as download:
            page.get_by_role("link", name="MIDI file").click()
        assert download.value.path().read_bytes() == midi_bytes(piece)
        assert page.locator("#score img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
        assert "training piece" in str(page.locator("#copy").text_content())
        python_says(page, tmp_path / "here", trained_music)
        assert read_midi(tmp_path / "here" / "piece.mid").notes == read_midi(download.value.path()).notes
        assert curl_says(page, tmp_path)["seed"] == 3
        assert fits_phones(page)

    def test_it_plays(self, panel: Open, trained_music: Path) -> None:
        page = panel(trained_music)
        page.get_by_label("Bars").fill("2")
        page.keyboard.press("Enter")
        told(page, "Composed")
        page.get_by_role("button", name="Play").click()
        page.locator("#roll .sounding").first.wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Play").wait_for()
        assert page.locator("#roll .sounding").count() == 0


class TestTranslation:
    def test_it_translates_as_one_types(self, panel: Open, trained_translation: Path, tmp_path: Path) -> None:
        page, model = panel(trained_translation), recurra.load(trained_translation, task="translation")
        page.get_by_label("What to translate").press_sequentially("badec")
        expected = model.translate("badec", beam_size=5)
        assert told(page, f"Translation: {expected}$")
        assert page.locator("#translation").text_content() == expected
        assert page.locator(".map:not([hidden]) .look").count() >= len(expected)
        assert page.locator(".node.finished").count() > 0
        listed = page.locator("#rows .text").all_text_contents()
        (found,) = model.search(["badec"], BeamSearch(n_best=5))
        assert listed[: len(found.hypotheses)] == [model.text_of(each, "badec") for each in found.hypotheses]
        assert python_says(page, tmp_path / "here", trained_translation) == expected
        assert curl_says(page, tmp_path)["text"] == expected
        assert fits_phones(page)

    def test_the_slider_sets_the_beam(self, panel: Open, trained_translation: Path) -> None:
        page = panel(trained_translation)
        page.get_by_label("What to translate").fill("badec")
        told(page, "Translation")
        given = page.locator("#rows tr", has_text="given")
        assert given.count() == 5
        page.get_by_label("Beam size").focus()
        page.keyboard.press("Home")
        given.nth(1).wait_for(state="detached")
        assert given.count() == 1

    def test_a_token_tells_what_it_looked_at(self, panel: Open, trained_translation: Path) -> None:
        page = panel(trained_translation)
        page.get_by_label("What to translate").fill("badec")
        told(page, "Translation")
        page.locator("#outputs button").first.focus()
        page.keyboard.press("ArrowRight")
        second = page.locator("#output-0 button").nth(1)
        assert second.evaluate("token => token.getRootNode().activeElement === token")
        assert re.match(r"“.”: log p .*; looked at “.” 0\.\d+", str(page.locator("#looked").text_content()))


class TestEmbeddings:
    def test_neighbours_and_analogies_are_the_models(self, panel: Open, royal_vectors: Path, tmp_path: Path) -> None:
        page, model = panel(royal_vectors), recurra.load(royal_vectors, task="embeddings")
        page.get_by_label("Word", exact=True).first.fill("king")
        page.keyboard.press("Enter")
        told(page, "Nearest to “king”")
        expected = model.similar("king")
        shown = page.locator("#neighbours-found li").all_text_contents()
        assert shown == [f"{word}{similarity:.3f}".replace("-", "−") for word, similarity in expected]
        assert python_says(page, tmp_path / "here", royal_vectors) == str(expected)
        for name, word in zip("abc", ("man", "king", "woman"), strict=True):
            page.locator(f"#solve [name={name}]").fill(word)
        page.keyboard.press("Enter")
        assert told(page, "“man”").endswith(f"“{model.analogy('man', 'king', 'woman')[0].word}”")
        assert curl_says(page, tmp_path)["text"] == "queen"
        assert fits_phones(page)

    def test_a_word_of_the_map_shows_its_neighbours(self, panel: Open, royal_vectors: Path) -> None:
        page = panel(royal_vectors)
        page.locator("#map-about", has_text="most frequent words").wait_for()
        page.locator("#search").fill("quee")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        told(page, "Nearest to “queen”")
        page.locator("#map").focus()
        page.keyboard.press("Enter")
        told(page, "Nearest to “")


class TestSentiment:
    def test_words_are_marked_as_one_types(self, panel: Open, trained_sentiment: Path, tmp_path: Path) -> None:
        page, model = panel(trained_sentiment), recurra.load(trained_sentiment, task="sentiment")
        text = "The film number 3 was not good."
        page.get_by_label("Text").press_sequentially(text)
        expected = model.classify(text)
        page.locator(".words .word").nth(6).wait_for()
        page.locator("#host > #status", has_text=f"{expected.label}, ").wait_for()
        assert page.locator("#head-0").text_content() is not None
        assert expected.label in str(page.locator("#head-0").text_content())
        (explanation,) = model.explain(text).explanations
        assert page.locator(".words .word").all_text_contents() == list(explanation.saliency.words)
        page.locator(".words .word").first.focus()
        page.keyboard.press("End")
        assert str(page.locator(".told").text_content()).startswith(f"“{explanation.saliency.words[-1]}”")
        assert page.locator(".curve").count() == 1
        assert python_says(page, tmp_path / "here", trained_sentiment) == str(expected)
        assert curl_says(page, tmp_path)["label"] == expected.label
        assert fits_phones(page)


class TestCaptions:
    def test_a_picture_is_described(self, panel: Open, trained_captions: Path, tmp_path: Path) -> None:
        page, model = panel(trained_captions), recurra.load(trained_captions, task="captions")
        picture = tmp_path / "scene.png"
        shapes(1)[0].open().save(picture)
        page.locator("input[type=file]").set_input_files(picture)
        expected = model.describe(picture)
        assert told(page, "Caption: ") == f"Caption: {expected}"
        words = page.locator(".word")
        assert words.locator("b").all_text_contents() == expected.split()
        words.first.focus()
        page.keyboard.press("ArrowRight")
        assert page.locator(".stage img").get_attribute("src") == words.nth(1).locator("img").get_attribute("src")
        assert python_says(page, tmp_path / "here", trained_captions, picture) == expected
        assert curl_says(page, tmp_path)["text"] == expected
        assert fits_phones(page)


class TestSpeech:
    def test_a_recording_is_written_down(self, panel: Open, trained_speech: Path, tmp_path: Path) -> None:
        page, model = panel(trained_speech), recurra.load(trained_speech, task="speech")
        recording = tmp_path / "a song.wav"
        soundfile.write(recording, sung("bade"), SUNG_RATE)
        page.locator("input[type=file]").set_input_files(recording)
        expected = model.transcribe(recording)
        assert told(page, "Transcript: ") == f"Transcript: {expected.text}"
        page.get_by_text("Every word with its times").click()
        row = page.locator("details tbody tr").first.locator("td").all_text_contents()
        word = expected.words[0]
        assert row[:3] == [word.text, f"{word.start:.2f} s", f"{word.end:.2f} s"]
        assert page.locator("svg image").count() == 1
        assert expected.text in python_says(page, tmp_path / "here", trained_speech, recording)
        assert curl_says(page, tmp_path)["text"] == expected.text
        assert fits_phones(page)

    def test_the_microphone_is_written_down(self, panel: Open, trained_speech: Path) -> None:
        page = panel(trained_speech)
        page.evaluate(FAKE_MICROPHONE)
        page.get_by_role("button", name="Record", exact=True).click()
        told(page, "Recording: 1 s")
        page.get_by_role("button", name="Stop and transcribe").click()
        told(page, "(Transcript: |Nothing was heard)")
        assert page.locator("audio").evaluate("sound => sound.duration") > 0.8


FAKE_MICROPHONE = """navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext(), out = context.createMediaStreamDestination(), tone = context.createOscillator();
  tone.connect(out);
  tone.start();
  return out.stream;
}"""


class TestShell:
    def test_models_are_tabs_that_keys_choose(
        self, panel: Open, trained_folder: Path, trained_music: Path, trained_speech: Path
    ) -> None:
        page = panel(trained_folder)
        tabs = page.get_by_role("tab")
        assert tabs.count() == 7
        tabs.first.focus()
        for key, folder in (("ArrowRight", trained_music), ("End", trained_speech), ("Home", trained_folder)):
            page.keyboard.press(key)
            page.locator("h1", has_text=folder.name).wait_for()
            assert page.get_by_role("tab", selected=True).get_attribute("data-model") == folder.name
            page.locator("#host form").wait_for()
            assert page.url.endswith(f"#{folder.name}")

    def test_the_card_is_the_models(self, panel: Open, trained_folder: Path) -> None:
        page = panel(trained_folder)
        page.get_by_text("Model card").click()
        assert page.locator("#text").text_content() == (trained_folder / "README.md").read_text(encoding="utf-8")

    def test_a_refusal_is_told_in_its_sentence(self, served: Running, chromium: Browser, royal_vectors: Path) -> None:
        """In a page of its own: a browser puts an answer that is an error on its console by itself."""
        page = chromium.new_page()
        page.goto(f"{served.url}/#{royal_vectors.name}")
        page.get_by_label("Word", exact=True).first.fill("quark")
        page.keyboard.press("Enter")
        alert = page.get_by_role("alert")
        alert.wait_for()
        asked = served.client.post("/v1/embeddings/similar", json={"words": "quark", "model": royal_vectors.name})
        assert alert.text_content() == asked.json()["error"]["message"]
        page.close()

    def test_an_address_that_names_no_model_shows_the_first(self, served: Running, visit: Callable[..., Page]) -> None:
        page = visit(f"{served.url}/#100%")
        page.locator("#host form").first.wait_for()
        assert page.get_by_role("tab", selected=True).get_attribute("data-model") == next(iter(served.service.models))
