"""The loop of a recurrent layer that attends: each step looks at the memory with its input and its previous state.

It is the one part of an encoder-decoder that cannot be a product over the whole sequence. What can be taken out of it
is: the inputs' share of query and gates is worked out before it for all steps, the memory goes through the gates'
weights once (so that a step adds up rows of the result instead of multiplying the context), query and recurrence
share one product a step, and the gradients of all weights are one product each after the loop, for which the backward
pass is written out here. `attend_plainly` is the same by automatic differentiation, and what it is tested against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recurra.kernels.scores import scores_backward
from recurra.models.attention import attention_scores
from recurra.models.cells import State

AttentionCell = Literal["lstm", "gru"]


class AttentionMemory(NamedTuple):
    """What the loop works with beside its inputs and state; sizes as `gates`, a multiple of `hidden_size`.

    Attributes:
        keys: what queries are compared with, `(batch, positions, attention_size)`.
        projected_values: the memory's values through the gates' weights, `(batch, positions, gates)`.
        mask: `(batch, positions)`, True for what is there.
        weight: of the query and the recurrence, `(attention_size + gates, hidden_size)`; by inputs, see `layout`.
        bias: likewise, `(attention_size + gates,)`.
        vector: v of additive attention, `(attention_size,)`; None for multiplicative.
    """

    keys: Tensor
    projected_values: Tensor
    mask: Tensor
    weight: Tensor
    bias: Tensor
    vector: Tensor | None


Saved = tuple[Tensor, ...]


def lstm_gates(inputs: Tensor, recurrent: Tensor, state: State) -> tuple[State, Saved]:
    """`cells.lstm_cell` from both its products on, `(batch, 4 * hidden_size)`; and what the way back needs."""
    _, c = state
    gates = inputs + recurrent
    size = c.shape[1]
    i, f = torch.sigmoid(gates[:, : 2 * size]).chunk(2, dim=1)
    g = torch.tanh(gates[:, 2 * size : 3 * size])
    o = torch.sigmoid(gates[:, 3 * size :])
    new = f * c + i * g
    squashed = torch.tanh(new)
    return (o * squashed, new), (i, f, g, o, c, squashed)


def lstm_gates_backward(saved: Saved, grads: State) -> tuple[Tensor, Tensor, State]:
    """Gradients of inputs, of the recurrent product and of the state (h's only where it is not through the product)."""
    i, f, g, o, c, squashed = saved
    dh, dc = grads
    dc = dc + dh * o * (1 - squashed * squashed)
    di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
    do = dh * squashed * o * (1 - o)
    gates = torch.cat([di, df, dg, do], dim=1)
    return gates, gates, (torch.zeros_like(dh), dc * f)


def gru_gates(inputs: Tensor, recurrent: Tensor, state: State) -> tuple[State, Saved]:
    """`cells.gru_cell` from both its products on, `(batch, 3 * hidden_size)`; and what the way back needs."""
    (h,) = state
    size = h.shape[1]
    r, z = torch.sigmoid(inputs[:, : 2 * size] + recurrent[:, : 2 * size]).chunk(2, dim=1)
    inner = recurrent[:, 2 * size :]
    n = torch.tanh(inputs[:, 2 * size :] + r * inner)
    return (n + z * (h - n),), (r, z, n, inner, h)


def gru_gates_backward(saved: Saved, grads: State) -> tuple[Tensor, Tensor, State]:
    """As `lstm_gates_backward`."""
    r, z, n, inner, h = saved
    (dh,) = grads
    dn = dh * (1 - z) * (1 - n * n)
    dz = dh * (h - n) * z * (1 - z)
    dr = dn * inner * r * (1 - r)
    return torch.cat([dr, dz, dn], dim=1), torch.cat([dr, dz, dn * r], dim=1), (dh * z,)


GATES: dict[AttentionCell, Callable[[Tensor, Tensor, State], tuple[State, Saved]]] = {
    "lstm": lstm_gates,
    "gru": gru_gates,
}
_BACKWARD: dict[AttentionCell, Callable[[Saved, State], tuple[Tensor, Tensor, State]]] = {
    "lstm": lstm_gates_backward,
    "gru": gru_gates_backward,
}


def attend_plainly(
    cell: AttentionCell, inputs: Tensor, state: State, attending: AttentionMemory
) -> tuple[Tensor, Tensor, State]:
    """Run the layer over whole sequences, step by step.

    Args:
        cell: which equations.
        inputs: their share of query and gates, `(time, batch, attention_size + gates)`.
        state: `(h, c)` or `(h,)`, each `(batch, hidden_size)`.
        attending: the memory and the weights.

    Returns:
        The outputs `(time, batch, hidden_size)`, the attention weights `(time, batch, positions)`, the new state.
    """
    outputs, looks = [], []
    for one in inputs:
        state, _, weights = step(cell, one, state, attending, attending.keys)
        outputs.append(state[0])
        looks.append(weights)
    return torch.stack(outputs), torch.stack(looks), state


def step(
    cell: AttentionCell,
    inputs: Tensor,
    state: State,
    attending: AttentionMemory,
    values: Tensor,
    rows: Tensor | None = None,
) -> tuple[State, Tensor, Tensor]:
    """One step of every row.

    Args:
        cell: which equations.
        inputs: their share of query and gates, `(rows, attention_size + gates)`.
        state: `(h, c)` or `(h,)`, each `(rows, hidden_size)`.
        attending: the memory and the weights.
        values: what contexts are made of, `(batch, positions, value_size)`.
        rows: whose memory each row looks at, `(rows,)`, ascending: several rows may look at one; None for each at its
            own.

    Returns:
        The new state, the contexts `(rows, value_size)`, the attention weights `(rows, positions)`.
    """
    size = attending.keys.shape[-1]
    product = torch.addmm(attending.bias, state[0], attending.weight.T)
    keys, mask, projected_values = attending.keys, attending.mask, attending.projected_values
    slots = None if rows is None else _Slots.of(rows, len(keys))
    queries = product[:, :size] + inputs[:, :size]
    queries = slots.spread(queries, len(keys)) if slots else queries[:, None]
    scores = attention_scores(queries, keys, attending.vector).masked_fill_(~mask[:, None], -math.inf)
    weights = torch.softmax(scores, dim=-1)
    looks = (weights @ projected_values, weights @ values, weights)
    seen, context, weights = (slots.gather(part) if slots else part[:, 0] for part in looks)
    return GATES[cell](inputs[:, size:] + seen, product[:, size:], state)[0], context, weights


class _Slots(NamedTuple):
    """Where rows stand that look at one memory together, so that none of it is copied for each.

    Attributes:
        memory: each row's, `(rows,)`.
        slot: each row's among those of its memory, `(rows,)`.
        most: rows of one memory.
    """

    memory: Tensor
    slot: Tensor
    most: int

    @classmethod
    def of(cls, rows: Tensor, memories: int) -> _Slots | None:
        """Those of ascending memories `(rows,)`; None if each row has its own."""
        if memories == 1:
            return cls(rows, torch.arange(len(rows), device=rows.device), len(rows))
        used, number, counts = torch.unique_consecutive(rows, return_inverse=True, return_counts=True)
        if len(used) == len(rows) == memories:
            return None
        slot = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[number]
        return cls(rows, slot, int(counts.max()))

    def spread(self, rows: Tensor, memories: int) -> Tensor:
        """Rows `(rows, size)` as `(memories, most, size)`, zero where there are fewer."""
        if memories == 1:
            return rows[None]
        spread = rows.new_zeros(memories, self.most, rows.shape[-1])
        spread[self.memory, self.slot] = rows
        return spread

    def gather(self, spread: Tensor) -> Tensor:
        """Back to rows."""
        return spread[0] if len(spread) == 1 else spread[self.memory, self.slot]


def attend(
    cell: AttentionCell, inputs: Tensor, state: State, attending: AttentionMemory
) -> tuple[Tensor, Tensor, State]:
    """As `attend_plainly`, faster to train with; not differentiable twice.

    All of it is worked out in the precision of the weights, under autocast too: gradients come back outside of that.
    """
    dtype = attending.weight.dtype
    attending = attending._replace(keys=attending.keys.to(dtype), projected_values=attending.projected_values.to(dtype))
    arguments = (inputs.to(dtype), *attending, *(part.to(dtype) for part in state))
    with torch.autocast(inputs.device.type, enabled=False):
        keep = torch.is_grad_enabled()
        outputs, looks, *end = _Loop.apply(cell, keep, *arguments)  # type: ignore[no-untyped-call]
    return outputs, looks, (outputs[-1], *end)


class _Loop(torch.autograd.Function):
    """Takes cell, whether to keep what the way back needs, inputs, the six of `AttentionMemory`, the state.

    Gives outputs, weights, and an LSTM's c at the end.
    """

    @staticmethod
    def forward(ctx: Any, cell: AttentionCell, keep: bool, inputs: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        attending, state = AttentionMemory(*rest[:6]), rest[6:]
        keys, projected_values, mask, weight, bias, vector = attending
        size = keys.shape[-1]
        hole = torch.zeros_like(mask, dtype=keys.dtype).masked_fill_(~mask, -math.inf)
        time, batch = inputs.shape[:2]
        states = keys.new_empty(time + 1, batch, weight.shape[1])
        states[0] = state[0]
        looks = keys.new_empty(time, batch, keys.shape[1])
        queries = keys.new_empty(time, batch, size)
        features = None if vector is None else keys.new_empty(time if keep else 1, *keys.shape)
        saved = []
        for number in range(time):
            product = torch.addmm(bias, state[0], weight.T)
            query = torch.add(product[:, :size], inputs[number, :, :size], out=queries[number])
            if vector is None or features is None:
                scores = torch.bmm(query[:, None], keys.transpose(1, 2))[:, 0] / math.sqrt(size)
            else:
                scores = torch.add(keys, query[:, None], out=features[number if keep else 0]).tanh_() @ vector
            weights = torch.softmax(scores.add_(hole), dim=-1, out=looks[number])
            gates = torch.baddbmm(inputs[number, :, None, size:], weights[:, None], projected_values)[:, 0]
            state, kept = GATES[cell](gates, product[:, size:], state)
            if keep:
                saved.append(kept)
            states[number + 1] = state[0]
        ctx.save_for_backward(keys, projected_values, weight, vector, states, looks, queries)
        ctx.cell, ctx.features, ctx.saved = cell, features, saved
        return states[1:], looks, *state[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, douts: Tensor, dlooks: Tensor, *dend: Tensor) -> tuple[Any, ...]:
        keys, projected_values, weight, vector, states, looks, queries = ctx.saved_tensors
        time, batch, size = queries.shape
        weight = weight.contiguous()  # what a step's product reads from the other side
        dproducts = keys.new_empty(time, batch, size + projected_values.shape[-1])
        # The gates of an LSTM are made of a sum, those of a GRU are not.
        dinputs = dproducts if ctx.cell == "lstm" else torch.empty_like(dproducts)
        dscores = torch.empty_like(looks)
        dkeys = keys.new_zeros(keys.shape)
        dvector = None if vector is None else torch.zeros_like(vector)
        dstate: State = (torch.zeros_like(states[0]), *dend)
        for number in range(time - 1, -1, -1):
            dstate = (dstate[0] + douts[number], *dstate[1:])
            dgates, drecurrent, dstate = _BACKWARD[ctx.cell](ctx.saved[number], dstate)
            weights = looks[number]
            dweights = dlooks[number] + torch.bmm(dgates[:, None], projected_values.transpose(1, 2))[:, 0]
            dscores[number] = ds = weights * (dweights - (weights * dweights).sum(dim=1, keepdim=True))
            dproduct = dproducts[number]
            dproduct[:, size:] = drecurrent
            if vector is None or dvector is None:
                dproduct[:, :size] = torch.bmm(ds[:, None], keys)[:, 0] / math.sqrt(size)
            else:
                dqueries = _scores_backward(ctx.features[number], ds, dkeys, dvector)
                torch.mul(dqueries, vector, out=dproduct[:, :size])
            if dinputs is not dproducts:
                dinputs[number, :, :size] = dproduct[:, :size]
                dinputs[number, :, size:] = dgates
            dstate = (torch.addmm(dstate[0], dproduct, weight), *dstate[1:])
        if vector is None:
            dkeys = torch.bmm(dscores.permute(1, 2, 0), queries.transpose(0, 1)) / math.sqrt(size)
        else:
            dkeys *= vector
        dfed = torch.bmm(looks.permute(1, 2, 0), dinputs[:, :, size:].transpose(0, 1))
        flat = dproducts.flatten(0, 1)
        dweight = flat.T @ states[:-1].flatten(0, 1)
        return None, None, dinputs, dkeys, dfed, None, dweight, flat.sum(dim=0), dvector, *dstate


def _scores_backward(features: Tensor, dscores: Tensor, dkeys: Tensor, dvector: Tensor) -> Tensor:
    """Of one step's additive scores: adds to the gradients of keys and vector, gives that of the query.

    Those of keys and query are still to be multiplied by the vector.
    """
    if features.dtype == torch.float32 and features.device.type == "cpu":
        dqueries = torch.empty_like(features[:, 0])
        scores_backward(*(part.numpy() for part in (features, dscores.contiguous(), dkeys, dqueries, dvector)))
        return dqueries
    dvector += dscores.reshape(-1) @ features.flatten(0, 1)
    dsums = (features * features).sub_(1).mul_(-dscores[:, :, None])
    dkeys += dsums
    return dsums.sum(dim=1)
