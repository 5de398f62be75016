"""Translation memories and catalogues: what translators' files hold comes through, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.tasks.translation.data import Pairs, open_pairs

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
<tu tuid="1"><tuv xml:lang="de"><seg>Guten &amp; Tag</seg></tuv><tuv xml:lang="en"><seg>Good day</seg></tuv></tu>
<tu><note>x</note><tuv xml:lang="en">
<seg>Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> <hi>now</hi></seg></tuv>
<tuv xml:lang="de"><seg>Jetzt OK drücken</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>
</body></tmx>
"""

PO = r"""# Translators
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#: src/a.c:1
msgid "Open \"%s\""
msgstr "»%s« öffnen"

#, fuzzy, c-format
msgid "fuzzy"
msgstr "falsch"

msgctxt "menu"
msgid ""
"A long "
"line"
msgstr "Eine lange "
"Zeile"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

msgid "missing"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
"""


def read(folder: Path, name: str, text: str, **options: str) -> Pairs:
    (folder / name).write_text(text, encoding="utf-8")
    return open_pairs([folder / name], **options)


def test_a_memory_is_read_from_the_language_it_is_written_in(tmp_path: Path) -> None:
    pairs = read(tmp_path, "m.tmx", TMX)
    assert pairs.sources == ["Good day", "Press OK now"]
    assert pairs.targets == ["Guten & Tag", "Jetzt OK drücken"]
    assert pairs.skipped == [f"{tmp_path / 'm.tmx'}, unit 3: the target is empty"]
    assert read(tmp_path, "m.tmx", TMX, columns="de,en").sources == pairs.targets


def test_of_several_languages_two_must_be_named(tmp_path: Path) -> None:
    three = TMX.replace("</tu>", '<tuv xml:lang="fr"><seg>bonjour</seg></tuv></tu>', 2)
    with pytest.raises(RecurraError, match="does not say which of its columns"):
        read(tmp_path, "m.tmx", three)
    assert read(tmp_path, "m.tmx", three, columns="fr,en").targets == ["Good day", "Press OK now"]


def test_a_catalogue(tmp_path: Path) -> None:
    pairs = read(tmp_path, "de.po", PO)
    assert list(zip(pairs.sources, pairs.targets, strict=True)) == [
        ('Open "%s"', "»%s« öffnen"),
        ("A long line", "Eine lange Zeile"),
        ("%d file", "%d Datei"),
        ("%d files", "%d Dateien"),
    ]
    assert [reason.partition(": ")[2] for reason in pairs.skipped] == ["it is fuzzy", "the target is empty"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("m.tmx", "<tmx><body>", "line 1: this is not XML"),
        ("m.tmx", '<!DOCTYPE tmx [<!ENTITY a "aa">]><tmx><body/></tmx>', "declares entities"),
        ("m.tmx", "<tmx><body/></tmx>", "has no units in two languages"),
        ("c.po", 'msgid "a"\nmsgstr "b"\nnonsense\n', "line 3: this is no line of a PO file"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(RecurraError, match=reason):
        read(tmp_path, name, text)
