"""The tree of a beam search as SVG for a page, and its outputs ranked anew under any length normalisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import TYPE_CHECKING, Literal, NamedTuple

from recurra.decoding.beam_search import Normalization, length_penalty
from recurra.explain.attention_map import columns_of, shown

if TYPE_CHECKING:
    from recurra.decoding.search_tree import Node, NodeState, Tree

LONGEST_LABEL = 14
"""Columns of a token that are drawn in a node."""

MOST_NODES = 4000
"""Nodes drawn at most, what the shown outputs pass through excepted."""

LETTER, DIGIT = 7.3, 5.6
"""Width of a letter of a token and of a digit of a number, pixels."""

NODE_HEIGHT, ROW_GAP, STEP_GAP, EDGE = 22, 28, 34, 10
"""Height of a node, distance between rows, space between steps and around all, pixels."""


class Rule(NamedTuple):
    """A length normalisation: the sum of log-probabilities is divided by length ** alpha, or by gnmt's penalty.

    Attributes:
        kind: `power`, or `gnmt` for ((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14).
        alpha: the exponent; 0 divides by nothing.
    """

    kind: Literal["power", "gnmt"]
    alpha: float


def rule_of(normalization: Normalization, alpha: float) -> Rule:
    """The rule that a search's options come to: no normalisation is the power 0, the average the power 1."""
    if normalization == "gnmt":
        return Rule("gnmt", alpha)
    return Rule("power", 1.0 if normalization == "average" else 0.0)


def normalized(total: float, length: int, rule: Rule) -> float:
    """A sum of log-probabilities made comparable between lengths.

    Args:
        total: the sum, nats.
        length: tokens, the end among them.
        rule: how.
    """
    divisor = length_penalty(length, "gnmt", rule.alpha) if rule.kind == "gnmt" else float(length) ** rule.alpha
    return total / float(divisor)


def path_to(tree: Tree, node: int) -> list[int]:
    """The nodes from the first after the root to this one."""
    path = []
    position: int | None = node
    while position is not None:
        path.append(position)
        position = tree.nodes[position].parent
    return path[-2::-1]


def finished_nodes(tree: Tree) -> list[int]:
    """The nodes with which an output ended, in the tree's order."""
    return [index for index, node in enumerate(tree.nodes) if node.state == "finished"]


def nodes_to_draw(tree: Tree, ends: Sequence[int], most: int = MOST_NODES) -> list[int]:
    """The nodes of a picture that stays readable, in the tree's order: all where they are few enough.

    Else without the pruned ones; if that is still too many, only those that the given outputs pass through.

    Args:
        tree: the search.
        ends: last nodes of the outputs that are shown.
        most: nodes to draw.
    """
    if len(tree.nodes) <= most:
        return list(range(len(tree.nodes)))
    passed = {0, *(node for end in ends for node in path_to(tree, end))}
    unpruned = passed | {index for index, node in enumerate(tree.nodes) if node.state != "pruned"}
    return sorted(unpruned if len(unpruned) <= most else passed)


class Box(NamedTuple):
    """Where a node is drawn, pixels: the left end of its middle line, and its width."""

    x: float
    y: float
    width: float


def place_nodes(tree: Tree, drawn: Sequence[int], name: Callable[[int], str]) -> dict[int, Box]:
    """Place nodes: a step a column, in it first what survived and then what was pruned, the most probable at the top.

    Args:
        tree: the search.
        drawn: the nodes to place, each with its parent.
        name: what a token is called.
    """
    columns: list[list[int]] = []
    for index in sorted(drawn, key=lambda index: _rank(tree.nodes[index])):
        depth = tree.nodes[index].depth
        columns.extend([] for _ in range(depth + 1 - len(columns)))
        columns[depth].append(index)
    boxes: dict[int, Box] = {}
    x = float(EDGE)
    for column in columns:
        width = max(_width_of(_label(tree.nodes[index], name), tree.nodes[index]) for index in column)
        boxes |= {index: Box(x, EDGE + NODE_HEIGHT / 2 + ROW_GAP * row, width) for row, index in enumerate(column)}
        x += width + STEP_GAP
    return boxes


def _rank(node: Node) -> tuple[bool, float]:
    return (node.state == "pruned", -node.total)


def tree_svg(
    tree: Tree, name: Callable[[int], str], drawn: Sequence[int] | None = None, chosen: Collection[int] = ()
) -> str:
    """The tree as SVG markup for a page, whose style gives it colours.

    A node is a group with the id `node-` and its number, and the classes `node` and its state; the edge to it is a path
    with the id `edge-` and that number. The states differ in shape too: what was kept is a box, what was pruned a
    dashed box struck through, what finished a double round one. In it are the token and the sum of log-probabilities.

    Args:
        tree: the search.
        name: what a token is called; the empty string is the end.
        drawn: the nodes to draw, each with its parent; all if not given.
        chosen: nodes of the path to highlight.
    """
    drawn = range(len(tree.nodes)) if drawn is None else drawn
    boxes = place_nodes(tree, drawn, name)
    width = round(max(box.x + box.width for box in boxes.values()) + EDGE)
    height = round(max(box.y for box in boxes.values()) + NODE_HEIGHT / 2 + EDGE)
    parts = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="beam tree: {escape(count_of(tree, drawn))}">'
    ]
    parts += [_edge(boxes, tree.nodes[index], index, index in chosen) for index in drawn]
    parts += [_group(tree.nodes[index], index, boxes[index], name, index in chosen) for index in drawn]
    return "".join([*parts, "</svg>"])


def count_of(tree: Tree, drawn: Sequence[int]) -> str:
    """How many nodes there are of each state, the root not counted: "12 kept, 9 pruned, 3 finished"."""
    states: Counter[NodeState] = Counter(tree.nodes[index].state for index in drawn if tree.nodes[index].depth)
    return f"{states['kept']} kept, {states['pruned']} pruned, {states['finished']} finished"


def _edge(boxes: dict[int, Box], node: Node, index: int, chosen: bool) -> str:
    if node.parent is None:
        return ""
    begin, end = boxes[node.parent], boxes[index]
    left = begin.x + begin.width
    middle = (left + end.x) / 2
    path = f"M{left:.1f} {begin.y:.1f}C{middle:.1f} {begin.y:.1f} {middle:.1f} {end.y:.1f} {end.x:.1f} {end.y:.1f}"
    return f'<path id="edge-{index}" class="edge {node.state}{" chosen" if chosen else ""}" d="{path}"/>'


def _group(node: Node, index: int, box: Box, name: Callable[[int], str], chosen: bool) -> str:
    label, state = _label(node, name), "root" if node.parent is None else node.state
    top, round_ = box.y - NODE_HEIGHT / 2, NODE_HEIGHT / 2 if state == "finished" else 4
    shapes = _rectangle(box.x, top, box.width, NODE_HEIGHT, round_)
    if state == "finished":
        shapes += _rectangle(box.x + 3, top + 3, box.width - 6, NODE_HEIGHT - 6, round_ - 3)
    number = "" if node.parent is None else f"{node.total:.2f}".replace("-", "\N{MINUS SIGN}")
    return (
        f'<g id="node-{index}" class="node {state}{" chosen" if chosen else ""}">'
        f"<title>{escape(_described(node, name))}</title>{shapes}"
        f'<text x="{box.x + 9:.1f}" y="{box.y + 4.3:.1f}">{escape(label)}</text>'
        f'<text class="number" x="{box.x + box.width - 8:.1f}" y="{box.y + 4:.1f}">{number}</text></g>'
    )


def _rectangle(x: float, y: float, width: float, height: float, radius: float) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="{radius:g}"/>'


def _described(node: Node, name: Callable[[int], str]) -> str:
    if node.parent is None:
        return "the start"
    token = shown(name(node.token))
    return f"{token}  {node.state}: log p {node.log_prob:.4f}, sum {node.total:.4f} after {node.depth}"


def _label(node: Node, name: Callable[[int], str]) -> str:
    return "start" if node.parent is None else shown(name(node.token), LONGEST_LABEL)


def _width_of(label: str, node: Node) -> float:
    number = 0.0 if node.parent is None else 8 + DIGIT * len(f"{node.total:.2f}")
    return 18 + LETTER * columns_of(label) + number
