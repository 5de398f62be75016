"""How word embeddings are served: vectors as OpenAI's clients ask for them, neighbours, analogies, maps."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from recurra.arrays import FloatArray
from recurra.config import Range
from recurra.errors import RecurraError
from recurra.serve.contract import Endpoint, Json, Part
from recurra.serve.errors import FieldError
from recurra.serve.fields import Request
from recurra.tasks.embeddings.maps.page import page_data
from recurra.tasks.embeddings.maps.word_map import Projection, choose, make_map
from recurra.tasks.embeddings.model import COUNT, Model, Neighbour
from recurra.tasks.embeddings.nearest import AnalogyMethod

MOST_WORDS = 1000
"""Words of one request ..."""

MOST_NEIGHBOURS = 1000
"""... neighbours of each ..."""

MOST_DRAWN = 1000
"""... and words of a map: t-SNE takes time quadratic in them."""


@dataclass(frozen=True, kw_only=True)
class Embedding(Request):
    """Texts whose vectors are wanted."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {"dimensions": ()}
    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    input: str | tuple[str, ...]
    """A word, or a list of words; of a longer text the vector is the mean of its words'."""
    encoding_format: Literal["float", "base64"] = "float"
    """How vectors are sent: as numbers, or as the bytes of 32-bit floats in base64."""


def embed(model: Model, request: Embedding) -> Json:
    """The vector of each text."""
    texts = _listed(request.input, "input")
    words = [_words(model, text) for text in texts]
    vectors = [_mean(model, text, each) for text, each in zip(texts, words, strict=True)]
    count = sum(map(len, words))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _sent(vector, request.encoding_format)}
            for index, vector in enumerate(vectors)
        ],
        "model": model.name,
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _listed(given: str | tuple[str, ...], name: str) -> list[str]:
    texts = [given] if isinstance(given, str) else list(given)
    if not 0 < len(texts) <= MOST_WORDS:
        raise FieldError(name, f"`{name}` has {len(texts):,} texts; give 1 to {MOST_WORDS:,} at once")
    return texts


def _words(model: Model, text: str) -> list[str]:
    """A text as it is, if it is a word of the model; else its words."""
    return [text] if text in model else model.vectors.splitter.split(text)


def _mean(model: Model, text: str, words: Sequence[str]) -> FloatArray:
    """The mean of the vectors of the words that have one."""
    matrix, found = model.vectors.of(words)
    if not found.any():
        if len(words) == 1:
            model.vector(words[0])  # which says what it could have been
        raise RecurraError(f"{model.name} has none of the words of {text[:60]!r}; give others")
    mean: FloatArray = matrix[found].mean(axis=0)
    return mean


def _sent(vector: FloatArray, encoding: str) -> Json:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]


@dataclass(frozen=True, kw_only=True)
class Similar(Request):
    """Words whose neighbours are wanted."""

    words: str | tuple[str, ...]
    """A word, or a list of words."""
    count: Annotated[int, Range(1, MOST_NEIGHBOURS)] = COUNT
    """Neighbours of each word."""
    among: tuple[str, ...] = ()
    """Words to find the neighbours among; all words of the model if none are given."""


def similar(model: Model, request: Similar) -> Json:
    """The words nearest to each word."""
    words = _listed(request.words, "words")
    found = model.similar(words, count=request.count, among=request.among)
    told = [{"word": word, "neighbours": _told(near)} for word, near in zip(words, found, strict=True)]
    return {"similar": told, "count": len(told)}


def _told(found: Sequence[Neighbour]) -> list[dict[str, Json]]:
    return [{"word": neighbour.word, "similarity": round(neighbour.similarity, 6)} for neighbour in found]


@dataclass(frozen=True, kw_only=True)
class Analogy(Request):
    """A question: what is to c as b is to a?"""

    a: str
    """A word."""
    b: str
    """What goes with it."""
    c: str
    """The word that an answer is to go with."""
    count: Annotated[int, Range(1, MOST_NEIGHBOURS)] = COUNT
    """Answers, the best first."""
    method: AnalogyMethod = "add"
    """Add vectors (3CosAdd), or multiply similarities (3CosMul)."""


def analogy(model: Model, request: Analogy) -> Json:
    """What is to `c` as `b` is to `a`."""
    found = model.analogy(request.a, request.b, request.c, count=request.count, method=request.method)
    return {"text": found[0].word if found else "", "answers": _told(found), "count": len(found)}


@dataclass(frozen=True, kw_only=True)
class OddOneOut(Request):
    """Words of which one may not fit."""

    words: tuple[str, ...]
    """Three words or more."""


def odd_one_out(model: Model, request: OddOneOut) -> Json:
    """How well each word fits the others, the odd one first."""
    found = model.fitting(_listed(request.words, "words"))
    return {"text": found[0].word, "words": _told(found), "count": len(found)}


@dataclass(frozen=True, kw_only=True)
class Map(Request):
    """Words to be drawn in the plane."""

    words: tuple[str, ...] = ()
    """What to draw; the most frequent words if none are given."""
    count: Annotated[int, Range(3, MOST_DRAWN)] = 200
    """Words to draw if none are given."""
    method: Projection = "pca"
    """How vectors come to lie in a plane: by principal components, or t-SNE."""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 1
    """Seed of t-SNE, and of the groups that words are coloured by."""


def draw(model: Model, request: Map) -> Json:
    """Where words are in the plane, x and y from 0 to 1, y downwards; groups of words that are alike."""
    if len(request.words) > MOST_DRAWN:
        raise FieldError("words", f"`words` are {len(request.words):,}; give at most {MOST_DRAWN:,}")
    words = request.words or model.vectors.words[: request.count]
    values = page_data(make_map(model.name, choose(model.vectors, words), request.method, request.seed))
    return {name: values[name] for name in ("words", "x", "y", "groups", "faithful", "axes")}


def _words_of(model: Model, count: int) -> list[str]:
    """Some frequent words of a model that point somewhere, for examples."""
    vectors = zip(model.vectors.words, model.vectors.matrix, strict=True)
    return list(islice((word for word, vector in vectors if vector.any()), count))


PART = Part(
    load=lambda folder, device: Model.load(folder),
    endpoints=(
        Endpoint(
            "/v1/embeddings",
            "The vector of a word, or of a text. OpenAI's clients work with it.",
            Embedding,
            embed,
            lambda model: {"input": _words_of(model, 2)},
        ),
        Endpoint(
            "/v1/embeddings/similar",
            "The words nearest to a word, by cosine similarity.",
            Similar,
            similar,
            lambda model: {"words": _words_of(model, 1)[0], "count": 5},
        ),
        Endpoint(
            "/v1/embeddings/analogy",
            "What is to a word as another is to a third.",
            Analogy,
            analogy,
            lambda model: dict(zip("abc", _words_of(model, 3), strict=True)),
        ),
        Endpoint(
            "/v1/embeddings/odd-one-out",
            "The word that fits the others worst.",
            OddOneOut,
            odd_one_out,
            lambda model: {"words": _words_of(model, 3)},
        ),
        Endpoint(
            "/v1/embeddings/map",
            "Words on a map, those near each other that are used alike.",
            Map,
            draw,
            {"count": 50},
        ),
    ),
    about=lambda model: {"words": len(model.vectors.words), "size": model.vectors.size},
    page=(
        ("recurra.tasks.embeddings", "panel.js"),
        ("recurra.tasks.embeddings", "panel.css"),
        ("recurra.tasks.embeddings.maps", "map.js"),
        ("recurra.tasks.embeddings.maps", "map.css"),
        ("recurra.tasks.embeddings.maps", "map.html"),
    ),
)
