from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstream.answers.absence_words import Missing, what_is_missing

ID = "3560b7fec915bbf9"
SENTENCES: dict[Missing | None, list[str]] = {
    Missing.INSTANCE: [
        "instance not exist",
        "Instance Not Fount",
        f"instance {ID} does not exist",
        f"gpu instance({ID}) not found",
        f"Instance: {ID} is not found.",
        "instance 3560 not found in cluster us-ca-6",
        "instance 'ab' not found for account 77",
        "instance abcdef not found",
        "no such instance",
        "there is no such GPU instance",
        "unknown instance",
        f"cannot find instance {ID}",
        "could not find any instance matching 3560",
        "the instance ab12 you are looking for could not be found",
        f"no instance with id {ID}",
        "instance has been deleted by user",
        "instance has expired and been released",
        "instance was already removed",
        "instance is gone",
        "instance doesnt exist",
        "instance does'nt exist",
        "failed to get instance: record not found",
        "rpc error: code = NotFound desc = instance xyz not found",
        "user's instance not found",
        "GPU instance no longer exists",
        "virtual machine not found",
        "实例不存在",
        "您的实例不存在或已释放",
        "实例已被删除",
        "未找到实例",
    ],
    Missing.UNNAMED: [
        "not found",
        "record not found",
        "the requested resource does not exist",
        "resource does not exist for user 123",
        "sql: no rows in result set",
        "mongo: no documents in result",
        "db error: record not found",
        f"{ID} not found",
        "has been deleted",
        "记录不存在",
    ],
    Missing.OTHER: [
        "image not found",
        "no such image",
        "instance image not found",
        "instance's image not found",
        "instance status not found",
        "image of instance 123 not found",
        "image not found: instance 5",
        "node not found for instance 5",
        "the host of instance 3560 was not found",
        "failed to stop instance: node not found",
        "get user failed: record not found",
        "dns record not found",
        "upstream not found",
        "no such host",
        "flavour not found",
        "镜像不存在",
        "instance not found in cache",
        "instance not found yet, please retry",
        "instance does not exist or is not running",
        "instance may not exist",
        "cannot delete instance until volume has been released",
    ],
    None: [
        "",
        "instance not ready",
        "instance is not running",
        "instance is being deleted",
        "instance cannot be deleted in this state",
        "invalid state change",
        "no healthy upstream",
        "resource insufficient with product 4090",
        "unknown error",
        "not supported",
    ],
}


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [(sentence, missing) for missing, group in SENTENCES.items() for sentence in group],
)
def test_a_sentence_tells_what_is_missing(sentence, missing):
    assert what_is_missing(sentence) is missing
    assert what_is_missing(f"  {sentence.upper()}. ") is missing


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text()
        | st.sampled_from(["instance", "image", "not", "found", "in", "for", "of", "is", "no"])
    )
)
def test_no_sentence_breaks_it(words):
    what_is_missing(" ".join(words))
