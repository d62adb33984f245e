"""A second world over the same store knows everything the first one knew."""

import pytest

from devtools.simulator.store import Store
from tests.devtools.simulator.conftest import Cloud


@pytest.fixture
def reopen(tmp_path):
    """Opens the same state file anew, without having closed it first: as after kill -9."""
    stores = []

    def open_cloud():
        stores.append(Store(tmp_path / "state.sqlite3"))
        return Cloud(stores[-1])

    yield open_cloud
    for store in stores:
        store.close()


def test_instances_calls_and_money_survive(reopen):
    first = reopen()
    running = first.running()
    gone = first.create(name="gone")
    first.act("delete", gone)
    first.advance(3600)
    before = first.sim("GET", "/ledger")
    second = reopen()
    assert second.sim("GET", "/ledger") == before
    assert second.status(running) == "running"
    assert second.get("/gpu/instance", instanceId=gone).status == 400


def test_stock_held_is_counted_again(reopen):
    first = reopen()
    first.create(productId="4090.16c62g.os", gpuNum=6)
    second = reopen()
    assert second.try_create(productId="4090.16c62g.os").reason == "INSUFFICIENT_RESOURCE"


def test_a_status_goes_on_changing_after_the_restart(reopen):
    first = reopen()
    instance_id = first.create()
    second = reopen()
    second.advance(20)
    assert second.status(instance_id) == "running"


def test_faults_settings_and_stock_rules_survive_with_their_counters(reopen):
    first = reopen()
    first.sim("POST", "/faults", {"effect": "status", "status": 503, "count": 2})
    first.settings(default_page_size=3)
    first.sim("POST", "/stock", {"free": 0, "times": 2})
    assert first.get("/clusters").status == 503
    second = reopen()
    assert second.get("/clusters").status == 503
    assert second.get("/clusters").status == 200
    assert second.try_create().status == 400
    third = reopen()
    assert third.sim("GET", "/settings")["default_page_size"] == 3
    assert third.try_create().status == 400
    assert third.try_create().status == 200


def test_the_state_file_is_for_its_owner_only(reopen, tmp_path):
    reopen().create()
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o600}


def test_templates_made_and_deleted_stay_so(reopen):
    first = reopen()
    first.post("/template/delete", {"templateId": "107672"})
    second = reopen()
    assert second.get("/template", templateId="107672").status == 400
    assert second.get("/templates").json["total"] == "4"


def test_seed_and_origin_stay_those_of_the_first_start(reopen):
    first = reopen()
    first.advance(100 * 3600)
    prices = first.get("/products").raw
    assert reopen().get("/products").raw == prices
