"""Translates Novita's refusal of a request into the failure of the instance."""

from instances.domain.enums import FailureCode
from instances.domain.types import Failure
from upstream.errors import NovitaError, TemplateNotFound


def rejected(error: NovitaError) -> Failure:
    """Failure code by the reason or words of Novita, with its words in the message."""
    return Failure(_code(error), f"Novita refused: {error}")


def _code(error: NovitaError) -> FailureCode:
    if isinstance(error, TemplateNotFound):
        return FailureCode.TEMPLATE_NOT_FOUND
    reason, words = error.reason.upper(), str(error).lower()
    if "CUDA" in reason or "cuda" in words:
        return FailureCode.CUDA_VERSION_INCOMPATIBLE
    if "IMAGE_AUTH" in reason or "REGISTRY" in reason or "REPOSITORY_AUTH" in reason:
        return FailureCode.REGISTRY_AUTH_NOT_FOUND
    if "IMAGE" in reason or "image" in words:
        return FailureCode.IMAGE_REJECTED
    return FailureCode.UPSTREAM_REJECTED
