# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.requests_file import read_requests

TABLE = """requested,seen,unit,set,sex,site
yes,yes,u0,synthetic,F,A
yes,,u1,,M,
no,no,p0,holdout,F,A
"""


def table(tmp_path, text):
    path = tmp_path / "requests.csv"
    path.write_text(text)
    return path


def test_synthetic_and_real_rows_units_and_groups_are_told_apart(tmp_path):
    (found,) = read_requests(table(tmp_path, TABLE), condition="lesion", judge="segmenter 1")
    assert (found.condition, found.judge) == ("lesion", "segmenter 1")
    assert (found.requested, found.seen, found.units) == (["yes", "yes"], ["yes", None], ["u0", "u1"])
    assert found.groups == {"sex": ["F", "M"], "site": ["A", None]}
    assert (found.real_requested, found.real_seen, found.real_units) == (["no"], ["no"], ["p0"])
    assert found.real_groups == {"sex": ["F"], "site": ["A"]}


def test_conditions_of_a_column_are_apart_and_images_without_a_unit_stand_alone(tmp_path):
    text = "requested\tseen\tsex\tcondition\tjudge\n1\t1\tF\tmass\tj\n0\t1\tM\tedema\tk\n1\t1\tM\tmass\tj\n"
    first, second = read_requests(table(tmp_path, text))
    assert (first.condition, first.judge, len(first.requested)) == ("edema", "k", 1)
    assert (second.condition, second.judge, len(set(second.units))) == ("mass", "j", 2)


@pytest.mark.parametrize(
    ("text", "named", "message"),
    [
        ("requested,sex\n1,F\n", {}, "none named seen"),
        ("requested,seen\n1,1\n", {}, "column with the groups"),
        ("requested,seen,sex\n,1,F\n", {}, "what was asked of each image"),
        ("requested,seen,sex,set\n1,1,F,real\n", {}, "synthetic or holdout"),
        ("requested,seen,sex\n1,1,F\n", {"condition": None}, "column condition"),
        ("requested,seen,sex,judge\n1,1,F,j\n", {}, "got both"),
        ("requested,seen,sex,judge\n1,1,F,j\n1,1,F,k\n", {"judge": None}, "One judge"),
        ("requested,seen,sex\n", {}, "rows of requests"),
        ("requested,seen,sex\n1,1\n", {}, "as many cells"),
        ("requested,seen,sex,sex\n1,1,F,M\n", {}, "one name twice"),
    ],
)
def test_a_table_that_does_not_say_what_is_needed_is_refused(tmp_path, text, named, message):
    with pytest.raises(InputError, match=message):
        read_requests(table(tmp_path, text), **{"condition": "c", "judge": "j", **named})


def test_a_column_of_names_is_no_attribute_and_its_values_are_not_told(tmp_path):
    text = "requested,seen,sex,file\n" + "".join(f"1,1,F,DOE{i}.png\n" for i in range(30))
    with pytest.raises(InputError, match="got file") as caught:
        read_requests(table(tmp_path, text), condition="c", judge="j")
    assert "DOE" not in str(caught.value)


def test_an_absent_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="readable"):
        read_requests(tmp_path / "absent.csv", condition="c", judge="j")


@pytest.mark.parametrize("name", ["DOE^JANE{}", "DOE^JANE" * 100])
def test_conditions_that_are_file_names_or_texts_are_refused_without_being_repeated(tmp_path, name):
    rows = "".join(f"yes,no,{'FM'[i % 2]},{name.format(i)},j\n" for i in range(20))
    with pytest.raises(InputError, match="Column condition") as caught:
        read_requests(table(tmp_path, f"requested,seen,sex,condition,judge\n{rows}"))
    assert "DOE" not in str(caught.value)
