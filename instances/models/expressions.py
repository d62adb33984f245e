"""What Postgres computes of an instance's row, for indexes and for the queries that use them."""

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

# For all GPUs, in 1/100,000 USD an hour; less than any price while there is none.
HOURLY_PRICE = Coalesce(
    ExpressionWrapper(F("price_e5_usd") * F("gpu_num"), output_field=BigIntegerField()),
    Value(-1),
    output_field=BigIntegerField(),
)


# A function of migration 0009: an index may hold only what Postgres knows to be unchanging.
TAG_WORDS = Func(
    F("project_id"),
    F("tags"),
    function="instances_tag_words",
    output_field=ArrayField(TextField()),
)


def tag_word(project_pk: int, key: str, value: str | None) -> str:
    """As ``instances_tag_words`` writes them: ``7:team`` for the key, ``7:team=ml`` for both."""
    word = f"{project_pk}:{key}"
    return word if value is None else f"{word}={value}"


class HasTagWord(Func):
    """Whether the row carries that word."""

    template = "%(expressions)s"
    arg_joiner = " @> "
    output_field = BooleanField()

    def __init__(self, word: str, **kwargs: Any) -> None:
        wanted = Value([word], output_field=ArrayField(TextField()))
        super().__init__(TAG_WORDS, wanted, **kwargs)
