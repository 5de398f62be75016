"""How files of music are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from recurra.config import Options
from recurra.tasks.music.io.charsets import AUTO, require_charset


@dataclass(frozen=True)
class Reading(Options):
    """What can be chosen about reading files."""

    group: ClassVar[str] = "data"

    strict: bool = False
    """Refuse MIDI files that are damaged or unusual, instead of reading them as far as they can be."""
    charset: str = AUTO
    """Encoding of text in files that do not name theirs (MIDI, ABC): utf-8, shift_jis, ...; guessed if auto."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_charset(self.charset)
