"""The list: lenient parameters, filters, lag, overlap."""

import pytest


@pytest.fixture
def seven(cloud):
    for number in range(7):
        cloud.create(name=f"job-{number}", gpuNum=1)
        cloud.advance(1)
    return cloud


def names(cloud, **query):
    return [item["name"] for item in cloud.listed(**query)["instances"]]


def test_newest_comes_first_and_the_default_page_is_ten(seven):
    assert names(seven) == [f"job-{number}" for number in range(6, -1, -1)]


def test_page_zero_and_page_one_are_the_same(seven):
    first = names(seven, pageSize=3, pageNum=1)
    assert names(seven, pageSize=3, pageNum=0) == first == names(seven, pageSize=3)
    assert names(seven, pageSize=3, pageNum=3) == ["job-0"]
    assert names(seven, pageSize=3, pageNum=4) == []


def test_unknown_parameters_are_ignored(seven):
    assert len(names(seven, page=2, page_size=1, pageNumber=3)) == 7


def test_total_counts_all_that_match_as_a_string_or_an_int(seven):
    assert seven.listed(pageSize=2)["total"] == "7"
    seven.settings(total_as_string=False)
    assert seven.listed(pageSize=2, name="job-1")["total"] == 1


def test_filters_are_fuzzy_for_names_and_exact_for_status(seven):
    assert names(seven, name="OB-3") == ["job-3"]
    assert len(names(seven, productName="sxm4")) == 7
    assert names(seven, status="pull") == []
    assert names(seven, status="toCreate") == ["job-6"]


@pytest.mark.parametrize("query", [{"pageSize": "ten"}, {"pageNum": -1}])
def test_junk_in_a_page_parameter_is_refused(seven, query):
    assert seven.get("/gpu/instances", **query).reason == "VALIDATOR_PARAM"


def test_a_fresh_instance_can_be_listed_later_than_it_is_found(cloud):
    cloud.settings(list_lag_seconds=30)
    instance_id = cloud.create()
    assert cloud.status(instance_id) == "pending"
    cloud.advance(29)
    assert names(cloud) == []
    cloud.advance(1)
    assert names(cloud) == ["one"]


def test_an_overlap_repeats_items_and_a_negative_one_skips_them(seven):
    seven.settings(page_overlap=1)
    assert names(seven, pageSize=3, pageNum=2) == ["job-4", "job-3", "job-2"]
    seven.settings(page_overlap=-1)
    assert names(seven, pageSize=3, pageNum=2) == ["job-2", "job-1", "job-0"]


def test_the_largest_page_can_be_limited(seven):
    seven.settings(max_page_size=2)
    assert len(names(seven, pageSize=100)) == 2
