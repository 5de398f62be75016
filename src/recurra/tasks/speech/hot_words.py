"""Hot words: names and terms that a search is to favour, as an automaton over symbols (Aho & Corasick 1975).

A hot word is a sequence of symbols with a weight in nats. What a prefix gains by hot words depends on nothing but the
prefix:

- the weight of every occurrence of a hot word, also of those that overlap;
- and, for the hot words that its end may be the beginning of, one partial credit: the largest of
  weight * symbols matched / symbols of the word. So it grows as symbols match, and is gone when the match breaks off.

With a separator words are whole: an occurrence begins where a word begins, and counts once a separator follows or the
text ends; until then there is the partial credit, all of the weight if the word is complete. "cat" in "category" and in
"bobcat" gets nothing in the end, and no partial credit ever begins within a word. Hot words may be phrases, with
separators in them. Without a separator they count wherever they occur, as soon as they are complete.

At the end of the text what is merely partial is taken back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.arrays import DoubleArray, IntArray
from recurra.errors import RecurraError
from recurra.kernels import jit

HOT_WEIGHT = 2.0
"""Nats that a hot word brings if nothing else is said."""

STATE = np.dtype(
    [
        ("credit", np.float64),
        ("weight", np.float64),
        ("reach", np.float64),
        ("first_edge", np.int32),
        ("last_edge", np.int32),
        ("failure", np.int64),
    ]
)
"""A state: its partial credit; the weights of the hot words that end in it, added up; what is gained by one more symbol
from it, at most, all in nats; the range of its edges; and the longest shorter end of what was read that is a state."""

EDGE = np.dtype([("symbol", np.int64), ("target", np.int64)])
"""The state that a symbol leads to."""

DEAD, ROOT = 0, 1
"""The state within a word that no hot word can be any more, and the state where a word may begin."""


class HotWords(NamedTuple):
    """The automaton; its states are the beginnings of hot words, `DEAD` and `ROOT`. Made by `compile_hot_words`.

    Attributes:
        separator: the symbol between words; -1 for none.
        states: `(states,)` `STATE`; of no entries if there are no hot words.
        edges: `(edges,)` `EDGE`; those of `ROOT` are not among them.
        begins: the state after a first symbol, `(symbols,)`; `ROOT` where no hot word begins with it.
        begin_gains: what it gains, `(symbols,)`, nats.
    """

    separator: int
    states: npt.NDArray[Any]
    edges: npt.NDArray[Any]
    begins: IntArray
    begin_gains: DoubleArray


def no_hot_words() -> HotWords:
    """The automaton that favours nothing."""
    return HotWords(-1, np.zeros(0, STATE), np.zeros(0, EDGE), np.zeros(0, np.int64), np.zeros(0))


def compile_hot_words(
    words: Mapping[tuple[int, ...], float], num_symbols: int, blank: int, separator: int | None = None
) -> HotWords:
    """The automaton of some hot words.

    Args:
        words: each word's symbols, and its weight in nats, above 0.
        num_symbols: of the model, the blank included.
        blank: which symbol is the blank.
        separator: which symbol stands between words; None if hot words count anywhere.

    Raises:
        RecurraError: if a word is empty, holds the blank or an unknown symbol, begins or ends with the separator, or
            its weight is not above 0.
    """
    if not words:
        return no_hot_words()
    for word, weight in words.items():
        _check(word, weight, num_symbols, blank, separator)
    children: list[dict[int, int]] = [{}, {}]
    for word in words:
        state = ROOT
        for symbol in word:
            if symbol not in children[state]:
                children[state][symbol] = len(children)
                children.append({})
            state = children[state][symbol]
    automaton = _automaton(children, num_symbols, separator)
    _fill(automaton, words, children)
    return automaton


def _automaton(children: Sequence[Mapping[int, int]], num_symbols: int, separator: int | None) -> HotWords:
    """The states and edges of a trie, worth nothing yet."""
    begins = np.full(num_symbols, ROOT, np.int64)
    for symbol, state in children[ROOT].items():
        begins[symbol] = state
    states = np.zeros(len(children), STATE)
    sizes = [0 if state <= ROOT else len(below) for state, below in enumerate(children)]
    states["last_edge"] = np.cumsum(sizes)
    states["first_edge"] = states["last_edge"] - sizes
    edges = [edge for below in children[ROOT + 1 :] for edge in below.items()]
    return HotWords(
        -1 if separator is None else separator, states, np.array(edges, EDGE), begins, np.zeros(num_symbols)
    )


def _check(word: Sequence[int], weight: float, num_symbols: int, blank: int, separator: int | None) -> None:
    """Raise `RecurraError` unless this can be a hot word."""
    if not word:
        raise RecurraError("a hot word is empty; leave it out")
    if any(not 0 <= symbol < num_symbols or symbol == blank for symbol in word):
        raise RecurraError(f"the hot word {list(word)} holds a symbol that cannot be in a text; leave it out")
    if separator in (word[0], word[-1]):
        raise RecurraError(f"the hot word {list(word)} begins or ends with the separator; give it without")
    if not 0 < weight < math.inf:
        raise RecurraError(f"the weight of the hot word {list(word)} is {weight}, but must be above 0")


def _fill(automaton: HotWords, words: Mapping[tuple[int, ...], float], children: list[dict[int, int]]) -> None:
    """Set what each state is worth and where it fails to, those of fewer symbols first."""
    whole = automaton.separator >= 0
    states, order = automaton.states, _by_depth(children)
    credits, weights, failures = states["credit"], states["weight"], states["failure"]
    for word, weight in words.items():
        state = ROOT
        for depth, symbol in enumerate(word, 1):
            state = children[state][symbol]
            if depth < len(word) or whole:
                credits[state] = max(credits[state], weight * depth / len(word))
        weights[state] = weight
    failures[ROOT] = DEAD if whole else ROOT
    for state in order:
        for symbol, target in children[state].items():
            begun = state == ROOT and not whole
            failures[target] = ROOT if begun else follow(automaton, int(failures[state]), symbol)
            credits[target] = max(credits[target], credits[failures[target]])
            weights[target] += weights[failures[target]]
    automaton.begin_gains[:] = credits[automaton.begins] + (0.0 if whole else weights[automaton.begins])
    best = np.zeros(len(children))  # The most that a state's edges, or those it fails to, lead to.
    for state in order:
        worth = (float(credits[target] + (0.0 if whole else weights[target])) for target in children[state].values())
        best[state] = max(0.0, *worth, best[failures[state]])
        states["reach"][state] = best[state] + (weights[state] if whole else 0.0) - credits[state]


def _by_depth(children: list[dict[int, int]]) -> list[int]:
    """The states but `DEAD`, those of fewer symbols first."""
    order = [ROOT]
    for state in order:
        order.extend(children[state].values())
    return order


@jit(counted=False)
def follow(hot: HotWords, state: int, symbol: int) -> int:
    """The state after one more symbol."""
    number = int(state)
    while number > ROOT:
        for edge in range(hot.states[number].first_edge, hot.states[number].last_edge):
            if hot.edges[edge].symbol == symbol:
                return int(hot.edges[edge].target)
        number = int(hot.states[number].failure)
    if number == ROOT and hot.begins[symbol] > ROOT:
        return int(hot.begins[symbol])
    return ROOT if hot.separator < 0 or symbol == hot.separator else DEAD


@jit(counted=False)
def gain(hot: HotWords, state: int, symbol: int, after: int) -> float:
    """What is gained, in nats, by going from one state to the next; below 0 where credit is taken back."""
    gained = hot.states[after].credit - hot.states[state].credit
    if hot.separator < 0:
        gained += hot.states[after].weight
    elif symbol == hot.separator:
        gained += hot.states[state].weight
    return float(gained)


def final_gains(hot: HotWords, states: IntArray) -> DoubleArray:
    """What is gained in each state, `(count,)`, by the end of the text: whole words count, partial ones do not."""
    if not len(hot.states):
        return np.zeros(len(states))
    ended = hot.states[states]
    gains: DoubleArray = -ended["credit"]
    return gains + ended["weight"] if hot.separator >= 0 else gains


def bonus_reference(
    words: Mapping[tuple[int, ...], float], separator: int | None, symbols: Sequence[int], ended: bool
) -> float:
    """What a text or a prefix gains, by the definition above: the twin of the automaton.

    Args:
        words: the hot words with their weights.
        separator: the symbol between words; None for none.
        symbols: of the text or the prefix.
        ended: whether this is the whole text.
    """
    text = tuple(symbols)
    starts = [at for at in range(len(text) + 1) if separator is None or at == 0 or text[at - 1] == separator]
    total, partial = 0.0, 0.0
    for word, weight in words.items():
        for start in starts:
            stop = start + len(word)
            closed = separator is None or text[stop : stop + 1] == (separator,) or (ended and stop == len(text))
            if text[start:stop] == word and closed:
                total += weight
            elif text[start:] == word[: len(text) - start] and not ended:
                partial = max(partial, weight * (len(text) - start) / len(word))
    return total + partial
