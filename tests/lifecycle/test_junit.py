# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

from monai_ethics.lifecycle.junit import junit_xml
from monai_ethics.lifecycle.policy import GateResult, GateRow


def row(**kept):
    return GateRow(**{"check": "a.b", "subjects": (), "asked": "x", "verdict": "passed", "refuses": False, **kept})


def read(*rows):
    return ElementTree.fromstring(junit_xml(GateResult(policy="p", policy_sha256="", rows=rows)))


def test_a_refusal_is_a_failure_and_an_accepted_gap_is_skipped():
    suite = read(row(), row(verdict="failed", refuses=True, observed=0.5), row(verdict="missing"))
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    cases = list(suite)
    assert [len(case) for case in cases] == [0, 1, 1]
    assert cases[1][0].tag == "failure"
    assert cases[1][0].get("message").startswith("observed 0.5.")
    assert cases[2][0].tag == "skipped"


def test_text_is_escaped_and_control_characters_are_replaced():
    nasty = 'a"b<c>&]]>\x00\x1b[31m\ud800\u202e\ufeff\n'
    suite = read(row(check=nasty, subjects=(nasty,), verdict="failed", refuses=True, reason=nasty, source=nasty))
    text = ElementTree.tostring(suite, encoding="unicode")
    assert not {"\x00", "\x1b", "\u202e", "\ufeff"} & set(text)
    assert 'a"b<c>&]]>' in suite[0].get("classname")


def test_rows_of_several_runs_name_their_run_and_rows_of_one_do_not():
    assert [case.get("name") for case in read(row(run="a"), row(run="b"))] == ["x [run a]", "x [run b]"]
    assert [case.get("name") for case in read(row(run="a"), row())] == ["x", "x"]


def test_equal_results_give_equal_text():
    result = GateResult(policy="p", policy_sha256="", rows=(row(),))
    assert junit_xml(result) == junit_xml(result)
