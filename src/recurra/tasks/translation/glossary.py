"""A glossary: how terms of the source are to be translated, whatever the network would write."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import regex

from recurra.data.columns import Wanted
from recurra.data.tables import read_tables
from recurra.data.vocabulary import Vocabulary
from recurra.data.words import find_words
from recurra.decoding.constraints import Forms
from recurra.errors import RecurraError
from recurra.progress import note

WANTED = Wanted(("term,translation", "source,target", "src,tgt"), fixed=True)

UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"  # terms are not told apart by spaces
)


class Term(NamedTuple):
    """A term that stands in a sentence.

    Attributes:
        parts: the words of the sentence it is made of, and itself.
        runs: the tokens of its translations, one of which must be written.
    """

    parts: list[str]
    runs: Forms


class Glossary:
    """Terms and the translations that are admitted for each.

    Args:
        entries: terms with their translations; a term that comes again has one more.
        target: what is written.

    Attributes:
        unwritable: the translations that hold what the model cannot write, which are left out.
    """

    def __init__(self, entries: Sequence[tuple[str, str]], target: Vocabulary) -> None:
        self.unwritable = list(dict.fromkeys(written for _, written in entries if target.unknown_in(written)))
        self._target = target
        self._translations: dict[str, list[str]] = {}
        for term, written in entries:
            if written not in self.unwritable:
                self._translations.setdefault(_plain(term), []).append(written)
        # A term in small letters is also found with a capital or in capitals; another one only as it is.
        self._terms = {vary(term): term for vary in (str.upper, _capital, str) for term in self._translations}
        longest = sorted(self._terms, key=lambda term: (-len(term), term))
        self._pattern = regex.compile("|".join(map(_whole, longest))) if longest else None

    @classmethod
    def read(cls, path: Path, target: Vocabulary) -> Glossary:
        """The glossary in a table of two columns, a term and its translation.

        Raises:
            RecurraError: if it cannot be read, or nothing in it can be written.
        """
        table = read_tables([path], WANTED)
        for reason in table.skipped:
            note(f"left out: {reason}")
        glossary = cls(list(zip(*table.columns, strict=True)), target)
        if glossary.unwritable:
            unknown = target.unknown_in(glossary.unwritable[0])[0]
            count, first = len(glossary.unwritable), glossary.unwritable[0]
            if not glossary._translations:
                raise RecurraError(
                    f"{path}: the model cannot write {unknown!r} of {first!r}, nor any other translation"
                )
            note(f"left out: {path}: {count:,} translation(s) the model cannot write, such as {unknown!r} of {first!r}")
        return glossary

    def terms_in(self, sentence: str) -> list[Term]:
        """The terms that stand in a sentence, each once, the longest where several could."""
        found: dict[str, str] = {}
        if self._pattern:
            for match in self._pattern.finditer(_plain(sentence)):
                found.setdefault(self._terms[match.group()], match.group())
        return [
            Term([shown, *(word.strip() for word in find_words(shown))], self._runs(term, shown))
            for term, shown in found.items()
        ]

    def _runs(self, term: str, shown: str) -> Forms:
        """The tokens of a term's translations; with a capital too where it has one that is not its own."""
        written = self._translations[term]
        forms = [*written, *map(_capital, written)] if shown != term else written
        known = [form for form in forms if not self._target.unknown_in(form)]
        return [self._target.encode(form)[:-1].tolist() for form in dict.fromkeys(known)]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _whole(term: str) -> str:
    """A pattern of a term as whole words, where words are told apart by spaces."""
    before = "" if UNSPACED.match(term[0]) else r"(?<!\w)"
    after = "" if UNSPACED.match(term[-1]) else r"(?!\w)"
    return f"{before}{regex.escape(term)}{after}"
