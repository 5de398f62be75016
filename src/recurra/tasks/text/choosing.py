"""Writing in turns: the model says what may come next, a person chooses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from recurra.decoding.sampling import Sampling
from recurra.progress import note
from recurra.tasks.text.growing import GrowingText, WrittenToken

TAIL = 60
"""Characters of the text that are shown before each choice."""

END = "the end of the document"


def choose(text: GrowingText, answers: Iterable[str], count: int, sampling: Sampling, length: int) -> Iterator[str]:
    """Show what may come next, take an answer and go on, until there is none or the document ends.

    An answer is the number of a candidate, nothing for a token that is drawn, or text of one's own; text that could be
    such a number is written after a plus sign.

    Args:
        text: what grows.
        answers: lines without their ends.
        count: of the candidates that are shown.
        sampling: how to draw.
        length: most answers that are taken.

    Yields:
        What each answer has added.
    """
    generator, lines = sampling.generator(0), iter(answers)
    for _ in range(length):
        found = text.candidates(count)
        note(shown(text.text, found, text.tokenizer.boundary))
        answer = next(lines, None)
        if answer is None:
            return
        before = text.text
        if not answer or (answer.isdecimal() and 1 <= int(answer) <= len(found)):
            tokens = [found[int(answer) - 1].token if answer else text.draw(sampling, generator)]
        else:
            tokens = typed(text, answer.removeprefix("+"))
        if text.tokenizer.boundary in tokens:
            note(END)
            return
        for token in tokens:
            text.add(token)
        yield text.text[len(before) :]


def shown(text: str, found: Sequence[WrittenToken], boundary: int | None) -> str:
    """The end of a text and a numbered line for each candidate."""
    lines = [
        f"{number:>4}  {math.exp(each.log_prob):9.4%}  {END if each.token == boundary else repr(each.text)}"
        for number, each in enumerate(found, 1)
    ]
    return "\n".join([f"{'...' if len(text) > TAIL else ''}{text[-TAIL:]}|", *lines])


def typed(text: GrowingText, answer: str) -> list[int]:
    """The tokens of an answer; none, and a note, where the model has no token for a part of it."""
    tokens = [int(token) for token in text.tokenizer.encode(answer)]
    if text.tokenizer.unknown in tokens:
        note(f"the model cannot write {answer!r}; choose a number, or write something else")
        return []
    return tokens
