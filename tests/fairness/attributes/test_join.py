# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes import join, read_side_table


def table(tmp_path, text, name="t.tsv"):
    path = tmp_path / name
    path.write_text(text)
    return read_side_table(path)


def labels(tmp_path, text, cases, patients=None, column="sex"):
    return join(table(tmp_path, text), cases, patients or cases).groups[column]


def test_equal_base_names_in_different_folders_are_not_merged(tmp_path):
    cases = ["/data/sub-01/image.nii.gz", "/data/sub-02/image.nii.gz", "/data/sub-03/image.nii.gz"]
    text = "filename\tsex\nsub-01/image.nii.gz\tF\nsub-02/image.nii.gz\tM\n"
    assert labels(tmp_path, text, cases) == ("F", "M", None)


def test_a_base_name_that_fits_several_cases_is_refused_without_naming_it(tmp_path):
    cases = ["/data/sub-01/image.nii.gz", "/data/sub-02/image.nii.gz"]
    with pytest.raises(InputError, match="Each row must match one case: 1 match several, the first is row 0") as error:
        labels(tmp_path, "filename\tsex\nimage.nii.gz\tF\n", cases)
    assert "image" not in str(error.value)


def test_a_case_key_that_is_shorter_than_the_row_matches_by_suffix(tmp_path):
    text = "filename\tsex\n/raw/a/x.nii\tF\n/raw/b/x.nii\tM\n"
    assert labels(tmp_path, text, ["b/x", "a/x"]) == ("M", "F")
    with pytest.raises(InputError, match="Each case must match one row"):
        labels(tmp_path, text, ["x"])


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ("sub-0001_FLAIR.nii.gz", "F"),
        ("/d/sub-0001/anat/image.nii.gz", "F"),
        ("sub-0001", "F"),
        ("sub-0001.nii.gz", "F"),
        ("sub-00011_FLAIR.nii.gz", None),
        ("/d/sub-0002/sub-0002_T1w.nii", "M"),
    ],
)
def test_a_participant_matches_its_folder_its_file_and_its_files_beginning(tmp_path, case, label):
    text = "participant_id\tsex\nsub-0001\tF\nsub-0002\tM\n"
    assert labels(tmp_path, text, [case, "/e/sub-0002/b.nii"]) == (label, "M")


def test_a_participant_gives_the_cluster_of_all_its_cases(tmp_path):
    text = "participant_id\tsex\ns1\tF\ns2\tM\n"
    found = join(table(tmp_path, text), ["s1_a.nii", "s1_b.nii", "x.nii"], ["0", "1", "2"])
    assert found.patients == ("s1", "s1", "2")
    assert found.accounting == {"with_row": 2, "without_row": 1}
    assert found.unused_rows == 1


def test_a_known_patient_is_matched_by_name(tmp_path):
    assert labels(tmp_path, "patient\tsex\nP7\tF\n", ["0", "1"], ["P7", "P8"]) == ("F", None)


def test_a_patient_column_beside_the_case_column_gives_the_cluster(tmp_path):
    found = join(table(tmp_path, "case\tpatient\tsex\na\tp\tF\nb\tp\tF\n"), ["b", "a", "c"], ["b", "a", "c"])
    assert found.patients == ("p", "p", "c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case\tsex\na\tF\na\tF\n", "must be unique: 1 are repeated, the first is row 1"),
        ("case\tsex\na\tF\nsecret\tF\n", "1 are not, the first is row 1"),
        ("filename\tsex\nsecret\tF\n", "none of 1 rows matches any of 2 cases"),
        ("sex\tage\nF\t3\n", "Expected a column that names each row"),
        ("case\tsex\n\tF\n", "Every row must be named: 1 are not"),
        ("case\na\n", "at least one attribute column"),
        ("case\tsex\na\n", "row 0 has 1"),
        ("case\tsex\n", "at least one row"),
        ("case\tsex\tSex\na\t1\t2\n", "Column names of a table must be unique"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence_without_names(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as error:
        join(table(tmp_path, text), ["a", "b"], ["a", "b"])
    assert "secret" not in str(error.value)


def test_labels_lose_padding_and_the_words_for_not_recorded(tmp_path):
    text = "case,sex,site\na,F ,n/a\nb, F,nan\nc,,North\n"
    found = join(table(tmp_path, text, "t.csv"), ["a", "b", "c"], ["a", "b", "c"])
    assert found.groups == {"sex": ("F", "F", None), "site": (None, None, "North")}


def test_a_datalist_is_a_side_table(tmp_path):
    text = (
        '{"training": [], "test": [{"image": "a/x.nii", "label": "a/y.nii", "sex": "F", "age": 31}, {"image": ["b"]}]}'
    )
    side = table(tmp_path, text, "d.json")
    assert dict(side.columns) == {"sex": ("F", None), "age": ("31", None)}
    assert join(side, ["/r/a/x.nii", "b.nii.gz"], ["0", "1"]).groups["age"] == ("31", None)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}'])
def test_a_json_that_is_no_datalist_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="Expected a datalist"):
        table(tmp_path, text, "d.json")
