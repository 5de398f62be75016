"""Regular expressions of Python for browsers."""

from __future__ import annotations

import re

_CLASSES = {
    "w": r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
    "d": r"\p{Nd}",
    "s": r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
"""What Python's classes are in JavaScript, which keeps its own to ASCII; without the brackets."""

_KEPT = frozenset("^$\\.*+?()[]{}|/-")
"""What may stand behind a backslash in JavaScript's Unicode mode."""

_PART = re.compile(
    r"\\(?P<escape>[wdsWDSnrt]|[^A-Za-z0-9])|(?P<group>\((?:\?(?:[:=!]|<[=!]))?(?!\?))|(?P<plain>[^\\(])", re.DOTALL
)


def for_browsers(pattern: str) -> str | None:
    r"""A pattern of `regex` as JavaScript has it with the flag `u`; None if it has anything beyond the common.

    Common are classes, `\w`, `\d`, `\s`, repetition, alternatives, groups without names, what is ahead and behind.
    """
    parts, end, in_class = [], 0, False
    for found in _PART.finditer(pattern):
        if found.start() != end:
            return None
        end = found.end()
        part = _part(found, in_class)
        if part is None:
            return None
        if found["plain"] in ("[", "]"):
            in_class = found["plain"] == "["
        parts.append(part)
    return "".join(parts) if end == len(pattern) else None


def _part(found: re.Match[str], in_class: bool) -> str | None:
    escape = found["escape"]
    if escape is None:
        nested = in_class and found[0] in ("[", "&", "~")  # operations on sets, in Python some day
        return None if nested else found[0]
    if escape in _CLASSES:
        return _CLASSES[escape] if in_class else f"[{_CLASSES[escape]}]"
    if escape.lower() in _CLASSES:
        return None if in_class else f"[^{_CLASSES[escape.lower()]}]"
    return f"\\{escape}" if escape in _KEPT or escape in "nrt" else escape
