"""Bills by month and by term, and the older calls for the balance."""

import pytest

DAY = 86_400


def bills(cloud, **query):
    return cloud.account("/billing/monthly/bill", **query).json["data"]


def test_each_month_has_a_bill_and_together_they_are_what_was_spent(cloud):
    # It is 15 January 2027.
    cloud.running(rootfsSize=60)
    cloud.advance(60 * DAY)
    found = bills(cloud, startMonth="2026-12", pageSize=20)
    assert [bill["billingMonth"] for bill in found] == ["2026-12", "2027-01", "2027-02", "2027-03"]
    assert [bill["status"] for bill in found] == ["paid", "paid", "paid", "pending"]
    amounts = [int(bill["totalAmount"]) for bill in found]
    assert amounts[0] == 0 < amounts[3] < amounts[1] < amounts[2]
    spent = cloud.world.settings.deposit_e5_usd - cloud.sim("GET", "/ledger")["balanceE5Usd"]
    assert 0 <= spent // 10 - sum(amounts) <= 4
    assert (found[1]["startTime"], found[1]["endTime"]) == ("1798761600", "1801439999")


def test_without_a_start_the_bill_of_this_month_is_answered(cloud):
    assert [bill["billingMonth"] for bill in bills(cloud)] == ["2027-01"]


def test_no_bill_is_older_than_october_2025(cloud):
    assert bills(cloud, startMonth="2020-01", pageSize=50)[0]["billingMonth"] == "2025-10"


@pytest.mark.parametrize("month", ["2027", "2027-13", "2027-1", "January", "-2027-1"])
def test_a_start_that_is_no_month_is_refused(cloud, month):
    reply = cloud.account("/billing/monthly/bill", startMonth=month)
    assert reply.reason == "VALIDATOR_PARAM"


def test_subscriptions_are_billed_by_term_with_their_renewals(cloud):
    instance_id = cloud.running(month=1)
    cloud.act("renewInstance", instance_id, month=3)
    cloud.running()
    found = cloud.account("/billing/bill/monthly/list").json["bills"]
    assert [bill["tradeType"] for bill in found] == ["monthly_new_buy", "monthly_renew"]
    assert {bill["ownerID"] for bill in found} == {instance_id}
    assert sum(int(bill["amount"]) for bill in found) == sum(
        charge for _, charge in cloud.world.instances[instance_id].charges
    ) // 10  # fmt: skip
    other = cloud.account("/billing/bill/monthly/list", ownerId="another").json["bills"]
    early = cloud.account("/billing/bill/monthly/list", startTime=1, endTime=9).json["bills"]
    storage = cloud.account("/billing/bill/monthly/list", category="local_storage").json["bills"]
    assert other == early == storage == []


def test_the_older_calls_answer_the_balance_in_ten_thousandths_of_a_dollar(cloud):
    user = cloud.send("GET", "/v3/user").json
    assert user["credit_balance"] == 1_000_000_000
    balance = cloud.send("GET", "/v3/user/balance").json
    assert balance == {"availableBalance": "1000000000"}
    assert cloud.send("GET", "/v3/user/monthly-bill").json["data"][0]["billingMonth"] == "2027-01"
    assert cloud.send("GET", "/v3/user", key="wrong").status == 401
