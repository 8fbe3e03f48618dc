# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

from monai_ethics.handlers._findings import set_findings


def test_a_set_metric_of_a_small_group_is_listed_and_not_stated():
    def row(n, value, group):
        return SimpleNamespace(metric="val_auc", value=value, n=n, group=group)

    rows = [row(40, 0.8, {}), row(31, 0.7, {"sex": "F"}), row(9, 1.0, {"sex": "M"}), row(30, None, {"sex": None})]
    (finding,) = set_findings(SimpleNamespace(sets=rows, cases=["case"] * 40))
    assert [estimate.value for estimate in finding.estimates] == [0.8, 0.7, None, None]
    assert finding.estimates[2].reason == "9 cases: listed, not judged (at least 10)"
    assert "undefined" in finding.estimates[3].reason
