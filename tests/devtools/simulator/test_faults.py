"""Which calls a fault strikes, and which side of the action the line breaks on."""

import pytest

CREATE = {"method": "POST", "path": "/gpu/instance/create$"}


def order(cloud, **fault):
    cloud.sim("POST", "/faults", fault)


def made(cloud):
    return len(cloud.sim("GET", "/ledger")["instances"])


@pytest.mark.parametrize("effect", ["status", "reset", "close", "hang"])
@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", 1)])
def test_the_line_breaks_before_or_after_the_action(cloud, effect, when, count):
    order(cloud, **CREATE, effect=effect, when=when, status=502)
    reply = cloud.try_create()
    assert made(cloud) == count
    assert reply.answer.is_severed is (effect != "status")
    (call,) = cloud.sim("GET", "/ledger")["calls"]
    assert (call["acted"], call["fault"], call["name"]) == (bool(count), f"{effect} {when}", "one")


def test_a_status_can_carry_a_body_that_is_no_json(cloud):
    order(cloud, effect="status", status=502, answer="<html>bad gateway</html>")
    reply = cloud.get("/clusters")
    assert (reply.status, reply.raw) == (502, b"<html>bad gateway</html>")
    assert reply.headers["Content-Type"] == "text/html"


def test_a_429_comes_with_or_without_retry_after(cloud):
    order(cloud, effect="status", status=429, retry_after=7, count=1)
    order(cloud, effect="status", status=429, count=1)
    first, second = cloud.get("/clusters"), cloud.get("/clusters")
    assert (first.reason, first.headers["Retry-After"]) == ("RATE_LIMIT_EXCEEDED", "7")
    assert (second.status, "Retry-After" in second.headers) == (429, False)
    assert cloud.get("/clusters").status == 200


@pytest.mark.parametrize(
    ("selection", "struck"),
    [
        ({"count": 2}, [1, 1, 0, 0, 0]),
        ({"skip": 2, "count": 2}, [0, 0, 1, 1, 0]),
        ({"nth": [2, 4]}, [0, 1, 0, 1, 0]),
        ({"probability": 0.0}, [0, 0, 0, 0, 0]),
        ({"method": "post"}, [0, 0, 0, 0, 0]),
        ({"path": "/products"}, [0, 0, 0, 0, 0]),
    ],
)
def test_a_fault_strikes_the_calls_it_was_told_to(cloud, selection, struck):
    order(cloud, effect="status", status=500, **selection)
    assert [int(cloud.get("/clusters").status == 500) for _ in range(5)] == struck


def test_probability_is_reproducible_from_the_seed(cloud):
    def run(seed):
        cloud.sim("DELETE", "/faults")
        order(cloud, effect="status", status=500, probability=0.5, seed=seed)
        return [cloud.get("/clusters").status for _ in range(40)]

    first = run(1)
    assert first == run(1) != run(2)
    assert 8 < first.count(500) < 32


def test_a_fault_can_look_into_the_body(cloud):
    order(cloud, effect="status", status=500, body='"name": "bad"')
    assert cloud.try_create(name="good").status == 200
    assert cloud.try_create(name="bad").status == 500


def test_a_fault_can_look_into_the_query(cloud):
    one, two = cloud.create(), cloud.create()
    order(cloud, effect="status", status=500, query=f"instanceId={one}")
    assert cloud.get("/gpu/instance", instanceId=one).status == 500
    assert cloud.get("/gpu/instance", instanceId=two).status == 200


def test_an_outage_has_a_beginning_and_an_end_in_real_time(cloud):
    order(cloud, effect="status", status=503, starts_in_seconds=10, for_seconds=300)
    seen = []
    for seconds in (0, 10, 299, 1):
        cloud.real_ms += seconds * 1000
        seen.append(cloud.get("/clusters").status)
    assert seen == [200, 503, 503, 200]


def test_latency_is_slept_before_or_after_the_action(cloud):
    order(cloud, latency_seconds=0.5, count=1)
    order(cloud, latency_seconds=0.7, when="after", effect="status", status=500, count=1)
    assert cloud.get("/clusters").status == 200
    assert cloud.get("/clusters").status == 500
    assert cloud.slept == [0.5, 0.7]


def test_faults_are_listed_with_their_counters_and_dropped_singly(cloud):
    order(cloud, effect="status", path="/products")
    order(cloud, effect="status", path="/clusters")
    cloud.get("/clusters")
    faults = cloud.sim("GET", "/faults")["faults"]
    assert [(fault["seen"], fault["struck"]) for fault in faults] == [(0, 0), (1, 1)]
    cloud.sim("DELETE", f"/faults?id={faults[1]['id']}")
    assert cloud.get("/clusters").status == 200
    assert cloud.get("/products").status == 500


def test_control_calls_are_never_struck(cloud):
    order(cloud, effect="status")
    assert cloud.sim("GET", "/clock")["scale"] == 0


def test_a_rate_limit_refuses_and_says_when_to_return(cloud):
    cloud.settings(rate_limit_per_minute=2)
    assert [cloud.get("/clusters").status for _ in range(3)] == [200, 200, 429]
    cloud.real_ms += 45_000
    assert cloud.get("/clusters").headers["Retry-After"] == "15"
    cloud.settings(rate_limit_retry_after=False)
    assert "Retry-After" not in cloud.get("/clusters").headers
    cloud.real_ms += 15_000
    assert cloud.get("/clusters").status == 200


def test_calls_are_counted_and_logged_until_reset(cloud):
    cloud.create()
    cloud.get("/clusters")
    calls = cloud.sim("GET", "/calls")
    assert calls["counts"]["GET /gpu-instance/openapi/v1/clusters"] == 1
    assert calls["total"] == 2
    (entry,) = cloud.sim("GET", "/calls?path=create")["log"]
    assert (entry["status"], entry["method"]) == (200, "POST")
    cloud.sim("DELETE", "/calls")
    assert cloud.sim("GET", "/calls")["total"] == 0
