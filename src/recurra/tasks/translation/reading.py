"""A sentence as the network reads it, and its translation as a person does.

What must not change is behind placeholders. A sentence in capitals is read in small letters if these are what the
vocabulary is made of, and its translation is put in capitals.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from recurra.data.placeholders import Placeholders
from recurra.data.vocabulary import Vocabulary, VocabularyPair
from recurra.data.words import WordSplitter, find_words
from recurra.decoding.constraints import Required

FOREIGN = 1.5
"""Subwords never seen in capitals fall to so many times as many pieces, or more, if they are read so nevertheless."""

MIN_LETTERS = 5
"""Fewer letters in capitals are an abbreviation or a name."""


class Reading(NamedTuple):
    """A sentence as it is read.

    Attributes:
        text: with placeholders.
        values: what they stand for.
        recased: the sentence was in capitals, and was read with other letters; then these are what the placeholders
            in the sentence itself stood for.
    """

    text: str
    values: tuple[str, ...]
    recased: tuple[str, ...] | None = None

    def restored(self, output: str, placeholders: Placeholders) -> str:
        """A translation with what placeholders stand for, in capitals if the sentence was."""
        text = placeholders.unmask(output, self.values)
        return text if self.recased is None else placeholders.unmask(text.upper(), self.recased)


def read_sentence(text: str, vocabularies: VocabularyPair, translated: Collection[str] = ()) -> Reading:
    """A sentence as the network reads it.

    Args:
        text: the sentence.
        vocabularies: which know what is kept.
        translated: words that are not kept although they were never seen, case-folded.
    """
    placeholders, vocabulary = vocabularies.placeholders, vocabularies.source
    own = placeholders.mask(text, translated, words=False)
    if own.text.isupper() and sum(map(str.isupper, own.text)) >= MIN_LETTERS:
        small = _in_small_letters(own.text, vocabularies)
        if _is_foreign(own.text, small, vocabulary):
            masked = placeholders.mask(small, translated)
            return Reading(masked.text, masked.values, own.values)
    masked = placeholders.mask(text, translated)
    return Reading(masked.text, masked.values)


def _in_small_letters(text: str, vocabularies: VocabularyPair) -> str:
    """A sentence in small letters but for the first, and for words that are known with a capital only."""
    words, vocabulary = vocabularies.placeholders.words, vocabularies.source

    def is_known(word: str) -> bool:
        return word in words if words is not None else not vocabulary.unknown_in(word)

    small = text.capitalize()
    if words is None and vocabulary.tokenizer.kind != "words":
        return small
    known = {
        word: word.title() for word in WordSplitter().split(small) if not is_known(word) and is_known(word.title())
    }
    return "".join(
        piece.replace(word, known[word]) if (word := piece.strip()) in known else piece for piece in find_words(small)
    )


def _is_foreign(capitals: str, small: str, vocabulary: Vocabulary) -> bool:
    """Whether a vocabulary is made for small letters rather than for these capitals."""
    if vocabulary.tokenizer.unknown is not None:
        return len(vocabulary.unknown_in(small)) < len(vocabulary.unknown_in(capitals))
    if vocabulary.tokenizer.kind != "subwords":
        return False
    return len(vocabulary.encode(capitals)) >= FOREIGN * len(vocabulary.encode(small))


def required_placeholders(text: str, vocabularies: VocabularyPair) -> Required:
    """What the placeholders of a sentence are in its translation: each is to be in it."""
    symbols = set(text) & set(vocabularies.placeholders.symbols)
    runs = [vocabularies.target.runs_of(symbol) for symbol in sorted(symbols)]
    return [forms for forms in runs if forms]


def foreign_placeholders(text: str, vocabularies: VocabularyPair) -> list[int]:
    """The tokens that are placeholders which a sentence does not have: nothing could be put in their place."""
    foreign = set(vocabularies.placeholders.symbols) - set(text)
    runs = [run for symbol in sorted(foreign) for run in vocabularies.target.runs_of(symbol)]
    return [run[0] for run in runs if len(run) == 1]
