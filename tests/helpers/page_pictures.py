"""The pictures of the page in docs/serve.md, of models that `recurra demo` makes.

python tests/helpers/page_pictures.py demo/pydocs demo/chorales demo/dates --out docs/pictures
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from browser import executable
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from serving import running

from recurra import modelfolder
from recurra.serve.limits import Limits
from recurra.tasks.shared.serving import open_service

WIDTH, HEIGHT = 1000, 1350
"""Of the pictures, pixels; what is lower is cut off."""

COLOURS = 96
"""In each of them, so that they stay small."""


def text(page: Page) -> None:
    """A text, and what could have come instead of one of its tokens."""
    page.get_by_label("What the text begins with").fill("The function ")
    page.get_by_label("Length").fill("500")
    page.get_by_label("Seed").fill("3")
    page.get_by_role("button", name="Write").click()
    page.locator("#host > #status", has_text="Written").wait_for()
    page.locator(".token").nth(40).click()
    page.locator("#lines summary").click()


def music(page: Page) -> None:
    """A piece as a roll and a score."""
    page.get_by_label("Key").fill("G major")
    page.get_by_label("Seed").fill("4")
    page.get_by_role("button", name="Compose").click()
    page.locator("#score img").first.wait_for()
    page.locator("#score img").evaluate_all("images => Promise.all(images.map(image => image.decode()))")


def translation(page: Page) -> None:
    """A date, what the seventh character of it looked at, and the search."""
    page.get_by_label("What to translate").fill("Tuesday 3 March 1987")
    page.locator("#outputs button").nth(6).wait_for()
    page.locator("#outputs button").nth(6).focus()


def height_of(page: Page) -> int:
    """How high a page is, pixels."""
    return int(page.evaluate("document.documentElement.scrollHeight"))


ACTS: dict[str, Callable[[Page], None]] = {"text": text, "music": music, "translation": translation}
"""What is done in the panel of each task."""


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with running(open_service(given.models, "cpu", Limits())) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        for folder in given.models:
            task = modelfolder.read_config(folder)["task"]
            page = browser.new_page(viewport={"width": WIDTH, "height": 700})
            page.goto(f"{server.url}/#{folder.name}")
            ACTS[task](page)
            area = {"x": 0, "y": 0, "width": WIDTH, "height": min(HEIGHT, height_of(page))}
            shot = Image.open(BytesIO(page.screenshot(full_page=True, clip=area))).convert("RGB")
            shot.quantize(COLOURS, dither=Image.Dither.NONE).save(given.out / f"serve-{task}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
