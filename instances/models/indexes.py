"""Indexes of the instance table: for the API's lists and for the workers' queries."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from instances.models.expressions import HOURLY_PRICE, TAG_WORDS

# Included in the sort indexes, so that Postgres filters rows inside the index and reads only those
# that match from the table.
_FILTERED = ["status", "region", "billing_mode", "product_name", "product_id"]

INSTANCE_INDEXES: list[models.Index] = [
    models.Index(fields=["project", "-id"], name="instance_project"),
    # For lists: one index for each sort order, then for each filter. See docs/lists.md.
    models.Index(
        fields=["project", "created_at", "id"],
        include=["name", *_FILTERED],
        name="instance_list_age",
    ),
    models.Index(
        fields=["project", "name", "id"],
        include=["created_at", *_FILTERED],
        name="instance_list_name",
    ),
    models.Index(
        F("project"),
        HOURLY_PRICE,
        F("id"),
        include=["name", "created_at", "price_e5_usd", "gpu_num", *_FILTERED],
        name="instance_list_price",
    ),
    models.Index(fields=["project", "status", "created_at", "id"], name="instance_list_status"),
    models.Index(fields=["project", "region", "created_at", "id"], name="instance_list_region"),
    models.Index(
        F("project"),
        Lower("product_name"),
        F("created_at"),
        F("id"),
        name="instance_list_product",
    ),
    models.Index(fields=["project", "product_id"], name="instance_list_product_id"),
    models.Index(
        F("project"),
        OpClass(Lower("name"), "text_pattern_ops"),
        name="instance_list_prefix",
    ),
    GinIndex(TAG_WORDS, name="instance_tags", fastupdate=False),
    models.Index(fields=["made_by", "id"], condition=~Q(made_by=""), name="instance_made_by"),
    models.Index(
        fields=["product_name", "-ready_at"],
        condition=Q(ready_at__isnull=False),
        name="instance_start_times",
    ),
    models.Index(
        fields=["status"],
        condition=~Q(status__in=["terminated", "failed"]),
        name="instance_not_ended",
    ),
    # Held at Novita, for the reconciler; next to expire, for enforce_limits.
    models.Index(
        fields=["upstream_account"],
        condition=Q(upstream_gone_at__isnull=True) & ~Q(upstream_id=""),
        name="instance_holding",
    ),
    models.Index(
        fields=["expires_at"],
        condition=Q(expires_at__isnull=False, upstream_gone_at__isnull=True),
        name="instance_expiring",
    ),
    # Unconfirmed creates, for operators and the reconciler: few of all rows.
    models.Index(
        fields=["create_step"],
        condition=Q(create_step__in=["post", "look_up"]),
        name="instance_in_doubt",
    ),
    # Count of a project's live instances without reading ended ones.
    models.Index(
        fields=["project"],
        condition=~Q(status__in=["terminated", "failed"]),
        name="instance_project_live",
    ),
]
