"""The loop of a recurrent layer that attends: each step's query is made of its input and its previous state.

It is the one part of an encoder-decoder that cannot be a product over the whole sequence. What can be taken out of it
is: the inputs' share of query and gates is worked out before it for all steps, the memory goes through the gates'
weights once (so that a step adds up rows of the result instead of multiplying the context; where there are many more
positions than steps the context is multiplied after all), query and recurrence share one product a step, and the
gradients of all weights are one product each after the loop, for which the backward pass is written out here.
`attend_reference` is the same by automatic differentiation, and what it is tested against.

Shapes: B batch, T time, S positions of the memory, A attention_size, H hidden_size, V value_size, G gates: 4 H for an
LSTM, 3 H for a GRU. In a single step N rows attend to B memories; several rows may share one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recurra.kernels.scores import scores_backward
from recurra.models.attention import attention_scores
from recurra.models.attention_graph import GraphedLoops, graphs_wanted
from recurra.models.cells import State
from recurra.runtime.cells import AttentionCell


class AttentionMemory(NamedTuple):
    """What a decoder attends to, made ready once for all steps, beside the weights that every step uses.

    Attributes:
        values: the annotations, of which contexts are made, `(B, S, V)`.
        keys: what queries are compared with, `(B, S, A)`.
        projected_values: the values through the gates' weights, `(B, S, G)`; None if contexts go through them.
        mask: `(B, S)`, True for what is there.
        recurrent_weight: from the previous state to query and gates, `(A + G, H)`; input by input (`weight_layout`).
        recurrent_bias: likewise, `(A + G,)`.
        vector: v of additive attention, `(A,)`; None for multiplicative.
        context_weight: from a context to the gates, `(G, V)`; None if the values are projected.
    """

    values: Tensor
    keys: Tensor
    projected_values: Tensor | None
    mask: Tensor
    recurrent_weight: Tensor
    recurrent_bias: Tensor
    vector: Tensor | None
    context_weight: Tensor | None = None

    def select(self, indices: Tensor) -> AttentionMemory:
        """The memories of some of the batch."""
        values, keys, mask = (part[indices] for part in (self.values, self.keys, self.mask))
        projected_values = None if self.projected_values is None else self.projected_values[indices]
        return self._replace(values=values, keys=keys, projected_values=projected_values, mask=mask)


Saved = tuple[Tensor, ...]


def lstm_gates(inputs: Tensor, recurrent: Tensor, state: State) -> tuple[State, Saved]:
    """`cells.lstm_cell` from both its products on, `(B, 4 * H)`; and what the backward pass needs."""
    _, c = state
    gates = inputs + recurrent  # (B, 4 * H)
    size = c.shape[1]
    i, f = torch.sigmoid(gates[:, : 2 * size]).chunk(2, dim=1)  # (B, H) each
    g = torch.tanh(gates[:, 2 * size : 3 * size])  # (B, H)
    o = torch.sigmoid(gates[:, 3 * size :])  # (B, H)
    new_c = f * c + i * g  # (B, H)
    squashed = torch.tanh(new_c)  # (B, H)
    return (o * squashed, new_c), (i, f, g, o, c, squashed)


def lstm_gates_backward(saved: Saved, grads: State) -> tuple[Tensor, Tensor, State]:
    """Gradients of inputs, of the recurrent product and of the state (h's only where it is not through the product)."""
    i, f, g, o, c, squashed = saved
    dh, dc = grads
    dc = dc + dh * o * (1 - squashed * squashed)  # (B, H)
    di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)  # (B, H) each
    do = dh * squashed * o * (1 - o)  # (B, H)
    dgates = torch.cat([di, df, dg, do], dim=1)  # (B, 4 * H)
    return dgates, dgates, (torch.zeros_like(dh), dc * f)


def gru_gates(inputs: Tensor, recurrent: Tensor, state: State) -> tuple[State, Saved]:
    """`cells.gru_cell` from both its products on, `(B, 3 * H)`; and what the backward pass needs."""
    (h,) = state
    size = h.shape[1]
    r, z = torch.sigmoid(inputs[:, : 2 * size] + recurrent[:, : 2 * size]).chunk(2, dim=1)  # (B, H) each
    inner = recurrent[:, 2 * size :]  # (B, H)
    n = torch.tanh(inputs[:, 2 * size :] + r * inner)  # (B, H)
    return (n + z * (h - n),), (r, z, n, inner, h)


def gru_gates_backward(saved: Saved, grads: State) -> tuple[Tensor, Tensor, State]:
    """As `lstm_gates_backward`."""
    r, z, n, inner, h = saved
    (dh,) = grads
    dn = dh * (1 - z) * (1 - n * n)  # (B, H)
    dz = dh * (h - n) * z * (1 - z)  # (B, H)
    dr = dn * inner * r * (1 - r)  # (B, H)
    return torch.cat([dr, dz, dn], dim=1), torch.cat([dr, dz, dn * r], dim=1), (dh * z,)


_FORWARD: dict[AttentionCell, Callable[[Tensor, Tensor, State], tuple[State, Saved]]] = {
    "lstm": lstm_gates,
    "gru": gru_gates,
}
_BACKWARD: dict[AttentionCell, Callable[[Saved, State], tuple[Tensor, Tensor, State]]] = {
    "lstm": lstm_gates_backward,
    "gru": gru_gates_backward,
}


def attend_reference(
    cell: AttentionCell, inputs: Tensor, state: State, memory: AttentionMemory
) -> tuple[Tensor, Tensor, State]:
    """Run the layer over whole sequences, step by step.

    Args:
        cell: which equations.
        inputs: their share of query and gates, `(T, B, A + G)`.
        state: `(h, c)` or `(h,)`, each `(B, H)`.
        memory: what is attended to.

    Returns:
        The outputs `(T, B, H)`, the attention weights `(T, B, S)`, the new state.
    """
    outputs, weights = [], []
    for step_inputs in inputs:  # (B, A + G)
        state, _, step_weights = attend_step(cell, step_inputs, state, memory)
        outputs.append(state[0])  # (B, H)
        weights.append(step_weights)  # (B, S)
    return torch.stack(outputs), torch.stack(weights), state


def attend_step(
    cell: AttentionCell, inputs: Tensor, state: State, memory: AttentionMemory, sources: Tensor | None = None
) -> tuple[State, Tensor, Tensor]:
    """One step of every row.

    Args:
        cell: which equations.
        inputs: their share of query and gates, `(N, A + G)`.
        state: `(h, c)` or `(h,)`, each `(N, H)`.
        memory: what is attended to.
        sources: index of each row's memory, `(N,)`, ascending; None for each its own.

    Returns:
        The new state, the contexts `(N, V)`, the attention weights `(N, S)`.
    """
    size = memory.keys.shape[-1]
    groups = None if sources is None else _RowGroups.of(sources, len(memory.keys))
    product = torch.addmm(memory.recurrent_bias, state[0], memory.recurrent_weight.T)  # (N, A + G)
    queries = product[:, :size] + inputs[:, :size]  # (N, A)
    queries = groups.group(queries, len(memory.keys)) if groups else queries[:, None]  # (B, rows of a memory, A)
    scores = attention_scores(queries, memory.keys, memory.vector)  # (B, rows of a memory, S)
    weights = torch.softmax(scores.masked_fill_(~memory.mask[:, None], -math.inf), dim=-1)
    read = memory.values if memory.projected_values is None else memory.projected_values  # (B, S, V | G)
    grouped = (weights @ read, weights @ memory.values, weights)  # (B, rows of a memory, V | G, V, S)
    projected, context, weights = (groups.ungroup(part) if groups else part[:, 0] for part in grouped)  # (N, ...)
    if memory.context_weight is not None:
        projected = context @ memory.context_weight.T  # (N, G)
    return _FORWARD[cell](inputs[:, size:] + projected, product[:, size:], state)[0], context, weights


class _RowGroups(NamedTuple):
    """Rows side by side with those that share their memory, so that no memory is copied for each of its rows.

    Attributes:
        memory: index of each row's memory, `(N,)`.
        slot: each row's place among those of its memory, `(N,)`.
        largest: most rows of one memory, M.
    """

    memory: Tensor
    slot: Tensor
    largest: int

    @classmethod
    def of(cls, memory: Tensor, memories: int) -> _RowGroups | None:
        """The groups of rows by the ascending indices of their memories, `(N,)`; None if each row has its own."""
        if memories == 1:
            return cls(memory, torch.arange(len(memory), device=memory.device), len(memory))
        used, group, counts = torch.unique_consecutive(memory, return_inverse=True, return_counts=True)
        if len(used) == len(memory) == memories:
            return None
        starts = counts.cumsum(0) - counts  # (groups,)
        return cls(memory, torch.arange(len(memory), device=memory.device) - starts[group], int(counts.max()))

    def group(self, rows: Tensor, memories: int) -> Tensor:
        """Rows `(N, size)` as `(memories, M, size)`, zero where a memory has fewer."""
        if memories == 1:
            return rows[None]
        grouped = rows.new_zeros(memories, self.largest, rows.shape[-1])
        grouped[self.memory, self.slot] = rows
        return grouped

    def ungroup(self, grouped: Tensor) -> Tensor:
        """The way back, from `(memories, M, size)` to `(N, size)`."""
        return grouped[0] if len(grouped) == 1 else grouped[self.memory, self.slot]


def attend(cell: AttentionCell, inputs: Tensor, state: State, memory: AttentionMemory) -> tuple[Tensor, Tensor, State]:
    """As `attend_reference`, faster to train with; not differentiable twice.

    All of it is worked out in the precision of the weights, under autocast too: gradients come back outside of that.
    """
    dtype = memory.recurrent_weight.dtype
    read = memory.values if memory.projected_values is None else memory.projected_values
    weights_of_steps = (memory.recurrent_weight, memory.recurrent_bias, memory.vector, memory.context_weight)
    tensors = (inputs.to(dtype), memory.keys.to(dtype), read.to(dtype), memory.mask, *weights_of_steps)
    with torch.autocast(inputs.device.type, enabled=False):
        given = (*tensors, *(part.to(dtype) for part in state))
        if torch.is_grad_enabled() and inputs.device.type == "cuda" and graphs_wanted():
            outputs, weights, *end = _GRAPHS.run(partial(_Loop.apply, cell, True), cell, given)
        else:
            outputs, weights, *end = _Loop.apply(  # type: ignore[no-untyped-call]
                cell, torch.is_grad_enabled(), *given
            )
    return outputs, weights, (outputs[-1], *end)


_GRAPHS = GraphedLoops()
"""Of all networks in this process."""


class _Loop(torch.autograd.Function):
    """Takes cell, whether to keep what the backward pass needs, inputs, the parts of an `AttentionMemory`, the state.

    What is read of the memory are its projected values; the values themselves, if there is a context weight. Gives
    outputs, attention weights, and an LSTM's c at the end. `dx` is the gradient of x.
    """

    @staticmethod
    def forward(
        ctx: Any,
        cell: AttentionCell,
        keep: bool,
        inputs: Tensor,
        keys: Tensor,
        read: Tensor,
        mask: Tensor,
        recurrent_weight: Tensor,
        recurrent_bias: Tensor,
        vector: Tensor | None,
        context_weight: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        time, batch = inputs.shape[:2]
        positions, size = keys.shape[1:]
        mask_bias = torch.zeros_like(mask, dtype=keys.dtype).masked_fill_(~mask, -math.inf)  # (B, S)
        states = keys.new_empty(time + 1, batch, recurrent_weight.shape[1])  # (T + 1, B, H)
        states[0] = state[0]
        weights = keys.new_empty(time, batch, positions)  # (T, B, S)
        queries = keys.new_empty(time, batch, size)  # (T, B, A)
        features = None if vector is None else keys.new_empty(time if keep else 1, *keys.shape)  # (T or 1, B, S, A)
        contexts = None if context_weight is None else keys.new_empty(time, batch, read.shape[-1])  # (T, B, V)
        saved = []
        for t in range(time):
            product = torch.addmm(recurrent_bias, state[0], recurrent_weight.T)  # (B, A + G)
            query = torch.add(product[:, :size], inputs[t, :, :size], out=queries[t])  # (B, A)
            if vector is None or features is None:
                scores = torch.bmm(query[:, None], keys.transpose(1, 2))[:, 0] / math.sqrt(size)  # (B, S)
            else:
                scores = torch.add(keys, query[:, None], out=features[t if keep else 0]).tanh_() @ vector  # (B, S)
            step_weights = torch.softmax(scores.add_(mask_bias), dim=-1, out=weights[t])  # (B, S)
            if context_weight is None or contexts is None:
                gates = torch.baddbmm(inputs[t, :, None, size:], step_weights[:, None], read)[:, 0]  # (B, G)
            else:
                contexts[t] = torch.bmm(step_weights[:, None], read)[:, 0]  # (B, V)
                gates = torch.addmm(inputs[t, :, size:], contexts[t], context_weight.T)  # (B, G)
            state, kept = _FORWARD[cell](gates, product[:, size:], state)  # (B, H) each
            if keep:
                saved.append(kept)
            states[t + 1] = state[0]
        ctx.save_for_backward(keys, read, recurrent_weight, vector, context_weight, states, weights, queries)
        ctx.cell, ctx.features, ctx.contexts, ctx.saved = cell, features, contexts, saved
        return states[1:], weights, *state[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, doutputs: Tensor, dweights: Tensor, *dend: Tensor) -> tuple[Any, ...]:
        keys, read, recurrent_weight, vector, context_weight, states, weights, queries = ctx.saved_tensors
        time, batch, size = queries.shape
        recurrent_weight = recurrent_weight.contiguous()  # (A + G, H); a step's product reads it from the other side
        dproducts = keys.new_empty(time, batch, len(recurrent_weight))  # (T, B, A + G)
        # The gates of an LSTM are made of a sum, those of a GRU are not.
        dinputs = dproducts if ctx.cell == "lstm" else torch.empty_like(dproducts)  # (T, B, A + G)
        dcontexts = None if context_weight is None else torch.empty_like(ctx.contexts)  # (T, B, V)
        dscores = torch.empty_like(weights)  # (T, B, S)
        dkeys = keys.new_zeros(keys.shape)  # (B, S, A)
        dvector = None if vector is None else torch.zeros_like(vector)  # (A,)
        dstate: State = (torch.zeros_like(states[0]), *dend)  # (B, H) each
        for t in range(time - 1, -1, -1):
            dstate = (dstate[0] + doutputs[t], *dstate[1:])
            dgates, drecurrent, dstate = _BACKWARD[ctx.cell](ctx.saved[t], dstate)  # (B, G), (B, G), (B, H) each
            dread = dgates if dcontexts is None else torch.mm(dgates, context_weight, out=dcontexts[t])  # (B, G | V)
            dcontext_weights = torch.bmm(dread[:, None], read.transpose(1, 2))[:, 0]  # (B, S)
            dscores[t] = ds = _softmax_backward(weights[t], dweights[t] + dcontext_weights)  # (B, S)
            dproduct = dproducts[t]  # (B, A + G)
            dproduct[:, size:] = drecurrent
            if vector is None or dvector is None:
                dproduct[:, :size] = torch.bmm(ds[:, None], keys)[:, 0] / math.sqrt(size)  # (B, A)
            else:
                dquery = _scores_backward(ctx.features[t], ds, dkeys, dvector)  # (B, A)
                torch.mul(dquery, vector, out=dproduct[:, :size])
            if dinputs is not dproducts:
                dinputs[t, :, :size] = dproduct[:, :size]
                dinputs[t, :, size:] = dgates
            dstate = (torch.addmm(dstate[0], dproduct, recurrent_weight), *dstate[1:])  # (B, H) each
        if vector is None:
            dkeys = torch.bmm(dscores.permute(1, 2, 0), queries.transpose(0, 1)) / math.sqrt(size)  # (B, S, A)
        else:
            dkeys *= vector
        dgates = dinputs[:, :, size:]  # (T, B, G)
        dread = torch.bmm(weights.permute(1, 2, 0), (dgates if dcontexts is None else dcontexts).transpose(0, 1))
        dcontext_weight = None if dcontexts is None else dgates.flatten(0, 1).T @ ctx.contexts.flatten(0, 1)  # (G, V)
        flat = dproducts.flatten(0, 1)  # (T * B, A + G)
        dweight = flat.T @ states[:-1].flatten(0, 1)  # (A + G, H)
        dmemory = (dkeys, dread, None, dweight, flat.sum(dim=0), dvector, dcontext_weight)
        return None, None, dinputs, *dmemory, *dstate


def _softmax_backward(weights: Tensor, dweights: Tensor) -> Tensor:
    """Gradient of the scores, `(B, S)`, from the softmax's result and its gradient."""
    return weights * (dweights - (weights * dweights).sum(dim=1, keepdim=True))


def _scores_backward(features: Tensor, dscores: Tensor, dkeys: Tensor, dvector: Tensor) -> Tensor:
    """Backward pass of one step's additive scores: adds to dkeys and dvector, returns dquery.

    Those of keys and query are still to be multiplied by the vector.

    Args:
        features: tanh(keys + query), `(B, S, A)`.
        dscores: `(B, S)`.
        dkeys: `(B, S, A)`, added to.
        dvector: `(A,)`, added to.
    """
    if features.dtype == torch.float32 and features.device.type == "cpu":
        dquery = torch.empty_like(features[:, 0])  # (B, A)
        scores_backward(*(part.numpy() for part in (features, dscores.contiguous(), dkeys, dquery, dvector)))
        return dquery
    dvector += dscores.reshape(-1) @ features.flatten(0, 1)  # (A,)
    dsums = (features * features).sub_(1).mul_(-dscores[:, :, None])  # (B, S, A)
    dkeys += dsums
    return dsums.sum(dim=1)  # (B, A)
