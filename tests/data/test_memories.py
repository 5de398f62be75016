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

XLIFF = """<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2">
<file source-language="en" target-language="de"><body>
<!-- a comment --><trans-unit id="1"><source>Save</source><target>Speichern</target></trans-unit>
<group><trans-unit id="2"><source>Press <g id="1">OK</g><x id="2"/> now</source><target>Jetzt <g id="1">OK</g></target>
<alt-trans><source>other</source><target>anderes</target></alt-trans></trans-unit></group>
<trans-unit id="3"><source>same</source><target state="needs-translation">same</target></trans-unit>
<trans-unit id="4"><source>alone</source></trans-unit></body></file></xliff>
"""

XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="de"><file id="f">
<unit id="1"><segment><source>Save</source><target>Speichern</target></segment>
<segment state="initial"><source>a</source><target>a</target></segment>
<segment state="final"><source>Press <pc id="1">OK</pc></source><target><pc id="1">OK</pc> drücken</target></segment>
</unit></file></xliff>
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


@pytest.mark.parametrize("name", ["m.xlf", "m.xliff"])
def test_units_of_xliff(tmp_path: Path, name: str) -> None:
    pairs = read(tmp_path, name, XLIFF)
    assert (pairs.sources, pairs.targets) == (["Save", "Press OK now"], ["Speichern", "Jetzt OK"])
    reasons = [f"{tmp_path / name}, unit 3: its state is needs-translation", f"{tmp_path / name}, unit 4: the target"]
    assert [reason.removesuffix(" is empty") for reason in pairs.skipped] == reasons
    assert read(tmp_path, name, XLIFF, columns="target,source").sources == pairs.targets
    pairs = read(tmp_path, name, XLIFF_2)
    assert (pairs.sources, pairs.targets) == (["Save", "Press OK"], ["Speichern", "OK drücken"])
    assert pairs.skipped == [f"{tmp_path / name}, unit 2: its state is initial"]


def test_a_memory_with_a_namespace(tmp_path: Path) -> None:
    spaced = TMX.replace("<tmx ", '<tmx xmlns="http://www.lisa.org/tmx14" ')
    assert read(tmp_path, "m.tmx", spaced).sources == ["Good day", "Press OK now"]


def test_a_pronouncing_dictionary(tmp_path: Path) -> None:
    lines = [
        ";;; # CMUdict",
        "a AH0",
        "a(2)  EY1",
        "#hash HH AE1 SH",
        "paris P EH1 R # place, french",
        "",
        "new york\tN UW",
    ]
    pairs = read(tmp_path, "c.dict", "\r\n".join([*lines, "alone"]))
    assert pairs.answers() == {"a": ["AH0", "EY1"], "#hash": ["HH AE1 SH"], "paris": ["P EH1 R"], "new york": ["N UW"]}
    assert pairs.skipped == [f"{tmp_path / 'c.dict'}, unit 8: there is no pronunciation"]


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
        ("m.xlf", "<xliff><file/></xliff>", "has no units with source and target; give XLIFF"),
        ("c.po", 'msgid "a"\nmsgstr "b"\nnonsense\n', "line 3: this is no line of a PO file"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(RecurraError, match=reason):
        read(tmp_path, name, text)
