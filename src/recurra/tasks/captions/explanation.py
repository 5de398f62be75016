"""What a model says of pictures and where it looked at each word: for a page, a picture and other programs.

A word is what Unicode calls one; in scripts that put no spaces between words each token stands alone. Where a word is
of several tokens its probability is the product of theirs, and its attention the mean of theirs: so that of every word
adds up to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import regex

from recurra.arrays import DoubleArray, FloatArray
from recurra.config import required
from recurra.data.words import find_words
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError, RecurraError
from recurra.explain.attention_map import shown
from recurra.progress import in_groups, note
from recurra.tasks.captions.accuracy import attention_inside
from recurra.tasks.captions.collections import Captioned
from recurra.tasks.captions.image_encoder import Places
from recurra.tasks.captions.pictures import How, open_picture
from recurra.tasks.captions.shapes import scene_of
from recurra.tasks.captions.truth import is_true

if TYPE_CHECKING:
    from PIL import Image

    from recurra.tasks.captions.model import Caption, Model

MOST_PICTURES = 200
"""So many pictures are explained at once."""

ALTERNATIVES = 5
"""Captions that are shown of each, the best first."""

SHOWN = 480
"""Longest side of a picture as it is shown, pixels."""

_GROUP = 32

_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_GRAPHEME = regex.compile(r" ?\X")


class Box(NamedTuple):
    """A rectangle in a picture, pixels from its left and upper edge."""

    left: float
    top: float
    right: float
    bottom: float


class Word(NamedTuple):
    """A word of a caption.

    Attributes:
        text: without the space before it.
        probability: given the picture and the words before.
        weights: what it attended to, `(height, width)` of the grid, adding up to 1; None without attention.
    """

    text: str
    probability: float
    weights: FloatArray | None


class Checked(NamedTuple):
    """What a drawn scene says of its caption.

    Attributes:
        true: whether it is; None if the checker does not understand it.
        inside: the share of attention that lay inside the things named, the mean of all phrases; None if it is not
            true, or there is no attention.
        said: the scene's own captions.
    """

    true: bool | None
    inside: float | None
    said: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """A picture, what is said of it, and where the model looked.

    Attributes:
        source: what a person would call the picture.
        size: of the picture, width and height in pixels.
        picture: upright, its longer side at most `SHOWN` pixels.
        captions: the best ones, the best first.
        words: of the best caption.
        area: what the network saw of the picture; padding lies outside.
        places: where the positions of the grid are in the square that the network saw.
        checked: of drawn scenes; None of other pictures.
    """

    source: str
    size: tuple[int, int]
    picture: Image.Image
    captions: Sequence[Caption]
    words: Sequence[Word]
    area: Box
    places: Places
    checked: Checked | None = None

    @cached_property
    def attends(self) -> bool:
        """Whether it is known where the model looked."""
        return self.captions[0].weights is not None

    @cached_property
    def edges(self) -> tuple[DoubleArray, DoubleArray]:
        """Where positions of the grid begin and end in the picture, from the left and from the top, pixels."""
        return self._in_picture(self.places.edges)

    def _in_picture(self, pixels: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Pixels of the square that the network saw, in the picture's own, from the left and from the top."""
        shares, (left, top, right, bottom) = pixels / self.places.size, self.area
        return left + shares * (right - left), top + shares * (bottom - top)

    def strongest(self, weights: FloatArray) -> Box:
        """The position that got most attention, as far as it lies in the picture."""
        row, column = divmod(int(weights.argmax()), weights.shape[1])
        across, down = (np.clip(edges, 0, side) for edges, side in zip(self.edges, self.size, strict=True))
        return Box(float(across[column]), float(down[row]), float(across[column + 1]), float(down[row + 1]))

    def centre(self, weights: FloatArray) -> tuple[float, float]:
        """The mean of all positions' middles by their attention, pixels from the left and from the top."""
        across, down = ((edges[:-1] + edges[1:]) / 2 for edges in self.edges)
        share = weights / weights.sum()
        return float(share.sum(axis=0) @ across), float(share.sum(axis=1) @ down)

    def smoothed(self, weights: FloatArray, width: int, height: int) -> DoubleArray:
        """Attention over the whole picture, `(height, width)`, the largest 1: for showing only.

        Cubic B-splines between what positions are the middle of; 0 where the network did not see the picture.
        """
        (wide, high), (left, top, right, bottom) = self.size, self.area
        across: DoubleArray = ((np.arange(width) + 0.5) / width * wide - left) / (right - left)
        down: DoubleArray = ((np.arange(height) + 0.5) / height * high - top) / (bottom - top)
        own = self._spline(self.places.middles)
        largest = max(float((own @ weights @ own.T).max()), 1e-30)
        size = self.places.size
        clipped: DoubleArray = np.clip(
            self._spline(down * size) @ weights @ self._spline(across * size).T / largest, 0, 1
        )
        return clipped

    def _spline(self, pixels: DoubleArray) -> DoubleArray:
        """How much each position in a row counts at pixels of the square, `(pixels, count)`; none does outside."""
        count = self.places.count
        at = (pixels - self.places.first) / self.places.step
        before = np.floor(at)
        t = at - before
        parts = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
        matrix = np.zeros((len(pixels), count))
        for offset in range(4):
            index = np.clip(before + offset - 1, 0, count - 1).astype(np.int64)
            matrix[np.arange(len(pixels)), index] += parts[:, offset]
        matrix[(pixels < 0) | (pixels > self.places.size)] = 0.0
        return matrix


@dataclass(frozen=True)
class Explained:
    """Several pictures, explained.

    Attributes:
        explanations: of each that could be read.
        left_out: a sentence on each that could not.
        files: the page and the picture, if they were to be written.
    """

    explanations: Sequence[Explanation]
    left_out: Sequence[str]
    files: tuple[Path, ...] = ()


def area(width: int, height: int, side: int, how: How) -> Box:
    """What a network's square covers of a picture: where `pictures.fit` takes its pixels from.

    Args:
        width: of the picture, pixels.
        height: likewise.
        side: of the square.
        how: the picture was brought to it. Padding lies outside the picture.
    """
    if how == "crop":
        cut = min(width, height)
        left, top = (width - cut) / 2, (height - cut) / 2
        return Box(left, top, left + cut, top + cut)
    if how == "pad":
        share = side / max(width, height)
        across, down = max(1, round(share * width)), max(1, round(share * height))
        left, top = -((side - across) // 2) * width / across, -((side - down) // 2) * height / down
        return Box(left, top, left + side * width / across, top + side * height / down)
    return Box(0.0, 0.0, float(width), float(height))


def words_of(pieces: Sequence[bytes], log_probs: Sequence[float], weights: FloatArray | None) -> list[Word]:
    """The words that tokens make; see this module's beginning.

    Args:
        pieces: the bytes of each token.
        log_probs: of each, nats.
        weights: of each, `(tokens, height, width)`; None without attention.
    """
    text = b"".join(pieces).decode("utf-8", "surrogateescape")
    parts = [
        part for word in find_words(text) for part in (_GRAPHEME.findall(word) if _UNSPACED.search(word) else [word])
    ]
    ends = set(accumulate(len(part.encode("utf-8", "surrogateescape")) for part in parts))
    words, first = [], 0
    for last, end in enumerate(accumulate(map(len, pieces)), 1):
        if end in ends:
            written = b"".join(pieces[first:last]).decode("utf-8", "replace")
            looked = None if weights is None else weights[first:last].mean(axis=0)
            words.append(Word(written.strip() or shown(written), exp(sum(log_probs[first:last])), looked))
            first = last
    return words


def as_captioned(picture: str | Path | Image.Image | Captioned) -> Captioned:
    """A picture in any form with a name, to be opened when it is its turn."""
    if isinstance(picture, Captioned):
        return picture
    if isinstance(picture, str | Path):
        return Captioned(str(picture), (), None, partial(open_picture, Path(picture), str(picture)))
    return Captioned("the picture", (), None, lambda: picture)


def explain(model: Model, items: Sequence[Captioned], search: BeamSearch) -> Explained:
    """Describe pictures, and keep where the model looked.

    Args:
        model: whose words.
        items: at most `MOST_PICTURES`.
        search: how to search; at least `ALTERNATIVES` captions are asked for, where the beam is as wide.

    Raises:
        OptionError: if there are no pictures, or too many.
        RecurraError: if none can be read.
    """
    if not 0 < len(items) <= MOST_PICTURES:
        raise OptionError(f"{len(items):,} pictures are to be explained; give 1 to {MOST_PICTURES}")
    search = replace(search, n_best=max(search.n_best, min(ALTERNATIVES, search.beam_size)))
    found: list[Explanation] = []
    left_out: list[str] = []
    for group in in_groups(items, _GROUP, "explaining"):
        readable, pictures, pixels = [], [], []
        for item in group:
            try:
                picture = item.open()
                pixels.append(model.pixels(picture))
            except RecurraError as error:
                if len(items) == 1:
                    raise
                note(f"left out: {error}")
                left_out.append(str(error))
                continue
            readable.append(item)
            pictures.append((picture.size, _small(picture)))
        for item, (size, picture), captions in zip(readable, pictures, model.captions(pixels, search), strict=True):
            found.append(_explanation(model, item, size, picture, captions))
    if not found:
        raise RecurraError(f"none of the {len(items):,} pictures can be read; give others")
    return Explained(found, left_out)


def _small(picture: Image.Image) -> Image.Image:
    """A copy that is no larger than what is shown."""
    copy = picture.copy()
    copy.thumbnail((SHOWN, SHOWN))
    return copy


def _explanation(
    model: Model, item: Captioned, size: tuple[int, int], picture: Image.Image, captions: Sequence[Caption]
) -> Explanation:
    best = captions[0]
    pieces = [model.vocabulary.tokenizer.piece(token) for token in best.tokens]
    looked = None if best.weights is None else best.weights[: len(pieces)]
    return Explanation(
        source=item.name,
        size=size,
        picture=picture,
        captions=captions,
        words=words_of(pieces, best.log_probs[: len(pieces)], looked),
        area=area(*size, required(model.config.image_size, "image_size"), model.config.fit),
        places=model.network.places,
        checked=_checked(model, item, best),
    )


def _checked(model: Model, item: Captioned, caption: Caption) -> Checked | None:
    scene = scene_of(item)
    if scene is None:
        return None
    places = model.network.places
    inside = [] if caption.weights is None else attention_inside(scene, caption.text, caption.weights, places)
    return Checked(is_true(caption.text, scene), float(np.mean(inside)) if inside else None, item.captions)


def told(explanation: Explanation) -> dict[str, Any]:
    """All that is known of a picture as JSON values."""
    best = explanation.captions[0]
    values = {
        "path": explanation.source,
        "width": explanation.size[0],
        "height": explanation.size[1],
        "text": best.text,
        "finished": best.finished,
        "log_prob": round(best.log_prob, 6),
        "words": [_told_word(explanation, word) for word in explanation.words],
        "n_best": [
            {"text": each.text, "finished": each.finished, "score": each.score, "log_prob": round(each.log_prob, 6)}
            for each in explanation.captions
        ],
    }
    if explanation.attends:
        values |= {name: _rounded(edges) for name, edges in zip(("columns", "rows"), explanation.edges, strict=True)}
    if explanation.checked is not None:
        values |= {"true": explanation.checked.true, "attention_inside": explanation.checked.inside}
    return values


def _told_word(explanation: Explanation, word: Word) -> dict[str, Any]:
    values: dict[str, Any] = {"text": word.text, "probability": round(word.probability, 6)}
    if word.weights is None:
        return values
    return values | {
        "centre": _rounded(explanation.centre(word.weights)),
        "box": _rounded(explanation.strongest(word.weights)),
        "weight": round(float(word.weights.max()), 6),
        "weights": [[round(float(value), 5) for value in row] for row in word.weights],
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 2) for value in values]
