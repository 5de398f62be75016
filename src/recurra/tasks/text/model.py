"""A recurrent language model of a corpus, which writes, is measured and shows what it sees."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.data import tokenizer as tokenizers
from recurra.data.corpus import Corpus, Source, open_corpus
from recurra.data.sources import several
from recurra.data.streams import encode_beginning, write_tokens
from recurra.data.tokenizer import Tokenizer
from recurra.decoding.sampling import TokenStep
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
from recurra.tasks.text.writing import TASK, Writing

MAX_LINE_TOKENS = 1_000_000
"""More tokens than this are not measured one by one."""


class Model(SavedModel[LanguageModel, Tokenizer, Config], Writing):
    """A trained text model; `SavedModel` says what it is made of."""

    task = TASK
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

    def _read(self, data: Source | Sequence[Source], encoding: str, columns: str) -> Corpus:
        """Texts, with the documents that the model knows; in JSONL those under the key of its training if not named."""
        documents = "none" if self.tokenizer.boundary is None else self.config.documents
        columns = columns or self.config.columns
        return open_corpus(several(data), encoding, self.config.tokens == "bytes", documents, columns)

    def evaluate(
        self, data: Source | Sequence[Source], *, dynamic: bool = False, encoding: str = "utf-8", columns: str = ""
    ) -> dict[str, float]:
        """Score a text.

        Args:
            data: a file, a folder, `Texts([...])` or a sample.
            dynamic: let a copy of the model learn from the text as it goes.
            encoding: how the text is encoded.
            columns: the key of the text in JSONL; that of training if not given.

        Returns:
            `nats`, `bits`, `perplexity` a token, the `count` of tokens predicted, ends of documents among them, and
            the `unknown` in the text.
        """
        corpus = self._read(data, encoding, columns)
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

    def score_lines(
        self, data: Source | Sequence[Source], *, encoding: str = "utf-8", columns: str = ""
    ) -> list[ScoredLine]:
        """The log-probability of every token of a text, by line; each is predicted from all that is before it.

        Args:
            data: a file, a folder, `Texts([...])` or a sample, of at most a million tokens.
            encoding: how the text is encoded.
            columns: the key of the text in JSONL; that of training if not given.

        Raises:
            RecurraError: if it has more tokens, or none to predict.
        """
        corpus = self._read(data, encoding, columns)
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
        columns: str = "",
    ) -> Explained:
        """Show what the model does on a text: its neurons, its effective context, its surprisal.

        Args:
            data: a text the model has not been trained on; its beginning is read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models, trained on the same text, to compare the effective context of.
            encoding: how the text is encoded.
            columns: the key of the text in JSONL; that of training if not given.
        """
        self.require_same_vocabulary(against)
        corpus = self._read(data, encoding, columns)
        tokens = encode_beginning(corpus.blocks(), self.tokenizer, searched_length(self.network))
        passage = features.passage(self.tokenizer, tokens, corpus.name)
        subjects = [Subject(model.name, model.network, model.facts()) for model in (self, *against)]
        return explain(subjects, passage, Path(out))

    def agreement(self, test: str | Path) -> Agreement:
        """How often the right form of a verb is the more probable one; see `tasks.text.agreement`."""
        return agreement(self.network, self.tokenizer, Path(test))

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, where the model is, and its state before any input."""
        return single_stream(self.network)
