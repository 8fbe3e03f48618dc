# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest

from monai_ethics import errors
from monai_ethics._optional import need


def test_every_error_is_exported_and_in_the_tree_of_the_module():
    classes = {name for name, item in vars(errors).items() if inspect.isclass(item)}
    assert classes == set(errors.__all__)
    assert [name for name in classes if name not in errors.__doc__] == []


def test_only_a_refusal_exits_with_one():
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert {name for name, code in codes.items() if code == 1} == {"GateError"}


def test_missing_dependency_names_the_extra():
    with pytest.raises(errors.MissingDependencyError, match=r"monai_ethics\[report\]"):
        need("no_such_module_anywhere", extra="report")


def test_present_dependency_is_returned():
    assert need("json", extra="report").loads("1") == 1
