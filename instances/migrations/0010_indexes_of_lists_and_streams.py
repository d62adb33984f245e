"""The indexes of lists and streams, built while the release before goes on writing.

Each is a step that stays done: after a failure, migrate again.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower

from instances.migrations._online import AddIndexOnline
from instances.models.expressions import HOURLY_PRICE, TAG_WORDS

FILTERED = ["status", "region", "billing_mode", "product_name", "product_id"]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("instances", "0009_lists_tags_version")]

    operations = [
        AddIndexOnline(
            "instanceevent",
            models.Index(fields=["project", "xid", "id"], name="event_in_stream_order"),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                fields=["project", "created_at", "id"], include=["name", *FILTERED],
                name="instance_list_age",
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                fields=["project", "name", "id"], include=["created_at", *FILTERED],
                name="instance_list_name",
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                F("project"), HOURLY_PRICE, F("id"),
                include=["name", "created_at", "price_e5_usd", "gpu_num", *FILTERED],
                name="instance_list_price",
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                fields=["project", "status", "created_at", "id"], name="instance_list_status"
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                F("project"), OpClass(Lower("name"), "text_pattern_ops"),
                name="instance_list_prefix",
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                fields=["project", "region", "created_at", "id"], name="instance_list_region"
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(
                F("project"), Lower("product_name"), F("created_at"), F("id"),
                name="instance_list_product",
            ),
        ),
        AddIndexOnline(
            "instance",
            models.Index(fields=["project", "product_id"], name="instance_list_product_id"),
        ),
        AddIndexOnline(
            "instance", GinIndex(TAG_WORDS, fastupdate=False, name="instance_tags")
        ),
    ]
