# SPDX-License-Identifier: BSD-2-Clause
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triplane.host.provenance.canonical import canonical, parse
from triplane.host.provenance.errors import ManifestError

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_values_read_back_the_same(value):
    data = canonical(value)
    assert parse(data) == value
    assert canonical(parse(data)) == data


@given(st.dictionaries(st.text(), values, min_size=2, max_size=5))
def test_order_of_keys_does_not_matter(value):
    assert canonical(value) == canonical(dict(reversed(value.items())))


@given(values)
def test_any_other_layout_of_the_same_value_is_refused(value):
    spaced = json.dumps(value, indent=1).encode()
    if spaced != canonical(value):
        with pytest.raises(ValueError, match="not in canonical form"):
            parse(spaced)


@given(values)
def test_bytes_are_ascii(value):
    assert canonical(value).isascii()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_named(number):
    with pytest.raises(ManifestError, match=r"result\.latency\[1\] is -?(nan|inf), which JSON cannot hold"):
        canonical({"latency": [1.0, number]}, "result")


def test_numpy_scalars_are_named_with_the_remedy():
    with pytest.raises(ManifestError, match=r"result\.shots is a numpy\.int64.*convert it with int\(\)"):
        canonical({"shots": np.int64(3)}, "result")


def test_keys_are_strings():
    with pytest.raises(ManifestError, match="key 3 is int"):
        canonical({3: 1})


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"", b"{", b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_canonical_json_is_refused(data):
    with pytest.raises(ValueError):
        parse(data)
