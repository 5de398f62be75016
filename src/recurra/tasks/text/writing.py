"""Writing with a text model, wherever its steps are computed; and a model that only writes, without PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from recurra.config import check_range, from_dict, with_options
from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import Tokenizer
from recurra.decoding.sampling import Sampling, TokenStep, read, sample_tokens
from recurra.runtime import stored
from recurra.runtime.layers import Precision
from recurra.runtime.packed import PackedLanguageModel
from recurra.tasks.shared.light import packed_language_model
from recurra.tasks.text.config import Config
from recurra.tasks.text.growing import GrowingText, WrittenToken
from recurra.tasks.text.repeats import Repeats

TASK = "text"

LENGTH = 400
"""Tokens that are written if nothing else is asked for ..."""

MAX_LENGTH = 100_000_000
"""... and the most that are written in one go."""


SHORT, FEW = 2_000_000, 1_000
"""A text is short if its tokens times the size of the vocabulary, or times `FEW`, are not more than `SHORT`."""


class Writing:
    """What can write: text to tokens and back, and the steps of a network.

    Attributes:
        vocabulary: text to tokens and back.
        compiled: whether tokens are drawn with compiled code.
    """

    vocabulary: Tokenizer
    compiled = True

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back."""
        return self.vocabulary

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, and its state before any input."""
        raise NotImplementedError

    def unknown_in(self, text: str) -> list[str]:
        """The characters or words of a text that the model has no token for, each once."""
        return tokenizers.read_prompt(self.tokenizer, text).unknown

    def candidates(self, prompt: str = "", count: int = 5) -> list[WrittenToken]:
        """The most probable tokens after a prompt, the most probable first; an end of the document has no text."""
        return GrowingText(self, prompt).candidates(count)

    def never_written(self, text: str) -> list[str]:
        """The characters of a text that no token has, each once: what holds one is never written."""
        if self.tokenizer.kind in ("bytes", "subwords"):
            return []
        tokens = (token for token in range(self.tokenizer.size) if token != self.tokenizer.unknown)
        known = set(tokenizers.decode(self.tokenizer, tokens))
        return [character for character in dict.fromkeys(text) if character not in known]

    def stream(
        self,
        prompt: str = "",
        *,
        sampling: Sampling | None = None,
        number: int = 0,
        no_repeat_ngram_size: int = 0,
        **options: Any,
    ) -> Iterator[WrittenToken]:
        """Write token by token, going on from a prompt (which is not repeated), to the end of a document.

        What is written is a document from its beginning, if the model was trained on documents. Otherwise it has no
        end, and begins as after a line end if there is no prompt. The unknown token is never written.

        Args:
            prompt: what comes before.
            sampling: how to choose.
            number: which of the samples of one seed this is.
            no_repeat_ngram_size: no run of this many tokens comes twice, the prompt's counted, unless nothing else can
                come; 0 allows any.
            options: fields of `Sampling`, which go before `sampling`: `temperature=0.7`.
        """
        sampling = with_options(sampling or Sampling(), options)
        step, state = self.stream_step()
        start = tokenizers.read_prompt(self.tokenizer, prompt)
        logits, state = read(step, [int(token) for token in start.tokens], state)
        unknown = np.array([] if self.tokenizer.unknown is None else [self.tokenizer.unknown], dtype=np.int64)
        suppressed = itertools.chain([start.suppressed], itertools.repeat(unknown))
        repeats = Repeats(no_repeat_ngram_size, start.tokens.tolist(), self.tokenizer.size)
        decode = tokenizers.decoder(len(start.held))
        generator = sampling.generator(number)
        for drawn in sample_tokens(
            step, logits, state, sampling, generator, lambda _: repeats.barred(next(suppressed)), self.compiled
        ):
            repeats.add(drawn.token)
            if drawn.token == self.tokenizer.boundary:
                return
            yield WrittenToken(decode(self.tokenizer.piece(drawn.token)), drawn.token, drawn.log_prob)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = LENGTH,
        stop: str | Sequence[str] | None = None,
        sampling: Sampling | None = None,
        number: int = 0,
        no_repeat_ngram_size: int = 0,
        **options: Any,
    ) -> Iterator[WrittenToken]:
        """As `stream`, but at most `length` tokens, ending before the string `stop`, or the first of several."""
        check_range("length", length, 0, MAX_LENGTH)
        check_range("no_repeat_ngram_size", no_repeat_ngram_size, 0, MAX_LENGTH)
        stops = [stop] if isinstance(stop, str) else stop or []
        longest = max(map(len, stops), default=0)
        held: list[WrittenToken] = []
        stream = self.stream(
            prompt, sampling=sampling, number=number, no_repeat_ngram_size=no_repeat_ngram_size, **options
        )
        for token in itertools.islice(stream, length):
            held.append(token)
            text = "".join(item.text for item in held)
            if begins := [text.index(each) for each in stops if each and each in text]:
                yield from _cut(held, min(begins))
                return
            # What may still become the beginning of `stop` is held back.
            while held and len(text) - len(held[0].text) >= longest - 1:
                text = text[len(held[0].text) :]
                yield held.pop(0)
        yield from held

    @overload
    def write(
        self,
        prompt: str = "",
        *,
        length: int = ...,
        stop: str | None = ...,
        sampling: Sampling | None = ...,
        no_repeat_ngram_size: int = ...,
        **options: Any,
    ) -> str: ...

    @overload
    def write(
        self,
        prompt: Sequence[str],
        *,
        length: int = ...,
        stop: str | None = ...,
        sampling: Sampling | None = ...,
        no_repeat_ngram_size: int = ...,
        **options: Any,
    ) -> list[str]: ...

    def write(
        self,
        prompt: str | Sequence[str] = "",
        *,
        length: int = LENGTH,
        stop: str | None = None,
        sampling: Sampling | None = None,
        no_repeat_ngram_size: int = 0,
        **options: Any,
    ) -> str | list[str]:
        """Text that begins with a prompt; of several prompts, one for each, independent of each other.

        Args:
            prompt: what the text begins with, or several of that.
            length: most tokens to write after it; the text ends earlier where a document does.
            stop: end the text before this string.
            sampling: how to choose.
            no_repeat_ngram_size: no run of this many tokens comes twice; 0 allows any.
            options: fields of `Sampling`: `temperature=0.7, seed=1`.
        """
        chosen = with_options(sampling or Sampling(), options).seeded()
        prompts = [prompt] if isinstance(prompt, str) else prompt
        texts = []
        for number, before in enumerate(prompts):
            tokens = self.generate(
                before,
                length=length,
                stop=stop,
                sampling=chosen,
                number=number,
                no_repeat_ngram_size=no_repeat_ngram_size,
            )
            texts.append(before + "".join(token.text for token in tokens))
        return texts[0] if isinstance(prompt, str) else texts


class Writer(Writing):
    """A trained text model that only writes; it needs no PyTorch, starts at once and computes on the CPU.

    Args:
        vocabulary: text to tokens and back.
        network: its weights.
        name: what to call it.
    """

    def __init__(self, vocabulary: Tokenizer, network: PackedLanguageModel, name: str = "model") -> None:
        self.vocabulary = vocabulary
        self.network = network
        self.name = name
        self.compiled = network.compiled

    @classmethod
    def load(cls, folder: str | Path, precision: Precision = "float32", tokens: int | None = None) -> Self:
        """Read a model folder.

        Args:
            folder: where.
            precision: of the weights; with int8 they are rounded, and a large network writes about three times as fast.
            tokens: that will be read and written, about: a short text is written without compiled code, which takes
                longer to load than such a text to write. It is the same text.

        Raises:
            RecurraError: if anything about the folder is not as it was saved.
            OptionError: if there is no such precision.
        """
        file = stored.load(Path(folder), TASK)
        config = from_dict(Config, file.config, file.config_file)
        vocabulary = tokenizers.from_json(file.vocabulary, file.vocabulary_file)
        short = tokens is not None and tokens * max(vocabulary.size, FEW) <= SHORT
        network = packed_language_model(
            file, config, vocabulary.size, precision=precision, compiled=not short or precision != "float32"
        )
        return cls(vocabulary, network, file.folder.name)

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, and its state before any input."""
        return self.network.step, self.network.zero_state()

    def __repr__(self) -> str:
        return f"<text writer {self.name!r}>"


def _cut(tokens: list[WrittenToken], length: int) -> Iterator[WrittenToken]:
    """The first tokens, as far as `length` characters go."""
    for token in tokens:
        if length <= 0:
            return
        yield token._replace(text=token.text[:length])
        length -= len(token.text)
