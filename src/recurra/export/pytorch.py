"""Networks that are not recurrent, by PyTorch's own exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from recurra.errors import RecurraError
from recurra.export.graph import OPSET


def traced(module: nn.Module, example: Tensor) -> onnx.ModelProto:
    """A network of one input and one output as an ONNX model.

    Args:
        module: the network.
        example: of its input; the first size, the batch, is left free.

    Raises:
        RecurraError: if the exporter cannot follow it.
    """
    import onnxscript  # noqa: F401  # what the exporter needs: said here in one sentence if it is missing

    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise RecurraError(f"PyTorch's exporter cannot follow this backbone ({reason}); give a .zip instead") from error
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks, which are for people who write exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
