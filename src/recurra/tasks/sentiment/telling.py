"""An explanation as a terminal shows it, and as JSON."""

from __future__ import annotations

from typing import Any

from recurra.tasks.sentiment.explanation import Explained, Explanation

HALF = 12
"""Characters of the longest bar."""

CURVE = 20
"""Characters of the curve's width."""

MOST_NGRAMS = 8
"""N-grams that are listed."""

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def percent(value: float) -> str:
    """A probability as people read it; never 100 % unless it is."""
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def told(explanation: Explanation) -> str:
    """The words of a text with a bar each and the mood after each, then pairs, n-grams and the nearest examples."""
    saliency = explanation.saliency
    width = max(8, *(len(word) for word in saliency.words))
    lines = [
        f"{explanation.text}\n{explanation.answer}  {percent(float(saliency.probabilities.max()))}\n",
        f"{'':<{width}}  {explanation.opposite:>{HALF}}|{explanation.target:<{HALF}}   effect   "
        f"p({explanation.target}) after it",
        f"{'':<{width}}  {'':>{2 * HALF + 1}}            {_curve(float(saliency.curve[0, saliency.target]))}",
    ]
    for word, effect, after in zip(saliency.words, saliency.occlusion, explanation.after_words, strict=True):
        bar = _bar(float(effect) / explanation.scale)
        lines.append(f"{word:<{width}}  {bar}  {signed(float(effect)):>7}   {_curve(float(after))}")
    words = saliency.words
    if pairs := explanation.strongest:
        shown = (f"{words[pair.first]} {TIMES} {words[pair.second]} {signed(pair.effect)}" for pair in pairs)
        lines.append("\ntogether, beyond each alone: " + ", ".join(shown))
    if explanation.ngrams:
        parts = (f"{each.ngram} {signed(each.effect)}" for each in explanation.ngrams[:MOST_NGRAMS])
        lines.append("\nn-grams: " + ", ".join(parts))
    if explanation.examples:
        lines.append("\nnearest examples:")
        lines += [f"  {each.similarity:.2f}  {each.label}  {each.text[:100]}" for each in explanation.examples]
    return "\n".join(lines)


def _bar(share: float) -> str:
    """A bar to the right for a positive share of the longest, to the left for a negative one."""
    if share < 0:  # cells are filled by eighths from the left, but only by halves from the right
        halves = round(-share * HALF * 2)
        cells = "▐" * (halves % 2) + "█" * (halves // 2)
        return f"{cells:>{HALF}}|{'':<{HALF}}"
    eighths = round(share * HALF * 8)
    cells = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return f"{'':>{HALF}}|{cells:<{HALF}}"


def _curve(value: float) -> str:
    """A dot where a probability stands between 0 and 1, and the probability."""
    place = round(value * CURVE)
    line = "".join("●" if at == place else "┊" if at == CURVE // 2 else "·" for at in range(CURVE + 1))
    return f"{line} {value:5.3f}"


def explained_figures(found: Explained) -> dict[str, Any]:
    """Explanations as JSON values; the keys of the first stand at the top too."""
    texts = [_figures(each) for each in found.explanations]
    files = [str(file) for file in found.files]
    written = {"path": files[0], "files": files} if files else {}
    return {"label": texts[0]["label"], "texts": texts, "count": len(texts)} | written


def _figures(explanation: Explanation) -> dict[str, Any]:
    saliency, attribution = explanation.saliency, explanation.attribution
    words = [
        {
            "word": word,
            "known": known,
            "effect": float(effect),
            "gradients": None if attribution is None else float(attribution.effects[position]),
            "after": float(after),
        }
        for position, (word, known, effect, after) in enumerate(
            zip(saliency.words, explanation.known, saliency.occlusion, explanation.after_words, strict=True)
        )
    ]
    return {
        "text": explanation.text,
        "label": explanation.answer,
        "probabilities": dict(zip(explanation.labels, saliency.probabilities.tolist(), strict=True)),
        "target": explanation.target,
        "log_odds": saliency.log_odds,
        "words": words,
        "pairs": [
            {"words": [saliency.words[first], saliency.words[second]], "positions": [first, second], "effect": effect}
            for first, second, effect in saliency.pairs[:100]
        ],
        "completeness_gap": None if attribution is None else attribution.gap,
        "ngrams": [{"ngram": ngram, "effect": effect} for ngram, effect in explanation.ngrams],
        "examples": [each._asdict() for each in explanation.examples],
    }
