"""How captions models are served: a picture's captions, and where the model looked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from recurra.explain.html import body
from recurra.serve.contract import Endpoint, Json, Part
from recurra.tasks.captions.collections import Captioned
from recurra.tasks.captions.explanation import explain, told
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.page import page_parts
from recurra.tasks.captions.pictures import open_picture
from recurra.tasks.shared.searched import Searched

CALLED = "the picture"
"""What a picture that was sent is called."""


@dataclass(frozen=True, kw_only=True)
class Description(Searched):
    """A picture to be described."""

    image: bytes
    """JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF."""
    html: bool = False
    """Tell it as markup too, as the page of this server shows it."""


def describe(model: Model, request: Description) -> Json:
    """The best captions of a picture; of the words of the best where the model looked, pixels of the picture."""
    picture = Captioned(CALLED, (), None, partial(open_picture, request.image, CALLED))
    found = explain(model, [picture], request.search())
    values = told(found.explanations[0])
    del values["path"]
    if request.html:
        values["html"] = body("recurra.tasks.captions", "page", page_parts(model.name, model.config, found))
    return values


PART = Part(
    load=lambda folder, device: Model.load(folder, device),
    endpoints=(
        Endpoint(
            "/v1/captions/describe",
            "Describes a picture, and tells where the model looked at each word.",
            Description,
            describe,
            {"n_best": 3},
            upload="image",
            upload_example="picture.jpg",
        ),
    ),
    page=(
        ("recurra.tasks.captions", "panel.js"),
        ("recurra.tasks.captions", "page.js"),
        ("recurra.tasks.captions", "page.css"),
    ),
)
