"""A recurrent language model of a corpus, which writes, is measured and shows what it sees."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from recurra.config import check_range, with_options
from recurra.data import tokenizer as tokenizers
from recurra.data.corpus import Corpus, Source, open_corpus
from recurra.data.sources import several
from recurra.data.streams import encode_beginning, write_tokens
from recurra.data.tokenizer import Tokenizer
from recurra.decoding.sampling import Sampling, read, sample_tokens
from recurra.errors import RecurraError
from recurra.evaluation.language_model import score_dynamic, score_each_token, score_tokens
from recurra.explain.measurements import searched_length
from recurra.explain.passage import Subject
from recurra.explain.report import Explained, explain
from recurra.models.language_model import LanguageModel
from recurra.models.packed import single_stream
from recurra.progress import bar
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.text import features
from recurra.tasks.text.agreement import Agreement, agreement
from recurra.tasks.text.config import Config
from recurra.tasks.text.lines import ScoredLine, by_line
from recurra.tasks.text.repeats import Repeats

LENGTH = 400
"""Tokens that are written if nothing else is asked for ..."""

MAX_LENGTH = 100_000_000
"""... and the most that are written in one go."""


MAX_LINE_TOKENS = 1_000_000
"""More tokens than this are not measured one by one."""


class WrittenToken(NamedTuple):
    """A token of written text: its text, empty where a character is not complete yet, and its log-probability, nats."""

    text: str
    token: int
    log_prob: float


class Model(SavedModel[LanguageModel, Tokenizer, Config]):
    """A trained text model; `SavedModel` says what it is made of."""

    task = "text"
    config_type = Config
    trained_on = "{data}, {tokens_trained_on:,} tokens read in {steps:,} steps, {seconds:.0f} s"
    quality = "{validation}: {nats:.4f} nats, {bits:.3f} bits a token"
    manner = "It writes in the manner of what it was trained on, facts and prejudices included, and knows nothing else."
    use = "write {name}"

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Tokenizer:
        """The tokenizer of JSON values; `where` names their origin in errors."""
        return tokenizers.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Tokenizer) -> LanguageModel:
        """The network of a resolved configuration, with its first weights."""
        network = LanguageModel(vocabulary.size, config)
        network.embedding.weight.requires_grad_(not config.freeze_embeddings)
        return network

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back."""
        return self.vocabulary

    def _read(self, data: Source | Sequence[Source], encoding: str) -> Corpus:
        """Texts, with the documents that the model knows."""
        documents = "none" if self.tokenizer.boundary is None else self.config.documents
        return open_corpus(several(data), encoding, self.config.tokens == "bytes", documents, self.config.columns)

    def evaluate(
        self, data: Source | Sequence[Source], *, dynamic: bool = False, encoding: str = "utf-8"
    ) -> dict[str, float]:
        """Score a text.

        Args:
            data: a file, a folder, `Texts([...])` or a sample.
            dynamic: let a copy of the model learn from the text as it goes.
            encoding: how the text is encoded.

        Returns:
            `nats`, `bits`, `perplexity` a token, the `count` of tokens predicted, ends of documents among them, and
            the `unknown` in the text.
        """
        corpus = self._read(data, encoding)
        with tempfile.TemporaryDirectory() as folder:
            file = write_tokens(corpus.blocks(), self.tokenizer, Path(folder) / "tokens.bin")
            if file.length < 2:
                raise RecurraError(
                    f"{corpus.name} is too short to score; give a text of at least two {self.config.tokens}"
                )
            scorer = score_dynamic if dynamic else score_tokens
            with bar("scoring") as shown:
                figure = scorer(self.network, file.open(), self.device, report=shown.update)
        return {
            "nats": figure.nats,
            "bits": figure.bits,
            "perplexity": figure.perplexity,
            "count": figure.count,
            "unknown": file.unknown,
        }

    def score_lines(self, data: Source | Sequence[Source], *, encoding: str = "utf-8") -> list[ScoredLine]:
        """The log-probability of every token of a text, by line; each is predicted from all that is before it.

        Args:
            data: a file, a folder, `Texts([...])` or a sample, of at most a million tokens.
            encoding: how the text is encoded.

        Raises:
            RecurraError: if it has more tokens, or none to predict.
        """
        corpus = self._read(data, encoding)
        tokens = encode_beginning(corpus.blocks(), self.tokenizer, MAX_LINE_TOKENS + 1)
        if not 2 <= len(tokens) <= MAX_LINE_TOKENS:
            raise RecurraError(
                f"{corpus.name} does not have between 2 and {MAX_LINE_TOKENS:,} {self.config.tokens}, which can be "
                "measured by line; give another text, or a part of it"
            )
        with bar("scoring") as shown:
            log_probs = score_each_token(self.network, tokens, self.device, report=shown.update)
        return by_line(self.tokenizer, tokens, log_probs)

    def explain(
        self,
        data: Source | Sequence[Source],
        out: str | Path,
        *,
        against: Sequence[Model] = (),
        encoding: str = "utf-8",
    ) -> Explained:
        """Show what the model does on a text: its neurons, its effective context, its surprisal.

        Args:
            data: a text the model has not been trained on; its beginning is read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models, trained on the same text, to compare the effective context of.
            encoding: how the text is encoded.
        """
        self.require_same_vocabulary(against)
        corpus = self._read(data, encoding)
        tokens = encode_beginning(corpus.blocks(), self.tokenizer, searched_length(self.network))
        passage = features.passage(self.tokenizer, tokens, corpus.name)
        subjects = [Subject(model.name, model.network, model.facts()) for model in (self, *against)]
        return explain(subjects, passage, Path(out))

    def agreement(self, test: str | Path) -> Agreement:
        """How often the right form of a verb is the more probable one; see `tasks.text.agreement`."""
        return agreement(self.network, self.tokenizer, Path(test))

    def candidates(self, prompt: str = "", count: int = 5) -> list[WrittenToken]:
        """The most probable tokens after a prompt, the most probable first; an end of the document has no text."""
        step, state = single_stream(self.network)
        start = tokenizers.read_prompt(self.tokenizer, prompt)
        logits, _ = read(step, [int(token) for token in start.tokens], state)
        own = logits.astype(np.float64) - np.logaddexp.reduce(logits.astype(np.float64))
        own[start.suppressed] = -np.inf
        best = [int(token) for token in np.argsort(-own, kind="stable")[:count] if np.isfinite(own[token])]
        decode = [tokenizers.decoder(len(start.held)) for _ in best]
        return [
            WrittenToken(after(self.tokenizer.piece(token)), token, float(own[token]))
            for after, token in zip(decode, best, strict=True)
        ]

    def never_written(self, text: str) -> list[str]:
        """The characters of a text that no token has, each once: what holds one is never written."""
        if self.tokenizer.kind in ("bytes", "subwords"):
            return []
        tokens = (token for token in range(self.tokenizer.size) if token != self.tokenizer.unknown)
        known = set(tokenizers.decode(self.tokenizer, tokens))
        return [character for character in dict.fromkeys(text) if character not in known]

    def unknown_in(self, text: str) -> list[str]:
        """The characters or words of a text that the model has no token for, each once."""
        return tokenizers.read_prompt(self.tokenizer, text).unknown

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
        step, state = single_stream(self.network)
        start = tokenizers.read_prompt(self.tokenizer, prompt)
        logits, state = read(step, [int(token) for token in start.tokens], state)
        unknown = np.array([] if self.tokenizer.unknown is None else [self.tokenizer.unknown], dtype=np.int64)
        suppressed = itertools.chain([start.suppressed], itertools.repeat(unknown))
        repeats = Repeats(no_repeat_ngram_size, start.tokens.tolist(), self.tokenizer.size)
        decode = tokenizers.decoder(len(start.held))
        generator = sampling.generator(number)
        for drawn in sample_tokens(
            step, logits, state, sampling, generator, lambda _: repeats.barred(next(suppressed))
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
        stop: str | None = None,
        sampling: Sampling | None = None,
        number: int = 0,
        no_repeat_ngram_size: int = 0,
        **options: Any,
    ) -> Iterator[WrittenToken]:
        """As `stream`, but at most `length` tokens, ending before the string `stop`."""
        check_range("length", length, 0, MAX_LENGTH)
        held: list[WrittenToken] = []
        check_range("no_repeat_ngram_size", no_repeat_ngram_size, 0, MAX_LENGTH)
        stream = self.stream(
            prompt, sampling=sampling, number=number, no_repeat_ngram_size=no_repeat_ngram_size, **options
        )
        for token in itertools.islice(stream, length):
            held.append(token)
            text = "".join(item.text for item in held)
            if stop and stop in text:
                yield from _cut(held, text.index(stop))
                return
            # What may still become the beginning of `stop` is held back.
            while held and len(text) - len(held[0].text) >= len(stop or "") - 1:
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
        texts = [
            before + "".join(token.text for token in self.generate(
                before, length=length, stop=stop, sampling=chosen, number=number,
                no_repeat_ngram_size=no_repeat_ngram_size,
            ))
            for number, before in enumerate(prompts)
        ]  # fmt: skip
        return texts[0] if isinstance(prompt, str) else texts


def _cut(tokens: list[WrittenToken], length: int) -> Iterator[WrittenToken]:
    """The first tokens, as far as `length` characters go."""
    for token in tokens:
        if length <= 0:
            return
        yield token._replace(text=token.text[:length])
        length -= len(token.text)
