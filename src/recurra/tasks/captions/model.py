"""A trained captions model: it describes pictures, is measured, and knows where it looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

from recurra.arrays import FloatArray
from recurra.config import required, with_options
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.data.vocabulary import Vocabulary
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.decoder_step import TensorReader
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.seq2seq import Request, search_all
from recurra.errors import RecurraError
from recurra.models.encoder_decoder import Encoded
from recurra.progress import in_groups, note
from recurra.tasks.captions.backbone_encoder import encoder_words
from recurra.tasks.captions.backbones.network import Backbone
from recurra.tasks.captions.collections import Captioned, open_collection, unreadable
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.data import clean
from recurra.tasks.captions.explanation import Explained, as_captioned, explain
from recurra.tasks.captions.metrics import score
from recurra.tasks.captions.networks import CaptionNetwork
from recurra.tasks.captions.page import write_page
from recurra.tasks.captions.pictures import Pixels, fit, open_picture
from recurra.tasks.captions.ptb import NAME
from recurra.tasks.shared.model import SavedModel

if TYPE_CHECKING:
    from PIL import Image

GROUP = 256
"""Pictures of many that are in memory together."""

DEFAULT_SEARCH = BeamSearch()


@dataclass(frozen=True)
class Caption:
    """What a model says of a picture.

    Attributes:
        text: in words.
        tokens: of it, in numbers.
        log_probs: of every token and, last, of the end, nats.
        score: what it is ranked by.
        finished: whether it came to its end; it is cut off at the longest that is written otherwise.
        weights: what each token and the end attended to, `(tokens + 1, height, width)` of the grid; None without
            attention.
    """

    text: str
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float
    finished: bool
    weights: FloatArray | None

    @property
    def log_prob(self) -> float:
        """Of the whole caption, nats."""
        return sum(self.log_probs)


class Model(SavedModel[CaptionNetwork, Vocabulary, Config]):
    """A trained captions model; `SavedModel` says what it is made of."""

    task = "captions"
    config_type = Config
    trained_on = "{data}, {pictures:,} pictures with {captions:,} captions, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {nats:.4f} nats a token"
    manner = (
        "It describes pictures like those it was trained on, in the words of their captions; of others it says\n"
        "something too, which may read well and be wrong."
    )
    use = "describe {name} PICTURE"
    free_options = (
        *SavedModel.free_options,
        *("word_dropout", "label_smoothing", "doubly_stochastic", "longest", "max_tokens", "images"),
        *("vocabulary_size", "min_count", "tune", "tune_rate", "cache"),
    )

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Vocabulary:
        """The vocabulary of JSON values; `where` names their origin in errors."""
        return Vocabulary.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Vocabulary, backbone: Backbone | None = None) -> CaptionNetwork:
        """The network of a resolved configuration, with its first weights; those of a backbone may be given."""
        return CaptionNetwork(vocabulary.size, config, backbone)

    def network_words(self) -> str:
        """A few words on what was trained."""
        return f"{super().network_words()}; {encoder_words(self.config)}"

    def pixels(self, picture: str | Path | bytes | Image.Image) -> Pixels:
        """A picture as the network sees it, `(image_size, image_size, 3)`.

        Raises:
            RecurraError: if it cannot be read.
        """
        if isinstance(picture, str | Path):
            picture = open_picture(Path(picture), str(picture))
        elif isinstance(picture, bytes):
            picture = open_picture(picture, "the picture")
        size = required(self.config.image_size, "image_size")
        return fit(picture, size, size, self.config.fit)

    def captions(self, pixels: Sequence[Pixels], search: BeamSearch = DEFAULT_SEARCH) -> list[list[Caption]]:
        """The best captions of each picture, different ones, the best first.

        Args:
            pixels: as `pixels` gives them; any number, searched for in batches.
            search: how to search.
        """
        request = self._request(pixels, search)
        return [
            self._distinct(result.hypotheses, limit)
            for result, limit in zip(search_all(request, search), request.limits, strict=True)
        ]

    def _request(self, pixels: Sequence[Pixels], search: BeamSearch) -> Request:
        def encode(network: CaptionNetwork, batch: Sequence[int]) -> Encoded:
            pictures = torch.from_numpy(np.stack([pixels[index] for index in batch]))
            return network.encode(pictures.to(self.device))

        return Request(
            readers=[TensorReader(self.network, encode)],
            positions=[self.network.positions] * len(pixels),
            target=self.vocabulary,
            limits=[self.limit(search)] * len(pixels),
            prefixes=[()] * len(pixels),
        )

    def limit(self, search: BeamSearch = DEFAULT_SEARCH) -> int:
        """The longest caption, in tokens, its end not counted."""
        if search.max_length is not None:
            return search.max_length
        return max(required(self.config.max_tokens, "max_tokens"), search.min_length)

    def _distinct(self, hypotheses: Sequence[Hypothesis], limit: int) -> list[Caption]:
        """Captions of hypotheses; of those that read the same the best."""
        found: dict[str, Caption] = {}
        for each in hypotheses:
            text = self.vocabulary.decode(each.tokens)
            side = round(self.network.positions**0.5)
            weights = None if each.weights is None else each.weights.reshape(-1, side, side)
            finished = len(each.tokens) < limit
            found.setdefault(text, Caption(text, each.tokens, each.log_probs, each.score, finished, weights))
        return list(found.values())

    @overload
    def describe(
        self, picture: str | Path | bytes | Image.Image, search: BeamSearch | None = None, **options: Any
    ) -> str: ...

    @overload
    def describe(
        self, picture: Sequence[str | Path | Image.Image], search: BeamSearch | None = None, **options: Any
    ) -> list[str]: ...

    def describe(self, picture: Any, search: BeamSearch | None = None, **options: Any) -> str | list[str]:
        """The best caption of a picture, or of each of several.

        Args:
            picture: a file, what is in one, or a picture that is open (upright, RGB); or several.
            search: how to search.
            options: fields of `BeamSearch`: `beam_size=10`.

        Raises:
            RecurraError: if a picture cannot be read.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        if not isinstance(picture, list | tuple):
            return self.captions([self.pixels(picture)], chosen)[0][0].text
        texts: list[str] = []
        for group in in_groups(picture, GROUP, "describing"):
            found = self.captions([self.pixels(each) for each in group], chosen)
            texts += [captions[0].text for captions in found]
        return texts

    def evaluate(
        self,
        data: str | Path | Sequence[Any],
        search: BeamSearch | None = None,
        *,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
        images: str = "",
        split: str = "",
        **options: Any,
    ) -> dict[str, Any]:
        """Describe pictures and compare with their captions.

        Args:
            data: what `train` takes.
            search: how to search.
            encoding: how the captions file encodes text.
            columns: which columns or keys of a table hold file and caption.
            header: whether the first line of a table names its columns.
            images: folder with the pictures, where it is not beside the captions file.
            split: only the pictures of this part: train, val or test.
            options: fields of `BeamSearch`: `beam_size=10`.

        Returns:
            `bleu_1` to `bleu_4`, `rouge_l`, `cider` (points of a hundred; CIDEr is None for a single picture),
            `exact_match`, `distinct`, `unfinished`, `count`, `tokenizer`; on `sample:shapes` also what
            `accuracy.truthfulness` says.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        found = open_collection(
            several(data), encoding=encoding, columns=columns, header=header, images=images, split=split
        )
        for reason in found.skipped:
            note(f"left out: {reason}")
        items, captions = self.described(found.items, found.name, chosen)
        return figures(items, captions, self.config.lowercase)

    def described(
        self, items: Sequence[Captioned], name: str, search: BeamSearch = DEFAULT_SEARCH
    ) -> tuple[list[Captioned], list[Caption]]:
        """The best caption of each picture that can be read; a person is told of the others.

        Args:
            items: the pictures.
            name: of them all.
            search: how to search.

        Raises:
            RecurraError: if none can be read.
        """
        readable: list[Captioned] = []
        captions: list[Caption] = []
        faults: list[str] = []
        for group in in_groups(items, GROUP, "describing"):
            pixels = []
            for item in group:
                try:
                    pixels.append(self.pixels(item.open()))
                    readable.append(item)
                except RecurraError as error:
                    faults.append(str(error))
            captions += [best[0] for best in self.captions(pixels, search)]
        if faults:
            note(f"left out: {unreadable(faults, len(items), name)}")
        if not captions:
            raise RecurraError(f"{name}: no picture can be read; give others")
        return readable, captions

    def explain(
        self,
        picture: str | Path | Image.Image | Captioned | Sequence[str | Path | Image.Image | Captioned],
        out: str | Path | None = None,
        search: BeamSearch | None = None,
        **options: Any,
    ) -> Explained:
        """Show where the model looks at each word of its captions.

        Args:
            picture: a file, or a picture that is open (upright, RGB); or several.
            out: the page to write, with a picture beside it, `page.png`; None for none.
            search: how to search.
            options: fields of `BeamSearch`: `beam_size=10`.

        Raises:
            OptionError: if there are more pictures than `explanation.MOST_PICTURES`, or none.
            RecurraError: if none can be read, or the page cannot be written.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        found = explain(self, [as_captioned(each) for each in several(picture)], chosen)
        if out is None:
            return found
        return replace(found, files=write_page(Path(out), self.name, self.config, found))


def figures(items: Sequence[Captioned], captions: Sequence[Caption], lowercase: bool) -> dict[str, Any]:
    """How captions compare with those of the pictures; see `Model.evaluate`."""
    from recurra.tasks.captions.accuracy import truthfulness

    heard = [caption.text for caption in captions]
    scores = score(heard, [item.captions for item in items])
    same = [
        text in {clean(caption, lowercase) for caption in item.captions}
        for text, item in zip(heard, items, strict=True)
    ]
    return {
        **{f"bleu_{n}": value for n, value in enumerate(scores.bleu, 1)},
        "rouge_l": scores.rouge_l,
        "cider": scores.cider,
        "exact_match": sum(same) / len(same),
        "distinct": scores.distinct,
        "unfinished": sum(not caption.finished for caption in captions),
        "count": scores.count,
        "tokenizer": NAME,
        **truthfulness(items, heard),
    }
