"""Every field of a template is used, or told as unused; what may be a secret is never shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client

from instances.catalogue import cache
from instances.models import CachedTemplate, Instance
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.creates import create
from tests.support.fakes import CLUSTER, PRODUCT, TEMPLATE, FakeNovita
from upstream.parsers.template_items import read_image_auth, read_template
from upstream.types import RegistryAuth

pytestmark = pytest.mark.django_db
SECRET = "robot:s3cr3tPassw0rd"
BODY = {
    "name": "a",
    "productName": PRODUCT.name,
    "templateId": TEMPLATE.id,
    "region": "US-WEST-01",
}


# Root disk


@pytest.mark.parametrize(
    ("asked", "template_gb", "bought"),
    [
        *((None, 0, 60), (None, 10, 60), (None, 60, 60), (None, 61, 61), (None, 200, 200)),
        *((60, 200, 60), (100, 200, 100), (300, 200, 300), (60, 0, 60)),
    ],
)
def test_a_request_without_a_size_gets_what_the_template_asks_for(
    service: Service, novita: FakeNovita, asked: int | None, template_gb: int, bought: int
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, rootfs_size_gb=template_gb)
    spec = {"has_default_rootfs": True} if asked is None else {"rootfs_size_gb": asked}
    instance = service.placed(**spec)
    assert novita.created[0].rootfs_size_gb == instance.rootfs_size_gb == bought
    notes = instance.placement.get("notes", [])
    assert bool(notes) == ((asked is None and template_gb > 60) or (asked or 999) < template_gb)


def test_a_template_that_fits_on_no_offer_is_a_clear_refusal(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, rootfs_size_gb=2000)
    instance = create(service, service.create(has_default_rootfs=True))
    assert (instance.status, instance.error_code) == ("failed", "NO_OPTIMAL_PRODUCT")
    assert "at most 500 GB" in instance.error_message
    assert "template requires 2000 GB" in instance.error_message
    assert novita.created == []


def test_an_offer_too_small_for_the_template_gives_way_to_a_larger_one(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, rootfs_size_gb=800)
    novita.products.append(replace(PRODUCT, id="roomy", max_rootfs_gb=1000))
    assert service.placed(has_default_rootfs=True).product_id == "roomy"


@pytest.mark.parametrize(
    ("body", "size", "codes"),
    [
        ({}, 200, ["ROOTFS_OF_TEMPLATE", "TEMPLATE_FIELD_UNUSED"]),
        ({"rootfsSize": None}, 200, ["ROOTFS_OF_TEMPLATE", "TEMPLATE_FIELD_UNUSED"]),
        ({"rootfsSize": 60}, 60, ["ROOTFS_BELOW_TEMPLATE", "TEMPLATE_FIELD_UNUSED"]),
        ({"rootfsSize": 200}, 200, ["TEMPLATE_FIELD_UNUSED"]),
        ({"rootfsSize": 400}, 400, ["TEMPLATE_FIELD_UNUSED"]),
    ],
)
def test_a_plan_warns_of_what_the_template_asks_for(
    api: Client, body: dict[str, object], size: int, codes: list[str]
) -> None:
    cache.keep_clusters([CLUSTER])
    cache.keep_products(CLUSTER.id, "spot", [PRODUCT])
    cache.keep_template("tpl-1", replace(TEMPLATE, rootfs_size_gb=200, unused=("volumes",)))
    plan = api.post("/api/instances/plan", {**BODY, **body}, content_type="application/json").json()
    assert [each["code"] for each in plan["warnings"]] == codes
    assert (plan["rootfsSize"], plan["wouldBePlaced"]) == (size, True)


def test_the_size_of_a_request_over_the_api_is_told_from_none(
    api: Client, service: Service, novita: FakeNovita
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, rootfs_size_gb=200)
    for extra in ({}, {"rootfsSize": 60}):
        answer = api.post("/api/instances", {**BODY, **extra}, content_type="application/json")
        assert answer.status_code == 201, answer.content
    service.run("create_instance", times=3)
    assert sorted(request.rootfs_size_gb for request in novita.created) == [60, 200]


# What a template asks for in vain


@pytest.mark.parametrize(
    ("fields", "unused"),
    [
        ({}, ()),
        ({"volumes": []}, ()),
        ({"volumes": None}, ()),
        ({"volumes": [{"type": "local", "size": 50}]}, ("volumes",)),
        ({"networkStorages": [{"Id": "x"}]}, ("networkStorages",)),
        ({"recommendCards": [{"gpuSpecId": "4090.18c", "cardNum": "2"}]}, ("recommendCards",)),
        ({"recommendCards": [{"gpuSpecId": "", "cardNum": "0"}]}, ()),
        ({"shmSize": 8, "networkId": "", "diskSize": "0", "isPrivate": False}, ("shmSize",)),
        ({"readme": "text", "createdAt": "1756959094", "user": {"id": "7"}, "isUsed": True}, ()),
    ],
)
def test_what_an_instance_does_not_get_is_noted(
    fields: dict[str, object], unused: tuple[str, ...]
) -> None:
    template = read_template({"Id": "1", **fields})
    assert template is not None
    assert template.unused == unused


def test_unused_fields_stand_in_the_placement(service: Service, novita: FakeNovita) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, unused=("volumes",), type="serverless")
    notes = " ".join(service.placed().placement["notes"])
    assert "volumes of template tpl-1 are not used" in notes
    assert "serverless" in notes


# Registry credentials


@pytest.mark.parametrize(
    ("value", "auth_id", "auth"),
    [
        *(("", "", ""), (None, "", ""), ("0", "", ""), (0, "", "")),
        ("107", "107", ""),
        ("e2d0f1a4-0000-4000-8000-0123456789ab", "e2d0f1a4-0000-4000-8000-0123456789ab", ""),
        (SECRET, "", SECRET),
        ("robot:pass word", "", "robot:pass word"),
        ({"username": "robot", "password": "pw"}, "", "robot:pw"),
        ("not an id", "", "not an id"),
    ],
)
def test_what_is_no_id_is_a_secret(value: object, auth_id: str, auth: str) -> None:
    assert read_image_auth(value) == (auth_id, auth)


def test_user_and_password_go_into_the_create_and_stand_nowhere_in_clear(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, image_auth=SECRET)
    service.placed()
    (request,) = novita.created
    assert request.to_json()["imageAuth"] == SECRET
    assert "imageAuthId" not in request.to_json()
    assert "s3cr3t" not in repr(request) + repr(novita.templates["tpl-1"])
    assert "s3cr3t" not in stored(CachedTemplate) + stored(Instance)
    assert service.placed().upstream_id
    assert novita.created[1].image_auth == SECRET


def test_a_cached_secret_that_no_key_opens_is_read_anew(
    service: Service, novita: FakeNovita
) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, image_auth=SECRET)
    service.placed()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE instances_cachedtemplate SET data = %s", ['"sealed:gAAAAA"'])
    service.placed()
    assert novita.created[-1].image_auth == SECRET


def test_a_template_cached_by_the_release_before_is_read(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    row = CachedTemplate.objects.get()
    row.data = {key: value for key, value in row.data.items() if key not in NEW}
    row.save()
    assert cache.CatalogueReader().template("tpl-1") == TEMPLATE


NEW = ("image_auth", "unused")


def stored(model: type[Model]) -> str:
    """Every row as the database holds it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t")
        return str(cursor.fetchall())


@pytest.mark.parametrize(
    ("template", "shown", "hidden"),
    [
        (replace(TEMPLATE, image_auth="no colon here"), "neither the id", "no colon"),
        (replace(TEMPLATE, image_auth=":s3cr3t"), "neither the id", "s3cr3t"),
        (replace(TEMPLATE, image_auth_id="s3cr3tPassw0rd"), "does not have", "s3cr3t"),
        (replace(TEMPLATE, image_auth_id="107"), "credentials 107, which", "s3cr3t"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_without_being_printed(
    service: Service, novita: FakeNovita, template: object, shown: str, hidden: str
) -> None:
    novita.templates["tpl-1"] = template  # type: ignore[assignment]
    novita.auths = [RegistryAuth("9", "other")]
    instance = create(service, service.create())
    assert (instance.status, instance.error_code) == ("failed", "REGISTRY_AUTH_NOT_FOUND")
    assert shown in instance.error_message
    events = [(each.cause, each.data) for each in instance.events.all()]
    assert hidden not in instance.error_message + str(events)
