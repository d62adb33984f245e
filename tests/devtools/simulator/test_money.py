"""Charges, balance, arrears, subscriptions, bills."""

from fractions import Fraction

import pytest

BALANCE = "/billing/balance/detail"


def balance_e4(cloud):
    text = cloud.account(BALANCE).json["availableBalance"]
    assert isinstance(text, str)
    return int(text)


def test_charging_runs_from_the_pull_to_the_end_of_the_stop(cloud):
    instance_id = cloud.running(rootfsSize=60)
    cloud.advance(3600)
    cloud.act("stop", instance_id)
    cloud.advance(10_000)
    truth = cloud.truth(instance_id)
    assert truth["billedSeconds"] == 12 + 3600 + 3
    assert truth["costE5Usd"] == int(Fraction(2 * 120_000 * (12 + 3600 + 3), 3600))


def test_the_balance_falls_in_ten_thousandths_of_a_dollar(cloud):
    before = balance_e4(cloud)
    cloud.running(rootfsSize=60)
    cloud.advance(3600 - 12)
    assert before - balance_e4(cloud) == 24_000


def test_disk_above_sixty_gigabytes_is_charged_even_when_stopped(cloud):
    instance_id = cloud.running(rootfsSize=160)
    cloud.act("stop", instance_id)
    cloud.advance(3)
    before = cloud.truth(instance_id)["costE5Usd"]
    cloud.advance(86_400)
    assert cloud.truth(instance_id)["costE5Usd"] - before == 100 * 500


def test_nothing_is_charged_once_deletion_has_begun(cloud):
    instance_id = cloud.running()
    cloud.act("delete", instance_id)
    cost = cloud.truth(instance_id)["costE5Usd"]
    cloud.advance(10**6)
    assert cloud.truth(instance_id)["costE5Usd"] == cost


def test_the_running_total_equals_the_sum_of_the_instances(cloud):
    for name in "abc":
        cloud.create(name=name)
        cloud.advance(77.7)
    ledger = cloud.sim("GET", "/ledger")
    spent = cloud.world.settings.deposit_e5_usd - ledger["balanceE5Usd"]
    costs = sum(truth["costE5Usd"] for truth in ledger["instances"])
    assert 0 <= spent - costs <= len(ledger["instances"])


@pytest.fixture
def poor(cloud):
    """A dollar on the account, half an hour of two A100s."""
    cloud.settings(deposit_e5_usd=120_000)
    return cloud


def test_arrears_refuse_creation_then_freeze_what_runs(poor):
    instance_id = poor.running(rootfsSize=60)
    poor.advance(1800 - 12)
    assert poor.try_create().reason == "BALANCE_NOT_ENOUGH"
    poor.advance(3599)
    assert poor.status(instance_id) == "running"
    poor.advance(1)
    assert poor.status(instance_id) == "freezing"
    poor.advance(1)
    assert poor.status(instance_id) == "exited"
    assert poor.act("start", instance_id).reason == "BALANCE_NOT_ENOUGH"


def test_a_freeze_that_came_due_unseen_is_dated_back(poor):
    instance_id = poor.running(rootfsSize=60)
    poor.advance(10**6)
    truth = poor.truth(instance_id)
    assert truth["status"] == "exited"
    assert truth["billedSeconds"] == 1800 + 3600


def test_arrears_do_not_undo_a_delete(poor):
    instance_id = poor.running(rootfsSize=60)
    poor.advance(1800 - 12 + 3599)
    poor.act("delete", instance_id)
    poor.advance(100)
    assert poor.truth(instance_id)["status"] == "gone"


def test_what_comes_back_to_life_in_arrears_is_frozen_then_and_there(poor):
    instance_id = poor.running(rootfsSize=60)
    poor.advance(10**6)
    assert poor.act("migrate", instance_id).reason == "BALANCE_NOT_ENOUGH"
    billed = poor.truth(instance_id)["billedSeconds"]
    poor.order(instance_id, "run")
    poor.advance(10)
    truth = poor.truth(instance_id)
    assert (truth["status"], truth["billedSeconds"]) == ("exited", billed)


def test_a_deposit_ends_the_arrears(poor):
    instance_id = poor.running(rootfsSize=60)
    poor.advance(3600)
    poor.settings(deposit_e5_usd=10**9)
    poor.advance(86_400)
    assert poor.status(instance_id) == "running"


def test_a_subscription_is_paid_ahead_and_cannot_be_released(cloud):
    before = balance_e4(cloud)
    instance_id = cloud.running(billingMode="monthly", month=1, rootfsSize=60)
    month = 120_000 * 24 * 30 * 9 // 10
    assert before - balance_e4(cloud) == 2 * month // 10
    assert cloud.act("delete", instance_id).reason == "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"
    end = int(cloud.instance(instance_id)["endTime"])
    assert cloud.act("renewInstance", instance_id, month=2).json == {}
    assert int(cloud.instance(instance_id)["endTime"]) - end == 60 * 86_400


def test_pay_as_you_go_can_become_a_subscription(cloud):
    instance_id = cloud.running(rootfsSize=60)
    cloud.act("transToMonthlyInstance", instance_id, month=1)
    body, cost = cloud.instance(instance_id), cloud.truth(instance_id)["costE5Usd"]
    assert body["billingMode"] == "monthly"
    cloud.advance(3600)
    assert cloud.truth(instance_id)["costE5Usd"] == cost
    assert cloud.act("transToMonthlyInstance", instance_id, month=1).status == 400


def test_only_a_subscription_can_be_renewed(cloud):
    reason = cloud.act("renewInstance", cloud.running(), month=1).reason
    assert reason == "UNSUPPORTED_BILLING_MODE"


def test_auto_renew_wants_all_of_its_fields(cloud):
    instance_id = cloud.running()
    body = {"instanceIds": [instance_id], "autoRenew": True, "autoRenewMonth": 3}
    for missing in body:
        partial = {name: value for name, value in body.items() if name != missing}
        assert cloud.post("/gpu/instance/setAutoRenew", partial).reason == "VALIDATOR_PARAM"
    assert cloud.post("/gpu/instance/setAutoRenew", body).json == {}
    assert cloud.instance(instance_id)["autoRenewMonth"] == 3


def test_bills_are_all_strings_and_add_up_to_the_cost(cloud):
    instance_id = cloud.running(rootfsSize=60)
    cloud.advance(3 * 3600)
    bills = cloud.account("/billing/bill/list", cycleType="Hour", ownerId=instance_id).json["bills"]
    assert {type(value) for bill in bills for value in bill.values()} == {str}
    assert {bill["ownerID"] for bill in bills} == {instance_id}
    total = sum(int(bill["amount"]) for bill in bills)
    assert abs(total - cloud.truth(instance_id)["costE5Usd"] // 10) <= len(bills)
    assert sum(int(bill["billNum0"]) for bill in bills) == 2 * (12 + 3 * 3600)


def test_bills_of_another_category_or_cycle(cloud):
    cloud.running()
    assert cloud.account("/billing/bill/list", productCategory="llm").json == {"bills": []}
    assert cloud.account("/billing/bill/list", cycleType="Eon").reason == "VALIDATOR_PARAM"
