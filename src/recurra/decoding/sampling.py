"""Drawing tokens one after another, each fed back as the next input."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, NamedTuple, TypeVar

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.config import Options, Range
from recurra.decoding.drawing import draw_plainly
from recurra.errors import NOT_NUMBERS, OptionError, RecurraError

StateT = TypeVar("StateT")
TokenStep = Callable[[int, StateT], tuple[FloatArray, StateT]]
"""Takes a token and a state to the next token's logits `(vocabulary_size,)` and the new state."""

Forbidden = Callable[[StateT], IntArray]
"""The tokens that must not come next after a state."""

NONE: IntArray = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Sampling(Options):
    """How the next token is chosen from its distribution."""

    group: ClassVar[str] = "sampling"

    temperature: Annotated[float, Range(1e-6, 1e6)] = 0.8
    """What the logits are divided by; the lower, the more predictable."""
    top_k: Annotated[int, Range(0, 2**31)] = 0
    """Choose only among this many most probable tokens; 0 for all."""
    top_p: Annotated[float, Range(1e-9, 1.0)] = 1.0
    """Choose only among the most probable tokens that together have this probability."""
    greedy: bool = False
    """Always take the most probable token."""
    seed: Annotated[int | None, Range(0, 2**128)] = None
    """Seed of the choices; a new one each time if not given."""

    def __post_init__(self) -> None:
        if isinstance(self.temperature, int | float) and not self.temperature > 0:
            raise OptionError(f"`temperature` is {self.temperature}, but must be above 0; `greedy` takes the likeliest")
        super().__post_init__()

    def seeded(self) -> Sampling:
        """The same with a seed, a fresh one if there is none."""
        return self if self.seed is not None else replace(self, seed=fresh_seed())

    def generator(self, sample: int = 0) -> np.random.Generator:
        """The random numbers of one sample of a seed: independent of those of any other sample of any other seed."""
        return np.random.default_rng(np.random.SeedSequence(self.seeded().seed, spawn_key=(sample,)))


def fresh_seed() -> int:
    """A seed nobody chose, short enough to type."""
    return secrets.randbelow(10**6)


class Drawn(NamedTuple):
    """A token, and its log-probability under the model itself (temperature 1, nothing cut off), nats."""

    token: int
    log_prob: float


def read(step: TokenStep[StateT], tokens: Sequence[int], state: StateT) -> tuple[FloatArray, StateT]:
    """Feed tokens (at least one); the logits after the last, and the state."""
    logits, state = step(int(tokens[0]), state)
    for token in tokens[1:]:
        logits, state = step(int(token), state)
    return logits, state


def sample_tokens(
    step: TokenStep[StateT],
    logits: FloatArray,
    state: StateT,
    sampling: Sampling,
    generator: np.random.Generator,
    forbidden: Forbidden[StateT] | None = None,
    compiled: bool = True,
) -> Iterator[Drawn]:
    """Draw tokens without end.

    Args:
        step: the model.
        logits: of the first token to draw, `(vocabulary_size,)`.
        state: the state that goes with them.
        sampling: how to choose.
        generator: one number is taken from it for each token.
        forbidden: tokens that must not be drawn next; never all of them. None where all may.
        compiled: draw with compiled code, which takes half a second to load; the tokens are the same.

    Raises:
        RecurraError: if the logits hold NaN or infinity.
    """
    draw = _compiled_draw(len(logits)) if compiled else draw_plainly
    temperature = 0.0 if sampling.greedy else sampling.temperature
    while True:
        allowed = logits
        suppressed = NONE if forbidden is None else forbidden(state)
        if len(suppressed):
            allowed = logits.copy()
            allowed[suppressed] = -np.inf
        uniform = generator.random()
        try:
            token, log_prob = draw(allowed, temperature, sampling.top_k, sampling.top_p, uniform)
        except ValueError as error:
            raise RecurraError(NOT_NUMBERS) from error
        if len(suppressed):
            log_prob = _among_all(log_prob, logits[token], logits[suppressed])
        yield Drawn(int(token), float(log_prob))
        logits, state = step(int(token), state)


def _compiled_draw(size: int) -> Callable[[FloatArray, float, int, float, float], tuple[int, float]]:
    """`kernels.sampling.draw` with scratch space for a vocabulary."""
    from recurra.kernels.sampling import draw  # Numba takes a while to load, and most that know the options do not draw

    return partial(draw, weights=np.empty(size, np.float32), keys=np.empty(size, np.int32))


def _among_all(log_prob: float, logit: float, suppressed: FloatArray) -> float:
    """A token's log-probability with the suppressed logits back in the distribution."""
    log_normaliser = float(logit) - log_prob
    return float(logit) - float(np.logaddexp.reduce([log_normaliser, *suppressed.astype(np.float64)]))
