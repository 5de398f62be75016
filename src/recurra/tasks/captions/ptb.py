"""Captions to tokens for scoring: the Penn Treebank tokenizer as COCO's caption evaluation uses it.

COCO's evaluation (Chen et al. 2015, "Microsoft COCO captions", section 3.1; the package pycocoevalcap) runs Stanford
CoreNLP 3.4.1's `PTBTokenizer -preserveLines -lowerCase`, a Java program, and drops the tokens of `PUNCTUATION`. These
are the rules of that program that captions meet; its oddities are kept, since a score is only comparable with them:

- `man's` is `man` and `'s`; `don't` is `do` and `n't`; `cannot` is `can` and `not`; `gonna` is `gon` and `na`.
- Hyphens and slashes stay within a word (`well-lit`, `half/half`), and so do a full stop, an exclamation and a question
  mark between letters (`bench.the`), for want of a space. `&` parts (`b & w`).
- A full stop belongs to a single letter and to a known abbreviation (`mr.`, `p.m.`, `etc.`), else it is dropped.
- Brackets become `-lrb-`, `-rrb-` and so on and are kept: the list of what is dropped has them in capital letters.
- `!!` and `!?` are tokens that are not on that list, and kept; `!` alone is dropped.
- Currencies become `$`, `#` and `cents`; `½` becomes `1/2`.

Known deviations: emoji and other signs beyond Unicode's first plane are tokens here, while the Java program cannot read
them and leaves them out; web and e-mail addresses, smileys (`:-)`), mark-up (`<b>`) and telephone numbers are not
known as one token; `22 3/4` is two tokens, not one with a space in it; a single letter with a full stop keeps it,
whatever the next sentence begins with; a typographic apostrophe always becomes a straight one (there, that of o'clock
stays as it is); five dashes or more are dropped as two are; apostrophes within foreign words are known in French only.
Of the 25,014 captions of COCO's validation part of 2017 the tokens of 25,007 are the Java program's.
"""

from __future__ import annotations

import regex

NAME = "PTB (COCO's)"
"""How scores name this tokenizer."""

PUNCTUATION = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that are dropped, of those that can occur (`-LRB-` and its like cannot, being written small by then)."""

_ABBREVIATIONS = (
    "adj adm adv al ala alex apr ariz assn assoc asst atty attys aug ave bancorp bhd bldg blvd brig bros calif capt cf "
    "cie cmdr co col colo comdr conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft "
    "ga gen gov govs hon inc ind insp intl invt jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mfg mich "
    "minn mlle mme mo mon mont mr mrs ms msgr mt mtg natl neb nev nov oct okla penn pfc ph plc ppte ppty pres prof "
    "profs pte ptes pty ptys pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt supts sys tel "
    "tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo"
)
"""What keeps its full stop ..."""

_NUMBERED = "art ca fig figs no nos op pp prop"
"""... and what keeps it before a number."""

_LETTER = r"[\p{L}\p{M}]"
_WORDLY = r"[\p{L}\p{M}\p{Nd}]"
_UNIT = r"[\p{L}\p{M}\p{Nd}]+(?:_[\p{L}\p{M}\p{Nd}]+)*"
_END = r"(?![\p{L}\p{M}\p{Nd}])"

_TOKEN = regex.compile(
    "|".join(
        [
            rf"(?<!{_WORDLY})(?:can(?=not{_END})|(?:gon|wan)(?=na{_END})|got(?=ta{_END})|(?:gim|lem)(?=me{_END}))",
            rf"{_LETTER}+(?=n't{_END})",
            rf"n't{_END}",
            rf"'n'|'em|'(?:s|m|d|ll|re|ve|til|cause|n){_END}|'t(?=(?:is|was){_END})",
            rf"(?<!{_WORDLY})'\d\ds?{_END}",
            rf"(?<!{_WORDLY})(?-i:[A-Z]&[A-Z]){_END}",
            # Letters with a full stop each, and abbreviations.
            rf"(?<!{_WORDLY})(?:ed\.d\.|ph\.d\.|(?:\p{{L}}\.)+)(?!{_LETTER})(?:-{_UNIT})*",
            rf"(?<![\p{{L}}\p{{Nd}}\p{{M}}-])(?:(?:{'|'.join(_ABBREVIATIONS.split())})\.(?!{_LETTER})"
            rf"|(?:{'|'.join(_NUMBERED.split())})\.(?=\s*\d))",
            # French and Irish elisions, and what looks like them.
            rf"(?<!{_WORDLY})(?:(?:[dlno]|{_LETTER}{{0,9}}qu)'{_LETTER}{{2,}}|c'mon|c'est|d'y[ae]|ma'ams?|s'mores)"
            rf"(?:[-/]{_UNIT})*|(?<!{_WORDLY})(?:[djly]'(?={_LETTER})|ol'{_END})",
            # Numbers with separators; words, with what may stand within them.
            rf"(?<![\p{{L}}\p{{Nd}}\p{{M}})])[-+]?\d*(?:[.,:]\d+)+(?:-{_UNIT})*|(?<![\p{{L}}\p{{Nd}}\p{{M}})])[-+]\d+",
            rf"{_LETTER}+(?:[.?!]{_LETTER}+)+",
            rf"(?:[#@](?=\p{{L}}))?{_UNIT}(?:[-/]{_UNIT})*",
            r"--+|[?!]+|\S",
        ]
    ),
    regex.IGNORECASE,
)

_SPELLED = str.maketrans(
    {"\u2019": "'", '"': "`"}
    | dict.fromkeys("\u2018\u201c\u201d\xab\xbb\u2039\u203a", "`")  # quotation marks
    | dict.fromkeys("\u2012\u2013\u2014\u2015", " -- ")
    | dict.fromkeys("\u200b\x1c\x1d\x1e\x1f", " ")
    | {"\u2026": " ... ", "\xad": None}
    | {"½": " 1/2 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅓": " 1/3 ", "⅔": " 2/3 "}
    | {"€": "$", "£": "#", "¢": " cents "}
)
"""Characters that are written otherwise; what stands for a quotation mark here only has to be dropped."""

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}
_ENTITY = regex.compile(rf"&({'|'.join(_ENTITIES)});", regex.IGNORECASE)

_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}


def tokenize(caption: str) -> list[str]:
    """The tokens of a caption, in small letters, without punctuation.

    Args:
        caption: one; line ends in it are spaces.

    Returns:
        The tokens in order, none of which has white space in it; none at all for a caption of punctuation only.
    """
    text = _ENTITY.sub(lambda match: _ENTITIES[match[1].lower()], caption).translate(_SPELLED)
    found = (_BRACKETS.get(token, token).lower() for token in _TOKEN.findall(text))
    return [token for token in found if token not in PUNCTUATION and not token.startswith("--")]
