"""What a client is told when something is wrong: a status, and one sentence in JSON as OpenAI's clients read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recurra.errors import RecurraError, bounded


class RequestError(RecurraError):
    """A request that cannot be answered.

    Args:
        message: one sentence: what is wrong, and what to do.
        status: of HTTP.
        code: a word for programs.
        param: the field at fault, if it is one.
        headers: sent with the answer.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        code: str = "invalid_request",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = status
        self.code = code
        self.param = param
        self.headers = dict(headers or {})


class FieldError(RequestError):
    """A field that a request must not have, or not with this value."""

    def __init__(self, param: str, message: str, code: str = "invalid_value") -> None:
        super().__init__(message, 400, code, param)


def as_request_error(error: RecurraError) -> RequestError:
    """Any refusal as one that says what its status is: what a model refuses is the request's fault."""
    return error if isinstance(error, RequestError) else RequestError(str(error))


def error_values(error: RequestError) -> dict[str, Any]:
    """An error as JSON values."""
    kind = "invalid_request_error" if error.http_status < 500 else "server_error"
    return {"error": {"message": bounded(str(error)), "type": kind, "param": error.param, "code": error.code}}
