"""How text models are served: completions as OpenAI's clients ask for them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np

from recurra.arrays import FloatArray
from recurra.config import Range
from recurra.data import tokenizer as tokenizers
from recurra.decoding.sampling import Sampling, TokenStep
from recurra.serve.contract import Endpoint, Part, Pieces
from recurra.serve.errors import FieldError
from recurra.serve.fields import Request
from recurra.tasks.text.growing import WrittenToken
from recurra.tasks.text.writing import LENGTH, Writer, Writing

MAX_TOKENS = 100_000
"""More tokens than this are not written for one request, in all its texts together."""

MAX_TEXTS = 128
"""Nor are more texts."""

END = "<end>"
"""What the end of a document is called among the most probable tokens."""


@dataclass(frozen=True, kw_only=True)
class Completion(Request):
    """Text to be gone on with."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "best_of": (1,),
        "frequency_penalty": (0,),
        "logit_bias": ({},),
        "presence_penalty": (0,),
        "suffix": ("",),
    }
    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    prompt: str | tuple[str, ...] = ""
    """What the text begins with, or several of that."""
    max_tokens: Annotated[int, Range(0, MAX_TOKENS)] = LENGTH
    """Most tokens to write; a document may end earlier."""
    temperature: Annotated[float, Range(0, 1e6)] = Sampling.temperature
    """What the logits are divided by; the lower, the more predictable; 0 always takes the most probable token."""
    top_p: Annotated[float, Range(0, 1)] = Sampling.top_p
    """Choose only among the most probable tokens that together have this probability."""
    top_k: Annotated[int, Range(0, 2**31)] = Sampling.top_k
    """Choose only among this many most probable tokens; 0 for all."""
    seed: Annotated[int | None, Range(0, 2**63 - 1)] = None
    """Seed of the choices: the same text as `recurra text write --seed`; a new one each time if not given."""
    stop: str | tuple[str, ...] | None = None
    """End the text before this string, or the first of several."""
    no_repeat_ngram_size: Annotated[int, Range(0, 10**6)] = 0
    """No run of this many tokens is written twice; 0 allows any."""
    logprobs: Annotated[int | None, Range(0, 100)] = None
    """Tell the log-probability of every token, and of so many of the most probable instead of it."""
    n: Annotated[int, Range(1, MAX_TEXTS)] = 1
    """How many texts to write for each prompt."""
    echo: bool = False
    """Give the prompt too, before the text."""
    stream: bool = False
    """Send tokens as they are written."""
    stream_options: dict[str, Any] | None = None
    """`{"include_usage": true}` sends the counts of tokens last."""

    def sampling(self) -> Sampling:
        """How tokens are chosen."""
        greedy = self.temperature == 0 or self.top_p == 0
        return Sampling(
            temperature=self.temperature or Sampling.temperature,
            top_k=self.top_k,
            top_p=self.top_p or Sampling.top_p,
            greedy=greedy,
            seed=self.seed,
        ).seeded()


class _Watched(Writing):
    """A writer that remembers what it drew, and what it could have drawn.

    Args:
        writer: writes.
        count: most probable tokens to remember of each draw.
    """

    def __init__(self, writer: Writing, count: int) -> None:
        self.vocabulary = writer.vocabulary
        self._writer = writer
        self._count = count
        self._logits: FloatArray = np.empty(0, np.float32)
        self.drawn: list[WrittenToken] = []
        self.others: list[dict[str, float]] = []
        self.ended = False

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The step of the writer, whose logits are remembered until the next."""
        step, state = self._writer.stream_step()

        def watched(token: int, state: Any) -> tuple[FloatArray, Any]:
            self._logits, state = step(token, state)
            return self._logits, state

        return watched, state

    def stream(
        self,
        prompt: str = "",
        *,
        sampling: Sampling | None = None,
        number: int = 0,
        no_repeat_ngram_size: int = 0,
        **options: Any,
    ) -> Iterator[WrittenToken]:
        """As the writer's; when a token comes, the logits it was drawn from are the last."""
        tokens = super().stream(
            prompt, sampling=sampling, number=number, no_repeat_ngram_size=no_repeat_ngram_size, **options
        )
        for token in tokens:
            self.drawn.append(token)
            self.others.append(self._most_probable())
            yield token
        self.ended = True

    def _most_probable(self) -> dict[str, float]:
        """The most probable tokens instead of the one that was drawn, each with its log-probability."""
        if not self._count:
            return {}
        own = self._logits.astype(np.float64)
        own -= np.logaddexp.reduce(own)
        best = np.argsort(-own, kind="stable")[: self._count]
        return {self._shown(int(token)): round(float(own[token]), 6) for token in best}

    def _shown(self, token: int) -> str:
        """A token as text; bytes that are no whole characters as OpenAI writes them."""
        if token == self.tokenizer.boundary:
            return END
        piece = self.tokenizer.piece(token)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)


@dataclass
class _Choice:
    """A text as it grows."""

    index: int
    prompt: str
    with_prompt: bool
    scored: bool
    tokens: list[WrittenToken] = field(default_factory=list)
    others: list[dict[str, float]] = field(default_factory=list)

    def values(self, begin: int, reason: str | None) -> dict[str, Any]:
        """The text from token `begin` on, as JSON values."""
        tokens = self.tokens[begin:]
        text = "".join(token.text for token in tokens)
        if self.with_prompt and not begin:
            text = self.prompt + text
        logprobs = self._logprobs(begin) if self.scored else None
        return {"text": text, "index": self.index, "logprobs": logprobs, "finish_reason": reason}

    def _logprobs(self, begin: int) -> dict[str, Any]:
        offset = len(self.prompt) * self.with_prompt + sum(len(token.text) for token in self.tokens[:begin])
        tokens, offsets = self.tokens[begin:], []
        for token in tokens:
            offsets.append(offset)
            offset += len(token.text)
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [round(token.log_prob, 6) for token in tokens],
            "top_logprobs": self.others[begin : len(self.tokens)],
            "text_offset": offsets,
        }


def complete(model: Writing, request: Completion) -> Pieces:
    """Go on with one prompt or several; every token is a piece of the answer."""
    prompts = [request.prompt] if isinstance(request.prompt, str) else list(request.prompt)
    _require_possible(request, len(prompts))
    sampling = request.sampling()
    head = {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": request.model or getattr(model, "name", "model"),
        "seed": sampling.seed,
    }
    choices, used = [], 0
    for number in range(len(prompts) * request.n):
        prompt = prompts[number // request.n]
        watched = _Watched(model, request.logprobs or 0)
        choice = _Choice(number, prompt, request.echo, request.logprobs is not None, others=watched.others)
        yield from _pieces(watched, choice, request, sampling, head)
        choices.append(choice.values(0, reason_of(watched, request)))
        used += len(watched.drawn)
    read = sum(len(tokenizers.read_prompt(model.tokenizer, prompt).tokens) for prompt in prompts)
    usage = {"prompt_tokens": read, "completion_tokens": used, "total_tokens": read + used}
    if (request.stream_options or {}).get("include_usage"):
        yield head | {"choices": [], "usage": usage}
    unknown = list(dict.fromkeys(part for prompt in prompts for part in model.unknown_in(prompt)))
    return head | {"choices": choices, "usage": usage, "unknown": unknown}


def _pieces(
    model: _Watched, choice: _Choice, request: Completion, sampling: Sampling, head: dict[str, Any]
) -> Generator[dict[str, Any], None, None]:
    """Write one text."""
    tokens = model.generate(
        choice.prompt,
        length=request.max_tokens,
        stop=request.stop,
        sampling=sampling,
        number=choice.index,
        no_repeat_ngram_size=request.no_repeat_ngram_size,
    )
    for number, token in enumerate(tokens):
        choice.tokens.append(token)
        yield head | {"choices": [choice.values(number, None)]} if request.stream else {}
    yield head | {"choices": [choice.values(len(choice.tokens), reason_of(model, request))]}


def reason_of(model: _Watched, request: Completion) -> str:
    """Why a text ended: `length` if there was no room for more, else `stop`."""
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or ()
    text = "".join(token.text for token in model.drawn)
    is_full = len(model.drawn) == request.max_tokens and not model.ended
    return "length" if is_full and not any(stop in text for stop in stops) else "stop"


def _require_possible(request: Completion, prompts: int) -> None:
    """Refuse a request for nothing, or for too much."""
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or ()
    if "" in stops:
        raise FieldError("stop", "`stop` is empty; give the string to stop at, or leave it out")
    if not prompts:
        raise FieldError("prompt", "`prompt` is an empty list; give a text")
    if prompts * request.n > MAX_TEXTS:
        raise FieldError("n", f"{prompts * request.n:,} texts are asked for; at most {MAX_TEXTS} are written at once")
    if prompts * request.n * request.max_tokens > MAX_TOKENS:
        raise FieldError("max_tokens", f"at most {MAX_TOKENS:,} tokens are written at once; ask for fewer")
    if request.echo and request.logprobs is not None:
        raise FieldError("echo", "`echo` gives no `logprobs` of the prompt; leave one of them out", "unsupported_field")


PART = Part(
    load=lambda folder, device: Writer.load(folder),
    endpoints=(
        Endpoint(
            "/v1/completions",
            "Goes on with a text. OpenAI's clients work with it.",
            Completion,
            complete,
            {"prompt": "The ", "max_tokens": 80, "temperature": 0.6, "seed": 1},
            streams=True,
        ),
    ),
    page=(("recurra.tasks.text", "panel.js"), ("recurra.tasks.text", "panel.css")),
)
