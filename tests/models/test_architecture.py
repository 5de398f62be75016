"""Architectures: what no network can be built of is refused by name."""

from dataclasses import fields, replace
from typing import Any

import pytest

from recurra.models.architecture import Architecture, EncoderDecoderArchitecture
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.models.language_model import LanguageModel

LANGUAGE_MODEL = Architecture("gru", 4, 1, 3, 0.0, 0.0, False)
ENCODER_DECODER = EncoderDecoderArchitecture("gru", 4, 1, 3, 0.0, 0.0, False, "additive", 0.0)
OPEN = [field.name for field in fields(EncoderDecoderArchitecture) if field.default is None]
OPEN.remove("attention_size")  # which is that of the hidden layer if it is not given


def build(architecture: Architecture) -> None:
    if isinstance(architecture, EncoderDecoderArchitecture):
        EncoderDecoder(5, 6, architecture)
    else:
        LanguageModel(5, architecture)


@pytest.mark.parametrize("name", OPEN)
def test_an_open_field_is_named(name: str) -> None:
    for architecture in (LANGUAGE_MODEL, ENCODER_DECODER):
        if hasattr(architecture, name):
            build(architecture)
            changed: dict[str, Any] = {name: None}
            with pytest.raises(ValueError, match=f"`{name}` is not set"):
                build(replace(architecture, **changed))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (LANGUAGE_MODEL, "cell is 'foo', but must be one of: lstm, gru, rnn, rnn-relu"),
        (ENCODER_DECODER, "cell is 'rnn', but must be one of: lstm, gru"),
        (ENCODER_DECODER, "attention is 'foo', but must be one of: additive, multiplicative"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_choices(architecture: Architecture, message: str) -> None:
    name, _, value, *_ = message.replace(",", "").split()
    changed = replace(architecture)
    object.__setattr__(changed, name, value.strip("'"))  # past the checks of the dataclass
    with pytest.raises(ValueError, match=message):
        build(changed)
