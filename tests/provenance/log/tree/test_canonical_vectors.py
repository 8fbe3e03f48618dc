# SPDX-License-Identifier: Apache-2.0
"""The vectors that RFC 8785 prints: appendix B (numbers), sections 3.2.2 to 3.2.4 (structure, order, bytes)."""

import json
import math
import struct
import unicodedata

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads

# RFC 8785, appendix B: IEEE 754 bits of a double, and its text
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
NO_NUMBERS = ("7fffffffffffffff", "7ff0000000000000")  # NaN and infinity: an error
# section 3.2.2, the input; section 3.2.4, the bytes that it must become
STRUCTURE = r"""{
  "numbers": [333333333.33333329, 1E30, 4.50,
              2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
BYTES = """
7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72
75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31
65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37
5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30
30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d
"""
# section 3.2.3: keys in this order come out in the order of their UTF-16 code units
SORTED = r"""{
  "\u20ac": "Euro Sign",
  "\r": "Carriage Return",
  "\ufb33": "Hebrew Letter Dalet With Dagesh",
  "1": "One",
  "\ud83d\ude00": "Emoji: Grinning Face",
  "\u0080": "Control",
  "\u00f6": "Latin Small Letter O With Diaeresis"
}"""
ORDER = [
    "Carriage Return",
    "One",
    "Control",
    "Latin Small Letter O With Diaeresis",
    "Euro Sign",
    "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def number(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_of_appendix_b(bits, text):
    assert canonical(number(bits)) == text.encode()
    again = strict_loads(text.encode())
    assert math.isclose(again, number(bits), rel_tol=0, abs_tol=0)
    assert canonical(again) == text.encode()


@pytest.mark.parametrize("bits", NO_NUMBERS)
def test_what_appendix_b_calls_an_error_is_refused(bits):
    with pytest.raises(InputError, match="canonical JSON"):
        canonical(number(bits))


def test_the_structure_of_section_3_2_becomes_the_bytes_of_section_3_2_4():
    assert canonical(strict_loads(STRUCTURE.encode())) == bytes.fromhex(BYTES)


def test_the_order_of_section_3_2_3_is_that_of_code_units():
    given_keys = strict_loads(SORTED.encode())
    assert list(json.loads(rfc8785.dumps(given_keys)).values()) == ORDER
    # what this package adds: text is brought to NFC first, in which this one letter of the seven is two
    assert unicodedata.normalize("NFC", "\ufb33") == "\u05d3\u05bc"
    ours = list(json.loads(canonical(given_keys)).values())
    assert [name for name in ours if "Hebrew" not in name] == ORDER[:-1]
    assert ours.index(ORDER[-1]) == ours.index("Euro Sign") - 1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(values)
def test_what_was_read_again_has_the_same_bytes(value):
    try:
        data = canonical(value)
    except InputError:  # two keys that are one in NFC
        return
    again = strict_loads(data)
    assert canonical(again) == data == rfc8785.dumps(again)
