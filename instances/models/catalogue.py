"""Models of the catalogue: clusters, products and templates as Novita last listed them."""

from django.db import models
from django.db.models.functions import Now

from core.sealed_fields import SealedJSONField
from instances.domain.enums import BillingMode


class Cluster(models.Model):
    """A data centre of Novita; the configuration maps this API's regions to clusters."""

    account = models.CharField(max_length=16)
    cluster_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    fetched_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "cluster_id"], name="cluster_once")
        ]

    def __str__(self) -> str:
        return self.name


class CachedProduct(models.Model):
    """A product as listed for one cluster and billing mode; availability differs between them."""

    account = models.CharField(max_length=16)
    cluster_id = models.CharField(max_length=255)
    billing_mode = models.CharField(max_length=10, choices=BillingMode.choices)
    product_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    is_available = models.BooleanField()
    inventory_state = models.CharField(max_length=20, blank=True)
    on_demand_price_e5_usd = models.PositiveBigIntegerField(null=True)
    spot_price_e5_usd = models.PositiveBigIntegerField(null=True)
    # The parsed product; placement works from it.
    data = models.JSONField()
    # Fields that the previous release cannot read in ``data``.
    extra = models.JSONField(default=dict, db_default={})
    fetched_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "cluster_id", "billing_mode", "product_id"],
                name="product_once_per_cluster_and_mode",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.product_id})"


class ListedTemplate(models.Model):
    """A template as Novita's lists show it, for callers to choose from; no env values or commands.

    Creates do not use it: lists may lack fields that a get by id returns.
    """

    account = models.CharField(max_length=16)
    template_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    channel = models.CharField(max_length=40, blank=True)
    type = models.CharField(max_length=40, blank=True)
    image = models.CharField(max_length=1024, blank=True)
    rootfs_size_gb = models.PositiveIntegerField(default=0)
    ports = models.JSONField(default=list)
    min_cuda_version = models.CharField(max_length=40, blank=True)
    fetched_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "template_id"], name="listed_template_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.template_id})"


class CachedTemplate(models.Model):
    """A template from a get by id; ``data`` is sealed: it has env values and registry logins."""

    account = models.CharField(max_length=16)
    template_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    data = SealedJSONField()
    fetched_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "template_id"], name="template_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.template_id})"
