"""Files of written music opened: what is zipped unpacked, what is hostile refused, the rest put to music21's parsers.

music21's own `converter.parse` is never called. It keeps a pickled copy of every file it has read, in a folder that
others may write to, and reads that copy the next time: unpickling runs whatever is in there.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

from recurra.errors import RecurraError, os_errors
from recurra.tasks.music.io.charsets import AUTO, decode_text, is_charset
from recurra.tasks.music.io.musicxml_signs import bar_signs, name_drums, partwise
from recurra.tasks.music.io.repeats import BarMarks
from recurra.tasks.music.io.score_lengths import XmlLengths, check_kern

MAX_BYTES = 32 * 2**20
"""The largest score that is read, unpacked."""

MAX_DEPTH = 64
"""Elements of XML within each other."""

UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"<\0?\0": "utf-16-le", b"\0<\0?": "utf-16-be"}
"""How texts of two bytes a letter begin: with a mark, or as XML does."""

_NAMED_CHARSET = re.compile(rb"""\s*<\?xml[^>]{0,200}encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_ABC_CHARSET = re.compile(rb"^%%abc-charset\s+([\w.:-]{1,40})", re.MULTILINE)


class OpenScore(NamedTuple):
    """A score as music21's, and what music21 does not tell of it.

    Attributes:
        score: a stream of music21's.
        signs: of each measure, about the order of bars; None where music21 has them.
        drums: the parts, by the name they have in the file, whose pitches are drums.
    """

    score: Any
    signs: list[BarMarks] | None = None
    drums: frozenset[str] = frozenset()


def open_score(path: Path, left_out: Counter[str], charset: str = AUTO) -> OpenScore:
    """The score in a file.

    Args:
        path: its suffix says what it is: .krn, else MusicXML.
        left_out: counts what the score lacks, by kind.
        charset: see `decode_score`.

    Raises:
        RecurraError: if the file cannot be read.
        Exception: of any kind, from music21, if it makes no sense; see `explain`.
    """
    if path.suffix.lower() == ".krn":
        return OpenScore(_kern(read_text(path, charset), left_out))
    return _musicxml(musicxml_text(path, charset), left_out)


def read_text(path: Path, charset: str = AUTO) -> str:
    """The text of a file, by the encoding it names (`%%abc-charset`), else by `charset`.

    Raises:
        RecurraError: if it cannot be read or is too large.
    """
    return decode_score(_read(path), charset)


def musicxml_text(path: Path, charset: str = AUTO) -> str:
    """The text of a .musicxml, .xml or .mxl file, unpacked but not looked at.

    Raises:
        RecurraError: if it cannot be read or is too large.
        ValueError: if it is damaged; the message goes on after the file's name.
    """
    return decode_score(_unzip(path) if path.suffix.lower() == ".mxl" else _read(path), charset)


def require_music21() -> Any:
    """The library music21, or one sentence that says how to get it."""
    try:
        import music21
    except ImportError as error:
        raise RecurraError("scores need one more package: pip install 'recurra[music]'") from error
    return music21


def explain(error: Exception) -> str:
    """What is wrong with a score, to go on after the file's name."""
    if isinstance(error, RecurraError):
        return str(error)
    text = " ".join(str(error).split()).rstrip(".")
    return text if type(error) is ValueError and text else f"cannot be read ({type(error).__name__}: {text[:200]})"


def _read(path: Path) -> bytes:
    with os_errors("reading", path):
        if path.stat().st_size > MAX_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no score is; split it")
        return path.read_bytes()


def _unzip(path: Path) -> bytes:
    """The score in a compressed MusicXML file: the one its container names, else the first."""
    data = _read(path)
    if not data.startswith(b"PK"):
        return data  # some programs write plain MusicXML under this name
    with os_errors("reading", path):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                inside = [name for name in names if name.lower().endswith((".xml", ".musicxml"))]
                inside = [name for name in inside if not name.startswith("META-INF")]
                if "META-INF/container.xml" in names:
                    container = _limited(archive, "META-INF/container.xml")
                    named = re.findall(r'full-path="([^"]*)"', container.decode("utf-8", "replace"))
                    inside = [name for name in named if name in names][:1] or inside
                if not inside:
                    raise ValueError("holds no MusicXML")
                return _limited(archive, inside[0])
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"is a damaged .mxl file ({error})") from error


def _limited(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"unpacks to more than {MAX_BYTES // 2**20} MiB, which no score does")
    return data


def decode_score(data: bytes, charset: str = AUTO) -> str:
    """The text of a score, by its byte-order mark or by the encoding it names, as XML and ABC do; else by `charset`.

    An encoding in which the bytes make no sense is not believed.

    Raises:
        ValueError: if it names an encoding that does not exist.
    """
    for mark, encoding in UTF_16.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace").removeprefix("\ufeff")
    data = data.removeprefix(codecs.BOM_UTF8)
    if named := _NAMED_CHARSET.match(data) or _ABC_CHARSET.search(data):
        name = named[1].decode()
        if not is_charset(name):
            raise ValueError(f"names an encoding that does not exist ({name})")
        with contextlib.suppress(UnicodeDecodeError):
            # What could be read up to its own name is not in an encoding of two bytes a letter.
            return data.decode("utf-8" if "16" in name or "32" in name else name)
    return decode_text(data, charset)


def _musicxml(text: str, left_out: Counter[str]) -> OpenScore:
    from music21.musicxml import xmlToM21

    _check_xml(text)
    root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    if root.tag == "score-timewise":
        root = partwise(root)
    if root.tag != "score-partwise":
        raise ValueError(f"cannot be read (it holds <{root.tag[:40]}>, not <score-partwise>)")
    left_out["crescendos and diminuendos"] += sum(
        wedge.get("type") in ("crescendo", "diminuendo") for wedge in root.iter("wedge")
    )
    signs = bar_signs(root)
    drums = name_drums(root, left_out)
    importer: Any = xmlToM21.MusicXMLImporter()
    importer.xmlRoot = root
    importer.xmlRootToScore(root, importer.stream)
    return OpenScore(importer.stream, signs, frozenset(drums))


def _check_xml(text: str) -> None:
    """Refuse what makes a parser blow up: entities that grow, elements nested without end, lengths without end."""
    depth = 0
    content: list[str] = []
    lengths = XmlLengths()

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        content.clear()
        if depth > MAX_DEPTH:
            raise ValueError(f"nests its elements more than {MAX_DEPTH} deep, which no score does")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        lengths.see(name, "".join(content), parser.CurrentLineNumber)
        content.clear()

    def entity(*declaration: Any) -> None:
        raise ValueError("declares entities, which no score needs")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, entity
    parser.CharacterDataHandler = content.append
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise ValueError(f"is not MusicXML ({error})") from error


def _kern(text: str, left_out: Counter[str]) -> Any:
    from music21.dynamics import Dynamic
    from music21.humdrum.spineParser import HumdrumDataCollection

    check_kern(text)
    with contextlib.redirect_stderr(io.StringIO()):  # remarks on signs it does not know
        collection = HumdrumDataCollection(text)
        collection.parse()
    spines = len(re.findall(r"\*\*dynam\b", text))
    if spines and not any(collection.stream.recurse().getElementsByClass(Dynamic)):
        left_out["dynamics of staves without a number"] += spines  # music21 does not know which they are for
    return collection.stream
