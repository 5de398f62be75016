"""The decoder of `models.decoder` in NumPy, to use and not to train: its equations are there.

Shapes: B sources, S positions of a source, E embedding_size, H hidden_size, V value_size, A attention_size, G gates,
L num_layers, F features for the output layer. In a step N rows attend to B sources, M of them at most to one.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, FloatArray, IntArray
from recurra.runtime.cells import GATE_COUNTS, AttentionCell, LayerState, LayerWeights, state_parts
from recurra.runtime.recurrent import layer_weights, new_state, stack_shapes
from recurra.runtime.stored import Shapes, Weights, within

State = tuple[FloatArray, ...]
"""`(h,)` or `(h, c)`, each `(L, N, H)`."""

AT_ONCE = 2**18
"""Numbers between queries and keys that are worked out at once, so that they stay in the processor's cache."""


class DecoderSizes(NamedTuple):
    """What a decoder is made of.

    Attributes:
        cell: of its layers.
        vocabulary_size: tokens it writes.
        embedding_size: features of one.
        hidden_size: units of a layer.
        num_layers: recurrent layers, the one that attends among them.
        value_size: features of an annotation, and of the summary.
        attention: how it attends.
        attention_size: features in which the attention compares.
        tied: whether the embedding is the output layer too.
    """

    cell: AttentionCell
    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    value_size: int
    attention: Literal["additive", "multiplicative", "none"]
    attention_size: int
    tied: bool


def decoder_shapes(sizes: DecoderSizes, shares_embedding: bool = False) -> Shapes:
    """The shapes of the weights of a decoder, by the names they have within it.

    Args:
        sizes: what it is made of.
        shares_embedding: whether the embedding is an encoder's, which has it in the file.
    """
    cell, tokens, size, hidden_size, num_layers, value_size, attention, attention_size, tied = sizes
    gates, units = GATE_COUNTS[cell] * hidden_size, state_parts(cell) * num_layers * hidden_size
    shapes: Shapes = {} if shares_embedding else {"embedding.weight": (tokens, size)}
    shapes |= {"initial.weight": (units, value_size), "initial.bias": (units,)}
    upper, upper_inputs, read = num_layers, size, hidden_size + size
    if attention != "none":
        shapes |= {"attention.query.weight": (attention_size, hidden_size)}
        shapes |= {"attention.key.weight": (attention_size, value_size)}
        if attention == "additive":
            shapes |= {"attention.key.bias": (attention_size,), "attention.score": (attention_size,)}
        shapes |= {"inputs.weight": (attention_size + gates, size), "inputs.bias": (attention_size + gates,)}
        shapes |= {"context.weight": (gates, value_size)}
        shapes |= {"hidden.weight": (gates, hidden_size), "hidden.bias": (gates,)}
        upper, upper_inputs, read = num_layers - 1, hidden_size, read + value_size
    stack = stack_shapes(cell, upper_inputs, hidden_size, upper, False)
    shapes |= {f"upper_layers.{name}": shape for name, shape in stack.items()}
    features = size if tied else hidden_size
    shapes |= {"readout.weight": (features, read), "readout.bias": (features,)}
    return shapes | ({} if tied else {"output.weight": (tokens, features)}) | {"output.bias": (tokens,)}


class Memory(NamedTuple):
    """What a decoder attends to, made ready once for all steps.

    Attributes:
        values: the annotations, `(B, S, V)`.
        keys: what queries are compared with, `(B, S, A)`.
        projected: the values through the gates' weights, `(B, S, G)`.
        missing: -inf at padding, else 0, `(B, 1, S)`.
    """

    values: FloatArray
    keys: FloatArray
    projected: FloatArray
    missing: FloatArray

    def select(self, indices: IntArray) -> Memory:
        """The memories of some of the sources."""
        return Memory(*(part[indices] for part in self))


class Encoded(NamedTuple):
    """A batch of sources, read.

    Attributes:
        memory: what the decoder attends to; None without attention.
        state: of the decoder, before its first token.
    """

    memory: Memory | None
    state: State


class Decoder:
    """A decoder whose steps are NumPy's.

    Args:
        sizes: what it is made of.
        weights: by the names of `decoder_shapes`; the embedding, shared or not, among them.
        scale: what embeddings are multiplied by.
    """

    def __init__(self, sizes: DecoderSizes, weights: Weights, scale: float) -> None:
        self.cell: AttentionCell = sizes.cell
        self.attends = sizes.attention != "none"
        self._weights = weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self._scale = np.float32(scale)
        self._sizes = sizes
        upper = within(weights, "upper_layers")
        self._upper = [layer_weights(upper, index, "") for index in range(sizes.num_layers - self.attends)]
        self._output = weights["embedding.weight" if sizes.tied else "output.weight"]
        if self.attends:
            self._recurrent = np.concatenate(
                [weights["attention.query.weight"], weights["hidden.weight"]]
            )  # (A + G, H)
            self._recurrent_bias = np.concatenate([np.zeros(sizes.attention_size, np.float32), weights["hidden.bias"]])

    def initial_state(self, summary: FloatArray) -> State:
        """The state before the first token, from a summary of what was read, `(B, V)`."""
        made = summary @ self._weights["initial.weight"].T + self._weights["initial.bias"]
        parts = made.reshape(len(made), state_parts(self.cell), self._sizes.num_layers, -1).transpose(1, 2, 0, 3)
        return np.tanh(parts[0]), *parts[1:]

    def memory(self, values: FloatArray, mask: BoolArray) -> Memory:
        """Make annotations ready to be attended to.

        Args:
            values: `(B, S, V)`, zero at padding.
            mask: `(B, S)`, True for what is there.
        """
        keys = values @ self._weights["attention.key.weight"].T
        if self._sizes.attention == "additive":
            keys += self._weights["attention.key.bias"]
        missing = np.where(mask, np.float32(0), -np.float32(np.inf))[:, None]
        return Memory(values, keys, values @ self._weights["context.weight"].T, missing)

    def step(
        self, tokens: IntArray, state: State, memory: Memory | None, sources: IntArray
    ) -> tuple[FloatArray, FloatArray | None, State]:
        """Read one more token of each row.

        Args:
            tokens: `(N,)`.
            state: the state to go on from.
            memory: what to attend to; None without attention.
            sources: index of each row's source in the memory, `(N,)`, ascending.

        Returns:
            Logits `(N, vocabulary_size)`, attention weights `(N, S)`, the new state.
        """
        embedded = self._weights["embedding.weight"][tokens] * self._scale  # (N, E)
        outputs, context, weights, ends = embedded, [], None, []
        states: list[LayerState] = list(zip(*state, strict=True))
        if memory:
            end, attended, weights = self._attend(embedded, states.pop(0), memory, sources)
            outputs, context = end[0], [attended]  # (N, H), (N, V)
            ends.append(end)
        for layer, before in zip(self._upper, states, strict=True):
            ends.append(_advanced(self.cell, layer, outputs, before))
            outputs = ends[-1][0]  # (N, H)
        read = np.concatenate([outputs, *context, embedded], axis=1)
        features = np.tanh(read @ self._weights["readout.weight"].T + self._weights["readout.bias"])  # (N, F)
        logits = features @ self._output.T + self._weights["output.bias"]
        return logits, weights, tuple(np.stack(parts) for parts in zip(*ends, strict=True))

    def _attend(
        self, embedded: FloatArray, state: LayerState, memory: Memory, sources: IntArray
    ) -> tuple[LayerState, FloatArray, FloatArray]:
        """The bottom layer: its new state, the contexts `(N, V)`, the attention weights `(N, S)`."""
        size = self._sizes.attention_size
        inputs = embedded @ self._weights["inputs.weight"].T + self._weights["inputs.bias"]  # (N, A + G)
        product = state[0] @ self._recurrent.T + self._recurrent_bias  # (N, A + G)
        rows = _RowGroups.of(sources, len(memory.keys))
        scores = self._scores(rows.group(product[:, :size] + inputs[:, :size]), memory) + memory.missing  # (B, M, S)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        projected, context = rows.ungroup(weights @ memory.projected), rows.ungroup(weights @ memory.values)
        end = new_state(self.cell, inputs[:, size:] + projected, product[:, size:], state)
        return end, context, rows.ungroup(weights)

    def _scores(self, queries: FloatArray, memory: Memory) -> FloatArray:
        """Scores `(B, M, S)` of queries `(B, M, A)`."""
        if self._sizes.attention == "multiplicative":
            scores: FloatArray = queries @ memory.keys.transpose(0, 2, 1)
            return scores / np.float32(math.sqrt(self._sizes.attention_size))
        scores = np.empty((*queries.shape[:2], memory.keys.shape[1]), np.float32)
        at_once = max(1, AT_ONCE // max(1, memory.keys[0].size * queries.shape[1]))
        for begin in range(0, len(queries), at_once):
            part = slice(begin, begin + at_once)
            features = queries[part, :, None] + memory.keys[part, None]  # (B, M, S, A)
            scores[part] = np.tanh(features, out=features) @ self._weights["attention.score"]
        return scores


class _RowGroups(NamedTuple):
    """Rows side by side with those that share their source, so that no memory is copied for each of its rows.

    Attributes:
        sources: index of each row's source, `(N,)`.
        slots: each row's place among those of its source, `(N,)`.
        shape: B and M.
    """

    sources: IntArray
    slots: IntArray
    shape: tuple[int, int]

    @classmethod
    def of(cls, sources: IntArray, count: int) -> _RowGroups:
        """The groups of rows by the ascending indices of their sources, `(N,)`, of `count` sources."""
        counts = np.bincount(sources, minlength=count)
        slots = np.arange(len(sources)) - (np.cumsum(counts) - counts)[sources]
        return cls(sources, slots, (count, int(counts.max())))

    @property
    def _are_full(self) -> bool:
        return self.shape[0] * self.shape[1] == len(self.sources)

    def group(self, rows: FloatArray) -> FloatArray:
        """Rows `(N, size)` as `(B, M, size)`, zero where a source has fewer."""
        if self._are_full:
            return rows.reshape(*self.shape, -1)
        grouped = np.zeros((*self.shape, rows.shape[1]), np.float32)
        grouped[self.sources, self.slots] = rows
        return grouped

    def ungroup(self, grouped: FloatArray) -> FloatArray:
        """The way back, from `(B, M, size)` to `(N, size)`."""
        if self._are_full:
            return grouped.reshape(len(self.sources), -1)
        rows: FloatArray = grouped[self.sources, self.slots]
        return rows


def _advanced(cell: AttentionCell, layer: LayerWeights, inputs: FloatArray, state: LayerState) -> LayerState:
    """One step of a layer that does not attend, of inputs `(N, I)`."""
    from_hidden = state[0] @ layer.weight_hh.T
    if cell == "gru":
        from_hidden += layer.bias_hh
    return new_state(cell, inputs @ layer.weight_ih.T + layer.bias(cell), from_hidden, state)
