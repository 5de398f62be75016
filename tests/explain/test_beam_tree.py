"""The tree's picture shows every node once, where and as it should; ranking is as in the papers."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.decoding.search_tree import Node, Tree, rooted
from recurra.explain.beam_tree import (
    NODE_HEIGHT,
    Rule,
    count_of,
    finished_nodes,
    nodes_to_draw,
    normalized,
    path_to,
    place_nodes,
    rule_of,
    tree_svg,
)

NAMES = ["", " two", "<b>", "好的", "a" * 40]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = rooted(9)
    for _ in range(draw(st.integers(0, 30))):
        open_ones = [index for index, node in enumerate(tree.nodes) if node.state == "kept"]
        parent = draw(st.sampled_from(open_ones))
        log_prob = -draw(st.floats(0, 9) | st.just(math.inf))
        token = draw(st.integers(0, len(NAMES) - 1))
        state = draw(st.sampled_from(["kept", "pruned"])) if token else "finished"
        tree.add(parent, token, log_prob, tree.nodes[parent].total + log_prob, state)
    return tree


def small() -> Tree:
    tree = rooted(9)
    tree.add(0, 1, -0.5, -0.5, "kept")
    tree.add(0, 2, -1.0, -1.0, "kept")
    tree.add(0, 3, -9.0, -9.0, "pruned")
    tree.add(1, 0, -0.25, -0.75, "finished")
    tree.add(2, 4, -0.5, -1.5, "kept")
    tree.add(5, 0, -0.5, -2.0, "finished")
    return tree


def test_rules_by_hand() -> None:
    assert normalized(-6.0, 4, rule_of("none", 0.6)) == -6.0
    assert normalized(-6.0, 4, rule_of("average", 0.6)) == -1.5
    assert normalized(-6.0, 7, rule_of("gnmt", 0.5)) == pytest.approx(-6 / math.sqrt(2))
    assert normalized(-6.0, 9, rule_of("gnmt", 0.0)) == -6.0
    assert normalized(-6.0, 9, Rule("power", 0.5)) == pytest.approx(-2.0)


def test_paths_and_ends() -> None:
    tree = small()
    assert finished_nodes(tree) == [4, 6]
    assert [path_to(tree, node) for node in (0, 4, 6)] == [[], [1, 4], [2, 5, 6]]
    assert sum(tree.nodes[node].log_prob for node in path_to(tree, 6)) == tree.nodes[6].total
    assert count_of(tree, range(7)) == "3 kept, 1 pruned, 2 finished"


@given(trees())
def test_nodes_do_not_meet_and_the_probable_are_above(tree: Tree) -> None:
    boxes = place_nodes(tree, range(len(tree.nodes)), NAMES.__getitem__)
    assert sorted(boxes) == list(range(len(tree.nodes)))
    for index, box in boxes.items():
        node = tree.nodes[index]
        if node.parent is not None:
            assert boxes[node.parent].x + boxes[node.parent].width < box.x
        for other, beside in boxes.items():
            if other != index and tree.nodes[other].depth == node.depth:
                assert abs(beside.y - box.y) > NODE_HEIGHT
                if beside.y > box.y and tree.nodes[other].state != "pruned":
                    assert node.state != "pruned"
                    assert node.total >= tree.nodes[other].total


@given(trees())
def test_every_node_is_drawn_once_as_what_it_is(tree: Tree) -> None:
    ends = finished_nodes(tree)
    chosen = set(path_to(tree, ends[-1])) if ends else set()
    svg = ET.fromstring(tree_svg(tree, NAMES.__getitem__, chosen=chosen))
    groups = {group.attrib["id"]: group for group in svg.iterfind("g")}
    edges = {edge.attrib["id"]: edge.attrib["class"].split() for edge in svg.iterfind("path")}
    assert list(groups) == [f"node-{index}" for index in range(len(tree.nodes))]
    assert list(edges) == [f"edge-{index}" for index in range(1, len(tree.nodes))]
    for index, node in enumerate(tree.nodes[1:], 1):
        classes = groups[f"node-{index}"].attrib["class"].split()
        assert classes[1] == node.state
        assert ("chosen" in classes) == (index in chosen) == ("chosen" in edges[f"edge-{index}"])
        texts = [text.text for text in groups[f"node-{index}"].iterfind("text")]
        assert float(str(texts[1]).replace("−", "-")) == pytest.approx(node.total, abs=0.00501)
        assert len(groups[f"node-{index}"].findall("rect")) == (2 if node.state == "finished" else 1)


def test_tokens_stay_text() -> None:
    svg = tree_svg(small(), NAMES.__getitem__)
    assert "<b>" not in svg
    assert [text for text in ET.fromstring(svg).itertext() if text == "<b>"] == ["<b>"]


@given(trees(), st.integers(0, 40), st.integers(0, 5))
def test_too_large_a_tree_keeps_the_paths_that_matter(tree: Tree, most: int, count: int) -> None:
    ends = finished_nodes(tree)[:count]
    drawn = nodes_to_draw(tree, ends, most)
    passed = {node for end in ends for node in path_to(tree, end)}
    assert passed <= set(drawn)
    assert len(drawn) <= max(most, 1 + len(passed), 0 if len(tree.nodes) > most else len(tree.nodes))
    assert drawn == sorted(drawn)
    parents: list[Node] = [tree.nodes[index] for index in drawn[1:]]
    assert all(node.parent in drawn for node in parents)
    if len(tree.nodes) <= most:
        assert len(drawn) == len(tree.nodes)
    assert len(place_nodes(tree, drawn, NAMES.__getitem__)) == len(drawn)
