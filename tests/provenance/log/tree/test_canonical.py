# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads


def test_keys_are_sorted_and_numbers_shortest():
    assert canonical({"b": 1.0, "a": [0.1, -0.0, 1e21, True, None]}) == b'{"a":[0.1,0,1e+21,true,null],"b":1}'


def test_text_is_brought_to_nfc():
    assert canonical({"e\u0301": "e\u0301"}) == '{"é":"é"}'.encode()


def test_keys_that_are_equal_in_nfc_are_refused():
    with pytest.raises(InputError, match="differ in Unicode form NFC"):
        canonical({"e\u0301": 1, "é": 2})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {1: 2}, object(), np.float32(1.5)])
def test_values_without_a_canonical_form_are_refused(value):
    with pytest.raises(InputError, match="must be canonical JSON"):
        canonical(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":2}', "once: got one twice"),
        (b'{"a":{"b":1,"b":1}}', "once: got one twice"),
        (b"[NaN]", "NaN or infinity"),
        (b"[1e999]", "NaN or infinity"),
        (b"[-Infinity]", "NaN or infinity"),
        (b"[" * 65 + b"]" * 65, "nested at most 64"),
        (b"[" * 400_000 + b"]" * 400_000, "strict JSON|nested at most"),
        (b'"\xff"', "strict JSON"),
        (b"{", "strict JSON"),
        (b"", "strict JSON"),
        (b" " * 1_000_001, "at most 1000000 bytes"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(data, message):
    with pytest.raises(SchemaError, match=message):
        strict_loads(data)


def test_deepest_accepted_nesting_is_64():
    assert strict_loads(b"[" * 64 + b"]" * 64)


def test_integers_beyond_exact_doubles_come_back_as_floats_and_keep_their_bytes():
    data = canonical([1e16, 1e20, 2**53 - 1])
    assert isinstance(strict_loads(data)[0], float)
    assert canonical(strict_loads(data)) == data
    assert strict_loads(b"1" * 300) == float("1" * 300)
