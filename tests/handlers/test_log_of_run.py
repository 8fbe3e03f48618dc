# SPDX-License-Identifier: Apache-2.0
from monai_ethics.handlers import attach
from monai_ethics.provenance.log.reading.entries import read_report

CHECK = "provenance.log_privacy"


def privacy(out):
    (finding,) = [finding for finding in read_report(out).findings if finding.check == CHECK]
    return finding, {row.name: row.value for row in finding.estimates}


def test_a_run_searches_what_it_wrote_for_names_and_finds_none_of_its_own(toy, tmp_path):
    evaluator = toy.evaluator(toy.items(8))
    attach(evaluator, out=tmp_path / "e", attributes=["sex"])
    evaluator.run()
    finding, counts = privacy(tmp_path / "e")
    assert finding.accounting["with_a_pattern"] == 0
    assert counts["entries_with_private_identifier"] == 0


def test_a_label_that_looks_like_a_name_is_counted_and_not_repeated(toy, tmp_path):
    evaluator = toy.evaluator(toy.items(8, sexes=("F", "DOE^JANE")))
    attach(evaluator, out=tmp_path / "e", attributes=["sex"])
    evaluator.run()
    finding, counts = privacy(tmp_path / "e")
    assert counts["entries_with_person_name"] > 0
    assert "JANE" not in str(finding)
