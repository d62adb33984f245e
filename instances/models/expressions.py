"""SQL expressions over an instance's row, shared by indexes and by the queries that use them."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    BooleanField,
    ExpressionWrapper,
    F,
    Func,
    TextField,
    Value,
)
from django.db.models.functions import Coalesce

# For all GPUs, in 1/100,000 USD an hour; -1 while the price is unknown.
HOURLY_PRICE = Coalesce(
    ExpressionWrapper(F("price_e5_usd") * F("gpu_num"), output_field=BigIntegerField()),
    Value(-1),
    output_field=BigIntegerField(),
)


# SQL function of migration 0009: Postgres allows only immutable functions in an index.
TAG_WORDS = Func(
    F("project_id"),
    F("tags"),
    function="instances_tag_words",
    output_field=ArrayField(TextField()),
)


def tag_word(project_pk: int, key: str, value: str | None) -> str:
    """Index entry of a tag, as ``instances_tag_words`` writes it: ``7:team`` or ``7:team=ml``."""
    word = f"{project_pk}:{key}"
    return word if value is None else f"{word}={value}"


class HasTagWord(Func):
    """Whether the row's tag words contain this one."""

    template = "%(expressions)s"
    arg_joiner = " @> "
    output_field = BooleanField()

    def __init__(self, word: str, **kwargs: Any) -> None:
        wanted = Value([word], output_field=ArrayField(TextField()))
        super().__init__(TAG_WORDS, wanted, **kwargs)
