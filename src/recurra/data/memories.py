"""Translations as translators have them: memories (TMX 1.4; XLIFF 1.2 and 2), catalogues (gettext's PO).

And pronouncing dictionaries as CMUdict is: a word and its sounds in a line, further pronunciations as `word(2)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from recurra.errors import RecurraError

ENDINGS = (".tmx", ".xlf", ".xliff", ".po", ".dict")

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

_CODES = ("bpt", "ept", "ph", "it", "ut", "x", "bx", "ex", "sc", "ec")
"""Elements of a segment that hold another format's codes, not text."""

_UNFINISHED = ("new", "initial", "needs-translation", "needs-l10n", "needs-adaptation")
"""States of an XLIFF unit that has no translation, or a copy of its source for one."""

_REMARK = re.compile(r"^;;;.*|\s#\s.*")

_VARIANT = re.compile(r"\(\d+\)$")

_ENTRY = re.compile(r'(msgid|msgid_plural|msgctxt|msgstr(?:\[\d+\])?)\s+"(.*)"\s*$')

_ESCAPED = re.compile(r"\\(.)")

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Memory(NamedTuple):
    """A table of translations.

    Attributes:
        names: of its columns: languages, or what a catalogue calls source and translation.
        rows: number of a unit, from 1, and its cells, empty where there is none; or why it is left out.
    """

    names: list[str]
    rows: list[tuple[int, list[str] | str]]


def read_memory(text: str, ending: str, where: str) -> Memory:
    """The units of a translation memory or a catalogue.

    Args:
        text: of the file.
        ending: of its name, one of `ENDINGS`.
        where: the file, for errors.

    Raises:
        RecurraError: if it is not one.
    """
    if ending == ".po":
        return _po(text, where)
    if ending == ".dict":
        return Memory(["source", "target"], list(_dictionary(text)))
    root = _xml(text, where)
    return _tmx(root, where) if ending == ".tmx" else _xliff(root, where)


def _xml(text: str, where: str) -> ElementTree.Element:
    """The root of an XML document, the names in it without their namespaces."""
    # A declaration of an encoding is about the file's bytes, which have been decoded.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    if "<!ENTITY" in text:
        raise RecurraError(f"{where} declares entities, which no translation memory needs; take them out")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise RecurraError(f"{where}, line {error.position[0]}: this is not XML ({error}); correct it there") from error
    for element in root.iter():
        if isinstance(element.tag, str):  # instructions and comments have none
            element.tag = element.tag.rpartition("}")[2]
    return root


def _tmx(root: ElementTree.Element, where: str) -> Memory:
    units = []
    for unit in root.iter("tu"):
        segments: dict[str, str] = {}
        for variant in unit.iter("tuv"):
            segment = variant.find("seg")
            language = variant.get(_LANGUAGE) or variant.get("lang") or ""
            if segment is not None:
                segments.setdefault(language, "".join(_texts(segment)))
        units.append(segments)
    header = root.find("header")
    first = [] if header is None else [header.get("srclang", "")]
    seen = dict.fromkeys(language for segments in units for language in segments)
    names = [*(name for name in first if name in seen), *(name for name in seen if name not in first)]
    if len(names) < 2:
        raise RecurraError(f"{where} has no units in two languages; give a translation memory (TMX)")
    return Memory(names, [(number, [each.get(name, "") for name in names]) for number, each in enumerate(units, 1)])


def _xliff(root: ElementTree.Element, where: str) -> Memory:
    """The units of version 1.2, and the segments of version 2."""
    rows: list[tuple[int, list[str] | str]] = []
    units = [unit for unit in root.iter() if unit.tag in ("trans-unit", "segment")]
    for number, unit in enumerate(units, 1):
        source, target = unit.find("source"), unit.find("target")
        state = unit.get("state") or ("" if target is None else target.get("state", ""))
        if state in _UNFINISHED:
            rows.append((number, f"its state is {state}"))
        else:
            rows.append((number, ["" if side is None else "".join(_texts(side)) for side in (source, target)]))
    if not rows:
        raise RecurraError(f"{where} has no units with source and target; give XLIFF 1.2 or 2")
    return Memory(["source", "target"], rows)


def _texts(element: ElementTree.Element) -> Iterator[str]:
    """The text of a segment without the codes in it."""
    yield element.text or ""
    for part in element:
        if part.tag not in _CODES:
            yield from _texts(part)
        yield part.tail or ""


def _dictionary(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """The words of a pronouncing dictionary and their sounds, by line; a tab between them makes words of several."""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        entry = _REMARK.sub("", line).strip()
        word, *sounds = entry.split("\t" if "\t" in entry else None, 1) or [""]
        if word:
            yield number, [_VARIANT.sub("", word), *sounds] if sounds else "there is no pronunciation"


def _po(text: str, where: str) -> Memory:
    rows: list[tuple[int, list[str] | str]] = []
    for number, (fields, fuzzy) in enumerate(_entries(text, where), 1):
        source, plural = fields.get("msgid", ""), fields.get("msgid_plural", "")
        single = fields.get("msgstr", fields.get("msgstr[0]", ""))
        if fuzzy and source:
            rows.append((number, "it is fuzzy"))
        elif source:
            rows.append((number, [source, single]))
            if plural:
                rows.append((number, [plural, fields.get("msgstr[1]", single)]))
    return Memory(["source", "target"], rows)


def _entries(text: str, where: str) -> Iterator[tuple[dict[str, str], bool]]:
    """The fields of each entry, and whether it is marked as fuzzy; obsolete ones are comments."""
    fields, fuzzy, last = dict[str, str](), False, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = line.strip()
        found = _ENTRY.fullmatch(line)
        begins = line.startswith("#") or (found is not None and found[1] in ("msgctxt", "msgid"))
        if begins and (last.startswith("msgstr")):
            yield fields, fuzzy
            fields, fuzzy, last = {}, False, ""
        if found:
            last = found[1]
            fields[last] = _unescaped(found[2])
        elif line.startswith('"') and line.endswith('"') and len(line) > 1 and last:
            fields[last] += _unescaped(line[1:-1])
        elif line.startswith("#,"):
            fuzzy = "fuzzy" in line
        elif line and not line.startswith("#"):
            raise RecurraError(f"{where}, line {number}: this is no line of a PO file; correct it there")
    if last:
        yield fields, fuzzy


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text)
