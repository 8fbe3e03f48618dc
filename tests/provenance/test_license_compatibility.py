# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.license_compatibility import LicenseCompatibility, LicenseTable
from monai_ethics.provenance.records.licenses import LICENSES, spdx_of_text, terms_of


def table(*licenses):
    return LicenseTable(items=[str(i) for i in range(len(licenses))], roles=["data"] * len(licenses), licenses=licenses)


@pytest.mark.parametrize(
    ("licenses", "uses", "verdict"),
    [
        (("CC-BY-NC-4.0", "Apache-2.0"), ("commercial",), "failed"),
        (("CC-BY-4.0", "Apache-2.0"), ("commercial",), "passed"),
        (("CC-BY-4.0", "Apache-2.0 AND CC-BY-NC-SA-3.0"), ("commercial",), "failed"),
        (("CC-BY-ND-4.0", "MIT"), ("share",), "failed"),
        (("CC-BY-ND-4.0", "MIT"), ("commercial",), "passed"),
        (("CC-BY-SA-4.0", "MIT"), ("share under other terms",), "failed"),
        (("CC-BY-NC-4.0", "MIT"), (), "measured"),
        (("CC-BY-4.0", ""), ("commercial",), "measured"),
        (("CC-BY-4.0", "LicenseRef-own"), ("commercial",), "measured"),
        (("", "LicenseRef-own", "MIT OR Apache-2.0"), ("commercial",), "not_assessable"),
        ((), ("commercial",), "not_assessable"),
    ],
)
def test_a_license_that_forbids_the_use_fails_and_an_unknown_one_never_passes(licenses, uses, verdict):
    finding = LicenseCompatibility(uses=uses)(table(*licenses))
    assert finding.verdict == verdict
    assert sum(finding.accounting.values()) == len(licenses)
    assert (finding.limit is not None) == (verdict in ("passed", "failed"))
    if verdict == "failed":
        assert "https://" in finding.limit.source.locator


def test_a_use_outside_the_vocabulary_is_refused():
    with pytest.raises(InputError, match="`uses` may hold"):
        LicenseCompatibility(uses=["war"])


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International", "CC-BY-NC-SA-4.0"),
        ("Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0"),
        ("licensed under CC BY-NC-ND 3.0", "CC-BY-NC-ND-3.0"),
        ("Apache License\nVersion 2.0, January 2004", "Apache-2.0"),
        ("MIT License\n\nPermission is hereby granted, free of charge, to any person", "MIT"),
        ("data under CC BY 4.0, code under the MIT License", ""),
        ("Ask the hospital", ""),
    ],
)
def test_a_license_is_recognized_where_its_text_names_exactly_one(text, spdx):
    assert spdx_of_text(text) == spdx


def test_every_license_of_the_table_has_its_text_and_is_found_by_its_identifier():
    for name, terms in LICENSES.items():
        assert terms.url.startswith("https://")
        assert terms_of(name) == [terms]
        assert (terms.commercial is False) == ("-NC" in name)
        assert (terms.derivatives is False) == ("-ND" in name)
    assert terms_of("MIT WITH x") == [None]
    assert terms_of("") == []


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="one length"):
        LicenseTable(items=["a"], roles=[], licenses=[])
