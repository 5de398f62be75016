"""What a search considered, for pictures."""

from __future__ import annotations

from typing import Literal, NamedTuple

NodeState = Literal["kept", "pruned", "finished"]


class Node(NamedTuple):
    """A token that was considered.

    Attributes:
        parent: the node of the token before it; None for the root.
        token: its number.
        log_prob: its own, nats.
        total: the sum from the root to it, nats.
        depth: tokens from the root to it; 0 for the root.
        state: whether the search went on with it, dropped it, or was at an end with it.
    """

    parent: int | None
    token: int
    log_prob: float
    total: float
    depth: int
    state: NodeState


class Tree(NamedTuple):
    """What was considered for one sentence: the root, whose token is the start, then parents before children.

    Of what fell out of the beam there are the best of each step only, as many as the beam is wide; what was within it
    and given up, since nothing better could come of it, is there too.
    """

    nodes: list[Node]

    def add(self, parent: int, token: int, log_prob: float, total: float, state: NodeState) -> int:
        """Add a node; its index."""
        self.nodes.append(Node(parent, token, log_prob, total, self.nodes[parent].depth + 1, state))
        return len(self.nodes) - 1

    def prune(self, index: int) -> None:
        """Say of a node that the search dropped it."""
        self.nodes[index] = self.nodes[index]._replace(state="pruned")


def rooted(start: int) -> Tree:
    """A tree of nothing but a root."""
    return Tree([Node(None, start, 0.0, 0.0, 0, "kept")])
