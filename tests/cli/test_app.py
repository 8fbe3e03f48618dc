# SPDX-License-Identifier: Apache-2.0
from io import BytesIO, TextIOWrapper

import pytest

from monai_ethics import __version__
from monai_ethics.__main__ import main
from monai_ethics.errors import GateError, InputError


@pytest.mark.parametrize("words", [["nope"], ["checks", "--nope"], ["gate"]])
def test_usage_error_is_one_sentence_and_exit_code_2(words, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("monai-ethics: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["verify", "DOE_JANE", "--trust"], "Option '--trust' requires an argument: see `monai-ethics verify --help`."),
        (["keys", "revoke", "--site"], "Option '--site' requires an argument: see `monai-ethics keys revoke --help`."),
        (["verify", "x", "--doe-jane"], "No such option: another word: see `monai-ethics verify --help`."),
    ],
)
def test_usage_error_names_options_of_the_command_and_no_other_word(words, told, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err == f"monai-ethics: {told}\n"


def test_no_words_print_help(capsys):
    assert main([]) == 0
    assert "Usage" in capsys.readouterr().out


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"monai_ethics {__version__}"


@pytest.mark.parametrize(("error", "code"), [(GateError("refused"), 1), (InputError("unusable"), 2)])
def test_own_error_becomes_a_sentence_and_its_exit_code(error, code, monkeypatch, capsys):
    def fail(words):
        raise error

    monkeypatch.setattr("monai_ethics.cli.app.invoke", fail)
    assert main(["checks"]) == code
    assert capsys.readouterr().err == f"monai-ethics: {error}\n"


def test_operating_system_error_is_told_without_the_path(monkeypatch, capsys):
    def fail(words):
        raise PermissionError(13, "Permission denied", "/data/DOE_JANE/x.nii")

    monkeypatch.setattr("monai_ethics.cli.app.invoke", fail)
    assert main(["checks"]) == 2
    err = capsys.readouterr().err
    assert "Permission denied" in err
    assert "DOE" not in err


def test_a_package_that_is_missing_is_named_and_not_taken_for_a_file(monkeypatch, capsys):
    def fail(words):
        raise ModuleNotFoundError("No module named 'nibabel.x'", name="nibabel.x")

    monkeypatch.setattr("monai_ethics.cli.app.invoke", fail)
    assert main(["checks"]) == 2
    assert "got no nibabel. Run `pip install" in capsys.readouterr().err


def test_checks_lists_what_is_installed(capsys):
    assert main(["checks"]) == 0
    assert "fairness.score_gap" in capsys.readouterr().out


def test_a_name_of_broken_unicode_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr("monai_ethics.cli.app.invoke", lambda _: "doe\udcfc".encode())
    assert main(["checks"]) == 2
    assert "doe" not in (error := capsys.readouterr().err)
    assert error.count("\n") == 1


def test_a_terminal_of_few_characters_shows_numbers_in_place_of_the_others(monkeypatch):
    stream = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("monai_ethics.cli.app.invoke", lambda _: print("\u2715"))
    assert not main(["checks"])
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u2715\n"


def test_a_name_with_line_breaks_and_escapes_stays_one_line(monkeypatch, capsys):
    def refuse(words):
        raise InputError("Expected a column: got \x1b[31mone\nof two lines. Rename it.")

    monkeypatch.setattr("monai_ethics.cli.app.invoke", refuse)
    assert main(["checks"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_input_larger_than_memory_is_one_sentence(monkeypatch, capsys):
    def fill(words):
        raise MemoryError

    monkeypatch.setattr("monai_ethics.cli.app.invoke", fill)
    assert main(["checks"]) == 2
    assert "fits into memory" in capsys.readouterr().err
