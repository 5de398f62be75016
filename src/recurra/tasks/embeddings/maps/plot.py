"""Words drawn: a map of them, as a picture or as a page to be searched and zoomed, and analogies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from recurra.config import check_range
from recurra.errors import OptionError
from recurra.files import require_suffix, require_writable_parent
from recurra.progress import note
from recurra.tasks.embeddings.maps.page import write_page
from recurra.tasks.embeddings.maps.parallelogram import Parallelogram
from recurra.tasks.embeddings.maps.pictures import draw_analogy, draw_map
from recurra.tasks.embeddings.maps.word_map import FEWEST, MOST, Projection, choose, make_map

if TYPE_CHECKING:
    from recurra.tasks.embeddings.model import Model


def plot(
    model: Model,
    out: Path,
    *,
    words: Sequence[str] = (),
    count: int = 400,
    method: Projection = "t-sne",
    analogy: tuple[str, str, str, str] | None = None,
    seed: int = 1,
) -> tuple[Path, ...]:
    """Draw a map of words, or an analogy.

    Args:
        model: whose words.
        out: the file to write. A `.png` is a picture: of the analogy if one is given, else of the map. An `.html` is a
            page of the map, in which words are looked for and neighbours and analogies worked out; the picture, and
            that of the analogy, are put beside it.
        words: which to draw; the most frequent if none are given.
        count: how many of the most frequent, 3 to 5,000.
        method: how vectors become points: `t-sne` (van der Maaten and Hinton 2008) or `pca`.
        analogy: a, b, c, d, of which a is to b as c is to d; they are on the map of a page too.
        seed: of t-SNE and of the groups that words are coloured by.

    Returns:
        The files written.

    Raises:
        OptionError: if `out` has another ending, or an option an impossible value.
        RecurraError: if too few words are known, or writing fails.
    """
    out = Path(out)
    require_suffix(out, ".png", ".html")
    check_range("count", count, FEWEST, MOST)
    if len(words) > MOST:
        raise OptionError(f"`words` are {len(words):,}, but can be {MOST:,} at most")
    if method not in get_args(Projection):
        raise OptionError(f"`method` is {method}, but must be one of {', '.join(get_args(Projection))}")
    require_writable_parent(out)
    placed = Parallelogram.of(model.vectors, analogy) if analogy else None
    page = out.suffix.lower() == ".html"
    if placed and not page:
        draw_analogy(placed, out)
        return (out,)
    wanted = [*(words or model.vectors.words[:count]), *(placed.words if placed else ())]
    word_map = make_map(model.name, choose(model.vectors, wanted), method, seed)
    picture = out.with_suffix(".png") if page else out
    unnamed = draw_map(word_map, picture)
    if unnamed:
        note(f"{picture}: {unnamed}")
    if not page:
        return (picture,)
    write_page(out, word_map, placed.words[:3] if placed else ())
    if not placed:
        return (out, picture)
    draw_analogy(placed, out.with_name(f"{out.stem}-analogy.png"))
    return (out, picture, out.with_name(f"{out.stem}-analogy.png"))
