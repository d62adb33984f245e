from __future__ import annotations

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from tests.upstream.sent_requests import SEND
from upstream.client import DEFAULT_BASE_URL, NovitaClient
from upstream.parsers import items, template_items
from upstream.types import PortMapping, TemplatePort, Tool
from upstream.vocabulary import (
    BILLING_MODES,
    INVENTORY_STATES,
    JOB_STATES,
    PORT_TYPES,
    SPOT_STATUSES,
    STATUSES,
    UnknownValue,
)


def instance(**fields):
    found = items.read_instance({"id": "ab", **fields})
    assert found is not None
    return found


def product(**fields):
    found = items.read_product({"id": "26", "price": "67000", "spotPrice": "33000", **fields})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("vocabulary", "word", "read"),
    [
        *((STATUSES, word, "running") for word in ("running", "Running", "RUNNING", " running ")),
        *((STATUSES, word, "toRemove") for word in ("to_remove", "TO-REMOVE", "to remove")),
        *((STATUSES, word, None) for word in ("hibernating", "stopped", "deleted", "runing")),
        (SPOT_STATUSES, "Notified", "notified"),
        (SPOT_STATUSES, "reclaimed", None),
        *((BILLING_MODES, word, "onDemand") for word in ("on-demand", "ON_DEMAND", "postpaid")),
        *((BILLING_MODES, word, "monthly") for word in ("Monthly", "prepaid", "subscription")),
        *((BILLING_MODES, word, "spot") for word in ("SPOT", "preemptible")),
        (BILLING_MODES, "weekly", None),
        *((PORT_TYPES, word, "http") for word in ("HTTP", "Https")),
        (PORT_TYPES, "TCP", "tcp"),
        (PORT_TYPES, "quic", None),
        *((INVENTORY_STATES, word, "none") for word in ("None", "sold_out", "outOfStock")),
        (INVENTORY_STATES, "plenty", None),
        *((JOB_STATES, word, "fail") for word in ("FAIL", "failed", "Failure")),
        *((JOB_STATES, word, "success") for word in ("Success", "succeeded")),
        (JOB_STATES, "paused", None),
    ],
)
def test_a_word_is_read_in_any_spelling_and_an_unknown_one_is_not_guessed(vocabulary, word, read):
    assert vocabulary.read(word) == read


def test_a_status_in_another_spelling_is_that_status():
    seen = instance(status=" RUNNING", spotStatus="NOTIFIED", billingMode="postpaid")
    assert (seen.is_running, seen.is_known_status) == (True, True)
    assert (seen.spot_status, seen.billing_mode) == ("notified", "onDemand")
    assert seen.unknown_values == ()


@pytest.mark.parametrize("word", ["Removed", "REMOVED", "removed "])
def test_only_removed_is_the_gone_word(word):
    assert instance(status=word).is_gone_word
    assert not instance(status="deleted").is_gone_word


def test_an_unknown_status_is_kept_as_it_came_and_told():
    seen = instance(status="Hibernating", spotStatus="resting", instancePrice="0.35")
    assert (seen.status, seen.is_known_status, seen.is_running) == ("Hibernating", False, False)
    assert seen.unknown_values == (
        UnknownValue("status", "Hibernating"),
        UnknownValue("spotStatus", "resting"),
        UnknownValue("instancePrice", "0.35"),
    )
    assert not any((seen.is_stopped, seen.is_gone_word, seen.is_leaving_word))


def test_no_status_is_not_an_unknown_one():
    assert instance(status="", spotStatus="", billingMode="").unknown_values == ()


def test_a_port_s_type_has_one_spelling():
    seen = instance(
        portMappings=[
            {"port": 80, "endpoint": "x-80.gpu.test", "type": "HTTP"},
            {"port": 22, "endpoint": "h:30", "type": "Tcp"},
            {"port": 53, "endpoint": "h:53", "type": "quic"},
        ]
    )
    assert seen.port_mappings == (
        PortMapping(80, "x-80.gpu.test", "http"),
        PortMapping(22, "h:30", "tcp"),
        PortMapping(53, "h:53", "quic"),
    )
    assert seen.port_mappings[0].address == "https://x-80.gpu.test"
    assert seen.unknown_values == (UnknownValue("portMappings.type", "quic"),)


def test_a_template_s_ports_and_tools_have_one_spelling():
    template = template_items.read_template(
        {
            "Id": "212",
            "ports": [{"type": "HTTP", "ports": [80]}],
            "tools": [{"name": "Jupyter", "port": "8888", "type": "Http"}],
        }
    )
    assert template is not None
    assert template.ports == (TemplatePort("http", 80),)
    assert template.tools == (Tool("Jupyter", 8888, "http"),)


@pytest.mark.parametrize(
    ("told", "modes", "unknown"),
    [
        (["On-Demand", "SPOT"], {"onDemand", "spot"}, 0),
        (["postpaid", "preemptible"], {"onDemand", "spot"}, 0),
        ("onDemand,spot", {"onDemand", "spot"}, 0),
        (["prepaid"], {"monthly"}, 0),
        (["spot", "weekly"], {"spot"}, 1),
        # No word is known: the prices tell what is for sale, and the word is told as unknown.
        (["weekly"], {"onDemand", "spot"}, 1),
        (None, {"onDemand", "spot"}, 0),
    ],
)
def test_billing_modes_are_read_in_other_words(told, modes, unknown):
    found = product(billingMethods=told)
    assert (found.billing_modes, len(found.unknown_values)) == (modes, unknown)


@pytest.mark.parametrize(
    ("field", "is_spot"), [("price", False), ("spotPrice", True)], ids=["on demand", "spot"]
)
@pytest.mark.parametrize("figure", ["0.35", "$67000", "1e5", "-5", 35, "67,000"])
def test_an_unreadable_price_is_no_price_and_is_told(field, is_spot, figure):
    found = product(**{field: figure})
    prices = (found.on_demand_price_e5_usd, found.spot_price_e5_usd)
    assert prices[is_spot] is None
    assert prices[not is_spot] is not None
    assert found.unreadable_price(is_spot=is_spot) == str(figure)
    assert found.unreadable_price(is_spot=not is_spot) is None


@pytest.mark.parametrize("nothing", ["0", "", None, 0])
def test_no_price_is_not_an_unreadable_one(nothing):
    assert product(spotPrice=nothing).unreadable_price(is_spot=True) is None


def test_stock_that_is_out_in_another_spelling_is_out():
    assert not product(inventoryState="NONE").available_deploy
    assert not product(inventoryState="sold-out").available_deploy


def test_what_could_not_be_read_is_on_the_record_of_the_call():
    client = NovitaClient(DEFAULT_BASE_URL, "sk_test-key-0123")
    body = {"data": [{"id": str(n), "price": "0.35", "inventoryState": "tons"} for n in range(3)]}
    with responses.RequestsMock(target=SEND) as mock:
        mock.get(DEFAULT_BASE_URL + "/products", json=body)
        client.list_products()
    assert [str(each) for each in client.calls[0].unknown_values] == [
        "inventoryState 'tons'",
        "price '0.35'",
    ]


@given(st.text(), st.sampled_from([STATUSES, BILLING_MODES, PORT_TYPES, JOB_STATES]))
def test_no_word_breaks_a_vocabulary(word, vocabulary):
    assert vocabulary.read(word) in {None, *vocabulary.words}
