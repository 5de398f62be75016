"""What a person is told of a trained model, whatever it is made of: its facts, its card, the end of its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import recurra
from recurra import modelfolder
from recurra.data.tokenizer import Tokens
from recurra.models.architecture import Architecture
from recurra.runtime.ngrams import collisions_words, count_collisions
from recurra.training.history import PICTURE, Measurement


class Described:
    """A trained model as far as it is described to a person.

    Attributes:
        task: the task it belongs to.
        trained_on: what the card says of the training, with entries of the record in braces.
        quality: likewise, of the validation part.
        manner: what the card says of how far to trust it.
        use: what to type next after the task's name, with `{name}` for the model's.
        config: how it was made, resolved.
        record: how it was trained and how good it is, as JSON values.
        name: what to call it.
        history: the points of its loss curve.
    """

    task: ClassVar[str]
    trained_on: ClassVar[str]
    quality: ClassVar[str]
    manner: ClassVar[str]
    use: ClassVar[str]

    config: Any
    record: dict[str, Any]
    name: str
    history: Sequence[Measurement]

    def network_words(self) -> str:
        """A few words on what was trained."""
        return network_summary(self.config)

    def longer(self, reason: str) -> str:
        """The option that makes a run longer which ended for this reason; an empty string if none does."""
        last = self.history[-1]
        more = {"time": f"`minutes` {2 * max(1, round(last.seconds / 60))}", "steps": f"`steps` {2 * last.step}"}
        return more.get(reason, "")

    def told(self) -> tuple[str, str, str]:
        """`quality`, `manner` and `use` of this model, where not every model of a task has the same."""
        return self.quality, self.manner, self.use

    def facts(self) -> dict[str, str]:
        """What a person wants to know of the model, label to text.

        Raises:
            RecurraError: if the record, which is a file that can be edited, lacks a figure.
        """
        begun = self.record.get("begun_from")
        return {
            "trained on": modelfolder.tell(self.record, self.trained_on) + (f", begun from {begun}" if begun else ""),
            "validation": modelfolder.tell(self.record, self.told()[0]),
            "network": self.network_words(),
        } | ({"n-grams": self.record["ngrams"]} if "ngrams" in self.record else {})

    def card(self, name: str) -> str:
        """The model card, Markdown."""
        facts = "\n".join(f"- {label}: {text}" for label, text in self.facts().items())
        made_with = f"made with Recurra {self.record.get('recurra', recurra.__version__)}"
        title = f"# {name}\n\n{modelfolder.model_of(self.task).capitalize()} {made_with}."
        _, manner, use = self.told()
        return f"{title}\n\n{facts}\n\n{manner}\n\n    recurra {self.task} {use.format(name=name)}\n"


def closing(model: Described, out: Path, reason: str) -> str:
    """What a person is told at the end of a run, lines."""
    ended = {
        "steps": "all steps are done",
        "epochs": "all epochs are done",
        "time": "time is up",
        "patience": "the validation loss stopped falling",
    }[reason]
    lines = [
        f"{out}: {ended}; validation: {model.facts()['validation']}",
        f"loss curve: {out / PICTURE}",
        f"next: recurra {model.task} {model.told()[2].format(name=out)}",
    ]
    scored = [row for row in model.history if row.validation_loss is not None]
    best = min((row.validation_loss for row in scored if row.validation_loss is not None), default=0.0)
    if best > model.record["guessing"]:
        lines.append(
            f"this is worse than guessing evenly ({model.record['guessing']:.4f} nats): it has learned nothing; train "
            "longer, with more data, or with another `learning_rate`"
        )
    elif scored and scored[-1].validation_loss == best and (longer := model.longer(reason)):
        lines.append(f"it was still getting better; go on with the same command, `resume` and {longer}")
    return "\n".join(lines)


def network_summary(config: Any) -> str:
    """A few words on a network: "lstm, 1 x 384 units"."""
    attention = getattr(config, "attention", None)
    ngrams = config.tables() if isinstance(config, Architecture) else None
    tables = f", {ngrams.largest - 1} x {ngrams.num_rows:,} rows of n-grams" if ngrams else ""
    looks = "" if attention is None else ", no attention" if attention == "none" else f", {attention} attention"
    return f"{config.cell}, {config.num_layers} x {config.hidden_size} units{tables}{looks}"


def collisions_record(tokens: Tokens, architecture: Architecture) -> dict[str, str]:
    """What the record says of how the n-grams of the training tokens share rows; nothing without n-grams."""
    ngrams = architecture.tables()
    if ngrams is None:
        return {}
    return {"ngrams": collisions_words(count_collisions(tokens, ngrams.largest, ngrams.num_rows))}
