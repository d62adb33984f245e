"""What the API answers about keys."""

from typing import Annotated, Self

from pydantic import Field

from accounts.models import ApiKey
from accounts.scopes import Scope
from core.answers import Answer, Moment, OneOf, page_of


class KeyProject(Answer):
    """Whose key it is."""

    id: str
    name: str


class ApiKeyDetails(Answer):
    """An API key, without the key."""

    id: str
    name: str
    start: str = Field(description="its first characters")
    project: KeyProject
    scopes: list[Annotated[str, OneOf(Scope)]]
    createdAt: Moment
    rateLimitPerMinute: int | None = Field(
        None, description="absent: the service's own; 0: no limit"
    )
    lastUsedAt: Moment | None = Field(None, description="to the minute")
    expiresAt: Moment | None = None
    revokedAt: Moment | None = None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        return cls(
            id=row.public_id,
            name=row.name,
            start=row.start,
            project=KeyProject(id=row.project.public_id, name=row.project.name),
            scopes=row.scopes,
            createdAt=row.created_at,
            rateLimitPerMinute=row.rate_limit,
            lastUsedAt=row.last_used_at,
            expiresAt=row.expires_at,
            revokedAt=row.revoked_at,
        )


ApiKeyList = page_of("ApiKeyList", "A page of keys.", keys=ApiKeyDetails)
