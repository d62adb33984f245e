"""Errors in the form of the upstream service: a go-kratos body with the HTTP status."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal, sent as `{"code", "reason", "message", "metadata"}`."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        metadata: dict[str, str] | list[str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.metadata = metadata if metadata is not None else {}
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        return {
            "code": self.status,
            "reason": self.reason,
            "message": self.message,
            "metadata": self.metadata,
        }


class ControlError(Exception):
    """An invalid control call; answered 400 with its message."""


def refused(reason: str, message: str, metadata: list[str] | None = None) -> ApiError:
    """Nearly every refusal of the upstream service is a 400; only the reason differs."""
    return ApiError(400, reason, message, metadata)


def invalid(field: str, problem: str) -> ApiError:
    """The wording follows protoc-gen-validate, which go-kratos services use."""
    return refused("VALIDATOR_PARAM", f"invalid {field}: {problem}")


def out_of_stock(product_id: str) -> ApiError:
    return refused("INSUFFICIENT_RESOURCE", f"resource insufficient with product {product_id}")


def unauthorized(status: int) -> ApiError:
    """The GPU pages document 401 UNAUTHORIZED, the image pages 403 INVALID_API_KEY."""
    reason = "UNAUTHORIZED" if status == 401 else "INVALID_API_KEY"
    return ApiError(status, reason, "invalid or missing API key")


def refused_key(
    status: int = 401, reason: str = "UNAUTHORIZED", message: str = "invalid api key"
) -> ApiError:
    """Answer to the right key while it is refused: expired, disabled, the account banned."""
    return ApiError(status, reason, message)


def refused_account(
    status: int = 400, reason: str = "BALANCE_NOT_ENOUGH", message: str = "balance not enough"
) -> ApiError:
    """No purchase until the operator corrects the account: money, quota, a ban."""
    return ApiError(status, reason, message)


class DoneAnywayError(ApiError):
    """A refusal of a call that took effect, as seen upstream with `invalid state change`."""

    def __init__(self) -> None:
        super().__init__(400, "REQUEST", "invalid state change")
