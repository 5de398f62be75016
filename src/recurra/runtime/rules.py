"""What a language model may be told beside the last token."""

from __future__ import annotations

from typing import Protocol

from recurra.arrays import FloatArray, IntArray


class RuleFeatures(Protocol):
    """What is known by rule from the tokens read so far: in music, the beat and which notes still sound.

    Attributes:
        size: rule features it sets for each token.
        state_size: numbers it keeps from one token to the next; all are zero before the first.
    """

    size: int
    state_size: int

    def read(self, tokens: IntArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Read tokens `(B, T)` on from a state `(B, state_size)`, which is not changed.

        Returns:
            The rule features after each token, `(B, T, R)`, 0 or 1, and the new state.
        """
