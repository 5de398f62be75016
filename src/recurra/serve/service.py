"""Models that are served, each with a thread of its own, and which of them a request is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from recurra.serve.contract import Endpoint, Json, Part
from recurra.serve.errors import FieldError, RequestError
from recurra.serve.fields import Request
from recurra.serve.limits import Limits
from recurra.serve.work import Desk, Worker

BODIES = 8
"""Largest bodies that are in memory at once, those of all requests together."""


@dataclass(frozen=True)
class Served:
    """A model that is served.

    Attributes:
        name: what requests call it.
        task: of which it is.
        model: what its task's part loaded.
        created: when it was saved, seconds since 1970.
        facts: its card's, label to text.
        card: the whole card, Markdown.
    """

    name: str
    task: str
    model: Any
    created: int
    facts: Mapping[str, str]
    card: str


class Service:
    """Models with their threads.

    Args:
        models: to serve, each with a name of its own.
        parts: the parts of their tasks, by the task's name.
        limits: of requests.
    """

    def __init__(self, models: Sequence[Served], parts: Mapping[str, Part], limits: Limits) -> None:
        self.models = {served.name: served for served in models}
        self.parts = parts
        self.limits = limits
        self.desk = Desk(limits.max_requests, BODIES * (limits.max_body_bytes + limits.max_upload_bytes))
        self.workers = {name: Worker(name) for name in self.models}

    def of_task(self, task: str) -> dict[str, Any]:
        """The models of a task, by name."""
        return {name: served.model for name, served in self.models.items() if served.task == task}

    def chosen(self, task: str, endpoint: Endpoint, request: Request) -> Served:
        """The model that a request is for.

        Raises:
            RequestError: if there is no such model, it is of another task, or several could be meant.
        """
        models = self.of_task(task)
        suiting = {name: model for name, model in models.items() if endpoint.suits(model)} or models
        name = request.model
        if name is None and endpoint.choose:
            name = endpoint.choose(suiting, request)
        if name is None:
            if len(suiting) > 1:
                raise FieldError("model", f"`model` is missing; there are {', '.join(suiting)}", "missing_field")
            name = next(iter(suiting))
        if name not in self.models:
            raise RequestError(
                f"there is no model {name[:100]!r}; there are {', '.join(models)}", 404, "model_not_found", "model"
            )
        if name not in models:
            raise FieldError(
                "model", f"{name} is a model for {self.models[name].task}; here are {', '.join(models)}", "wrong_task"
            )
        return self.models[name]

    def told(self, served: Served) -> dict[str, Json]:
        """A model as /v1/models lists it."""
        return {
            "id": served.name,
            "object": "model",
            "created": served.created,
            "owned_by": "recurra",
            "task": served.task,
            "facts": dict(served.facts),
            "card": served.card,
            **self.parts[served.task].about(served.model),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the threads end."""
        for worker in self.workers.values():
            worker.stop()
