"""The networks of `networks` and `attention_network` in NumPy, to use and not to train.

Shapes: S steps, I features of a step, V symbols, the blank among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import FloatArray
from recurra.config import required
from recurra.decoding.array_step import ArrayReader, log_softmax
from recurra.runtime.cells import LayerState
from recurra.runtime.compiled import run_stream
from recurra.runtime.decoder import Decoder, DecoderSizes, Encoded, decoder_shapes
from recurra.runtime.encoder_decoder import summary_of
from recurra.runtime.recurrent import advance, annotate, stack_shapes
from recurra.runtime.stored import Shapes, Weights, within
from recurra.tasks.shared.sizes import decoder_sizes
from recurra.tasks.speech.config import Config, decoder_of


def shapes_of(config: Config, symbols: int) -> Shapes:
    """The shapes of the weights of a model, by the names they have in its file.

    Args:
        config: a resolved one.
        symbols: how many there are, the blank included.
    """
    hidden_size = required(config.hidden_size, "hidden_size")
    layers = required(config.num_layers, "num_layers")
    stack = stack_shapes(config.cell, config.features.frame_size, hidden_size, layers, config.bidirectional)
    shapes: Shapes = {f"recurrent.{name}": shape for name, shape in stack.items()}
    shapes |= {"output.weight": (symbols, hidden_size * (1 + config.bidirectional)), "output.bias": (symbols,)}
    if config.network == "ctc":
        return shapes
    decoder = decoder_shapes(_decoder_sizes(config, symbols))
    return {f"encoder.{name}": shape for name, shape in shapes.items()} | {
        f"decoder.{name}": shape for name, shape in decoder.items()
    }


def _decoder_sizes(config: Config, symbols: int) -> DecoderSizes:
    return decoder_sizes(
        decoder_of(config), symbols, required(config.hidden_size, "hidden_size") * (1 + config.bidirectional)
    )


class CtcNetwork:
    """A network under CTC; see `listening.Hearing`.

    Args:
        config: a resolved one.
        weights: see `shapes_of`.
    """

    def __init__(self, config: Config, weights: Weights) -> None:
        self._cell = config.cell
        self.bidirectional = config.bidirectional
        self._recurrent = within(weights, "recurrent")
        self._weight = np.asarray(weights["output.weight"], np.float32)
        self._bias = np.asarray(weights["output.bias"], np.float32)

    @np.errstate(over="ignore", invalid="ignore")  # huge weights are for the search to refuse
    def hear(self, steps: FloatArray) -> FloatArray:
        """See `Hearing`."""
        outputs = annotate(self._cell, self._recurrent, steps[None], np.array([len(steps)]), run_stream)
        return self._log_probs(outputs[0])

    @np.errstate(over="ignore", invalid="ignore")
    def hear_on(self, steps: FloatArray, state: Sequence[LayerState] | None) -> tuple[FloatArray, Sequence[LayerState]]:
        """See `Hearing`."""
        outputs, state = advance(self._cell, self._recurrent, steps[None], state, run_stream)
        return self._log_probs(outputs[0]), state

    def _log_probs(self, outputs: FloatArray) -> FloatArray:
        return log_softmax(outputs @ self._weight.T + self._bias)


class AttentionNetwork:
    """A network that attends: a listener, and a decoder that writes.

    Args:
        config: a resolved one.
        symbols: how many there are, the blank included.
        weights: see `shapes_of`.
    """

    def __init__(self, config: Config, symbols: int, weights: Weights) -> None:
        self._cell = config.cell
        self._recurrent = within(weights, "encoder.recurrent")
        self._bidirectional = config.bidirectional
        self._decoder = Decoder(_decoder_sizes(config, symbols), within(weights, "decoder"), 1.0)

    def reader(self, steps: Sequence[FloatArray]) -> ArrayReader:
        """The network, and the steps `(S, I)` of the recordings that it is to write down."""

        def encode(batch: Sequence[int]) -> Encoded:
            lengths = np.array([len(steps[index]) for index in batch])
            padded = np.zeros((len(batch), lengths.max(), steps[0].shape[1]), np.float32)
            for row, index in enumerate(batch):
                padded[row, : lengths[row]] = steps[index]
            annotations = annotate(self._cell, self._recurrent, padded, lengths)
            memory = self._decoder.memory(annotations, np.arange(lengths.max()) < lengths[:, None])
            return Encoded(memory, self._decoder.initial_state(summary_of(annotations, lengths, self._bidirectional)))

        return ArrayReader(self._decoder, encode)
