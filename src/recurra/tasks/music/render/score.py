"""A piece as an engraved score."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from recurra.errors import OptionError, RecurraError
from recurra.files import write_atomic, write_text_atomic
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.render.bars import bars_of
from recurra.tasks.music.render.keys import Key
from recurra.tasks.music.render.musicxml import musicxml
from recurra.tasks.music.render.staves import parts_of

SUFFIXES = (".svg", ".png")

PAGE = (3200, 4525)
"""Width and height of a page in verovio's units, in the proportion of A4; a staff is 72 high."""

SCALE = 40
"""Pixels of an SVG by a hundred of those units."""

ZOOM = 1.5
"""Pixels of a PNG by those of the SVG."""

MOST_STAVES = 40
"""On a page."""

MOST_BARS = 5000
"""Bars times staves of a score."""

_PLACED_SPAN = re.compile(r'<text( font-size="0px")>\s*<tspan[^>]*?((?: (?:x|y|text-anchor)="[^"]*")+)>')

_HINT = re.compile(r'<title class="labelAttr">[^<]*</title>')

_MUSIC_LETTERS = re.compile(r'<tspan font-family="Leipzig" font-size="(\d+)px">([^<]*)</tspan>')

_LETTERS = {"\ueca5": "\N{QUARTER NOTE}", "\ueca7": "\N{EIGHTH NOTE}", "\uecb7": "."}
"""What of the music font's letters occurs in a tempo mark, by Unicode."""


def engrave(piece: Piece, path: Path, key: Key | None = None) -> int:
    """Write a piece as a score, an image a page: `name.svg`, `name-2.svg` and so on, or PNG by the suffix.

    Args:
        piece: what to engrave.
        path: of the first page.
        key: of the signature; estimated if not given.

    Returns:
        The number of pages.

    Raises:
        OptionError: for another suffix.
        RecurraError: if a package is missing, the piece is too large for pages or a page cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path} does not name a score; end it in {' or '.join(SUFFIXES)}")
    _require("verovio", *(["resvg_py"] if suffix == ".png" else []))
    check_size(piece)
    pages = svg_pages(musicxml(piece, key))
    for number, page in enumerate(pages, 1):
        target = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        if suffix == ".svg":
            write_text_atomic(target, page)
        else:
            write_atomic(target, _writer(png(page)))
    return len(pages)


def svg_pages(score: str) -> list[str]:
    """The pages of a score given as MusicXML, each an SVG that needs no other file.

    Raises:
        RecurraError: if verovio cannot read it.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    # Where its fonts are it knows in the thread only that has imported it.
    verovio.setDefaultResourcePath(str(resources.files("verovio") / "data"))
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": PAGE[0],
            "pageHeight": PAGE[1],
            "scale": SCALE,
            "adjustPageHeight": True,
            "footer": "none",
            "xmlIdSeed": 1,
        }
    )
    if not toolkit.loadData(score):
        raise RecurraError("verovio cannot read the score; please report this piece")
    return [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]


def png(svg: str) -> bytes:
    """An SVG of verovio's as PNG on white, with fonts that come with matplotlib, for the machine may have none."""
    import matplotlib
    import resvg_py

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = [str(path) for path in sorted(fonts.glob("DejaVuS*.ttf"))]
    return resvg_py.svg_to_bytes(
        svg_string=_plain(svg), background="white", zoom=ZOOM, font_files=files,
        serif_family="DejaVu Serif", sans_serif_family="DejaVu Sans",
    )  # fmt: skip


def _plain(svg: str) -> str:
    """What resvg does not know put in simpler words: places of inner text, notes in an embedded font."""
    svg = _PLACED_SPAN.sub(r"<text\2\1><tspan>", _HINT.sub("", svg))
    return _MUSIC_LETTERS.sub(lambda found: _letters(int(found[1]), found[2]), svg)


def _letters(size: int, glyphs: str) -> str:
    known = "".join(_LETTERS.get(glyph, "") for glyph in glyphs)
    return f'<tspan font-family="DejaVu Sans" font-weight="normal" font-size="{size * 3 // 4}px">{known}</tspan>'


def _writer(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _require(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise RecurraError("a score needs one more package: pip install 'recurra[music]'")


def check_size(piece: Piece) -> None:
    """Refuse a piece that is too large for pages.

    Raises:
        RecurraError: if it is.
    """
    staves = sum(len(part.staves) for part in parts_of(piece))
    if staves > MOST_STAVES:
        raise RecurraError(
            f"{piece.name} needs {staves} staves, more than the {MOST_STAVES} a page holds; leave out some tracks"
        )
    bars = len(bars_of(piece))
    if bars * staves > MOST_BARS:
        raise RecurraError(
            f"{piece.name} has {bars} bars for {staves} staves, too much for a score; shorten it or leave out tracks"
        )
