"""The one form of every answer that is not a success."""

from typing import Any

from pydantic import Field

from core.answers import Answer, Moment


class ValidationErrorDetail(Answer):
    """One bad field; the value as it was sent, cut at 200 characters, and never a secret."""

    field: str
    message: str
    value: Any = None


class ErrorDetail(Answer):
    """What went wrong, for programs (code) and people (message)."""

    code: str = Field(description="stable; branch on it")
    message: str = Field(description="for people")
    retryable: bool = Field(description="whether the same request may succeed later")
    timestamp: Moment
    requestId: str
    suggestion: str | None = Field(None, description="what to do next")
    details: Any = None
    validationErrors: list[ValidationErrorDetail] | None = None


class ErrorResponse(Answer):
    """Every answer that is not a success."""

    error: ErrorDetail

    def as_json(self) -> dict[str, Any]:
        """Without what was not set; a value that was sent as null is shown."""
        return self.model_dump(exclude_unset=True)
