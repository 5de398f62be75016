"""What transcripts are made of, by number: characters, symbols of several letters, or whole words; 0 is CTC's blank."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import regex

from recurra.data.tokenizer import Tokens
from recurra.errors import RecurraError

BLANK = 0
"""The number that stands for no symbol (Graves et al. 2006)."""

EDGE = BLANK
"""The number that begins and ends what a decoder writes: in transcripts the blank of CTC has no use."""


@dataclass(frozen=True)
class Symbols:
    """The symbols of a model's transcripts.

    Attributes:
        names: each as it is written; the first has the number 1.
        lowercase: whether transcripts are brought to small letters.
        words: whether each is a whole word, with spaces between them.
    """

    names: tuple[str, ...]
    lowercase: bool
    words: bool = False

    @classmethod
    def of(cls, transcripts: Iterable[str], lowercase: bool, longer: Sequence[str] = ()) -> Symbols:
        """The symbols of transcripts: every character, and those of several letters that are given."""
        longer = [unicodedata.normalize("NFC", name.lower() if lowercase else name) for name in longer]
        draft = cls(tuple(longer), lowercase)
        characters = {part for text in transcripts for part in draft.split(text)}
        return cls(tuple(sorted(characters | set(longer))), lowercase)

    @classmethod
    def of_words(cls, transcripts: Iterable[str], lowercase: bool) -> Symbols:
        """The words of transcripts as symbols: where there are few, a network has less to learn of each."""
        draft = cls((), lowercase, words=True)
        return cls(tuple(sorted({word for text in transcripts for word in draft.split(text)})), lowercase, words=True)

    @property
    def size(self) -> int:
        """Number of symbols, the blank included."""
        return len(self.names) + 1

    @property
    def between(self) -> str:
        """What stands between two symbols in a text."""
        return " " if self.words else ""

    @property
    def space(self) -> int | None:
        """The number of the space between words; None if there is none."""
        return self._numbers.get(" ")

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names, 1)}

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        longer = sorted((name for name in self.names if len(name) > 1), key=len, reverse=True)
        return regex.compile("|".join([*map(regex.escape, longer), r"\X"]))

    def clean(self, transcript: str) -> str:
        """A transcript as it is learned: in NFC, with single spaces, in small letters if these are asked for."""
        text = " ".join(unicodedata.normalize("NFC", transcript.removeprefix("\ufeff")).split())
        return text.lower() if self.lowercase else text

    def split(self, transcript: str) -> list[str]:
        """The symbols of a transcript as they are written."""
        text = self.clean(transcript)
        return text.split() if self.words else list(self._pattern.findall(text))

    def encode(self, transcript: str) -> Tokens:
        """The numbers of a transcript's symbols, `(length,)`; those there is no symbol for are left out."""
        parts = (self._numbers.get(part) for part in self.split(transcript))
        return np.array([number for number in parts if number is not None], np.int32)

    def unknown_in(self, transcript: str) -> list[str]:
        """The parts of a transcript that there is no symbol for, each once."""
        return list(dict.fromkeys(part for part in self.split(transcript) if part not in self._numbers))

    def text(self, numbers: Iterable[int]) -> str:
        """The transcript of symbols; no number is the blank's."""
        return self.between.join(self.names[number - 1] for number in numbers)

    def read(self, numbers: Iterable[int]) -> str:
        """The same with single spaces, and none at its ends."""
        return " ".join(self.text(numbers).split())

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make them again, as JSON values."""
        return {"symbols": list(self.names), "lowercase": self.lowercase, "words": self.words}

    @classmethod
    def from_json(cls, values: object, where: str) -> Symbols:
        """The symbols that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"symbols": [*names], "lowercase": bool(lowercase), **rest} if all(
                isinstance(name, str) and name for name in names
            ):
                words = rest.get("words", False)
                if names and len(set(names)) == len(names) and isinstance(words, bool):
                    return cls(tuple(names), lowercase, words)
        raise RecurraError(f"{where} holds no symbols; the file is damaged, copy or train the model again")
