"""How good a speech model is: transcripts compared with what was said, and a detector's misses and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from recurra.arrays import BoolArray, DoubleArray
from recurra.decoding.beam_search import BeamSearch
from recurra.evaluation.classification import calibration_error, reliability
from recurra.progress import bar, in_groups, note
from recurra.tasks.speech.accuracy import Accuracy, measure, right_words
from recurra.tasks.speech.attending import GROUP, fault_of
from recurra.tasks.speech.attention_network import AttentionNetwork
from recurra.tasks.speech.ctc import greedy
from recurra.tasks.speech.data import Part, steps_of
from recurra.tasks.speech.networks import heard
from recurra.tasks.speech.objective import batches_of
from recurra.tasks.speech.recordings import Recording
from recurra.tasks.speech.symbols import BLANK
from recurra.tasks.speech.transcript import Transcript
from recurra.tasks.speech.wakeword.data import is_word
from recurra.tasks.speech.wakeword.measuring import measured_stream
from recurra.tasks.speech.wakeword.rates import rates

if TYPE_CHECKING:
    from recurra.tasks.speech.model import Model

GREEDY = BeamSearch(beam_size=1)


class Evaluation(NamedTuple):
    """How good a model is on recordings.

    Attributes:
        names: of the recordings.
        said: what is said in each.
        heard: what the model heard.
        accuracy: how they compare.
        calibration_error: of the confidences of words (ECE), see `recurra.evaluation.classification`.
    """

    names: list[str]
    said: list[str]
    heard: list[Transcript]
    accuracy: Accuracy
    calibration_error: float


def hear(model: Model, part: Part) -> list[Transcript]:
    """The greedy transcripts of recordings."""
    network = model.network
    if isinstance(network, AttentionNetwork):
        return _spell(model, part)
    transcripts: dict[int, Transcript] = {}
    with bar("scoring") as shown:
        for batch in batches_of(part, model.config):
            steps = [steps_of(part.sounds[n], model.config, model.vocabulary.normalization) for n in batch]
            with torch.inference_mode():
                log_probs = network(heard(steps).to(model.device)).cpu().numpy()
            for row, number in enumerate(batch):
                labelling = greedy(log_probs[row, : len(steps[row])], BLANK)
                transcripts[number] = model.transcript(labelling, 0.0, len(steps[row]))
            shown.update(len(transcripts) / len(part))
    if not any(transcript.text for transcript in transcripts.values()):
        note("the model has learned only blanks; train longer, with short recordings too, or from another model")
    return [transcripts[number] for number in range(len(part))]


def _spell(model: Model, part: Part) -> list[Transcript]:
    found = []
    for numbers in in_groups(range(len(part)), GROUP, "scoring"):
        found += model.speller().write(([part.sounds[number]] for number in numbers), GREEDY)
    if reason := fault_of(found):
        note(reason)
    return [model.transcript(each.labelling, each.log_prob, each.steps) for each in found]


def confidences(model: Model, transcripts: Sequence[Transcript], said: Sequence[str]) -> tuple[DoubleArray, BoolArray]:
    """How sure the model is of each word that it heard, and whether that is right, `(words,)` both."""
    split = model.symbols.split if model.symbols.space is None else str.split
    words = [[word.text for word in transcript.words] for transcript in transcripts]
    sure = [word.confidence for transcript in transcripts for word in transcript.words]
    return np.array(sure), right_words(words, [split(text) for text in said])


def compare(model: Model, names: Sequence[str], said: Sequence[str], transcripts: Sequence[Transcript]) -> Evaluation:
    """Transcripts beside what was said."""
    accuracy = measure([transcript.text for transcript in transcripts], said)
    error = calibration_error(reliability(*confidences(model, transcripts, said)))
    return Evaluation(list(names), list(said), list(transcripts), accuracy, error)


def alarms(model: Model, items: Sequence[Recording], threshold: float) -> dict[str, Any]:
    """Words missed and false alarms of a detector, on recordings one after another as one stream, as JSON values."""
    loaded = (
        (item.load(model.config.features.rate), is_word(item, model.symbols))
        for group in in_groups(items, 1, "listening")
        for item in group
    )
    stream = measured_stream(model.probability_stream(), loaded, model.config)
    measured = rates(*stream, threshold, model.config.features.step_seconds)
    return measured.to_json() | {"threshold": threshold, "count": len(items), "proved": measured.proved()}


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON values."""
    accuracy = evaluation.accuracy
    return {
        "wer": accuracy.wer,
        "cer": accuracy.cer,
        "wer_interval": list(accuracy.interval),
        "exact_match": accuracy.exact_match,
        "ece": evaluation.calibration_error,
        "count": accuracy.count,
        "confusions": [{"said": a, "heard": b, "count": times} for a, b, times in accuracy.confusions[:10]],
    }
