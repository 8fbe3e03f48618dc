# SPDX-License-Identifier: Apache-2.0
"""Tables of attributes as people save them, and as nobody should: read, or refused in one sentence."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter

import pytest

from monai_ethics.__main__ import main
from monai_ethics.errors import EthicsError
from monai_ethics.fairness.attributes.join import join
from monai_ethics.fairness.attributes.side_table import read_side_table
from monai_ethics.fairness.attributes.strata import stratify

CASES = tuple(f"case{number:02}" for number in range(24))
CELLS = [
    *("F", "M", "", "n/a", "nan", "NaN", "1", "-1", "1e308", "1e999", "061Y", "inf", "0x1F", "1,5", "1_000", "-", "_"),
    *(
        "=1+1",
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "#REF!",
        "<script>",
        "$\\frac{$",
        "[/]",
        "../../x",
        "\\",
        "/",
        "*",
        "F*M",
    ),
    *("\x00", "a\u0000b", "\x1b[2J", "ü", "u\u0308", "\u202eabc", "\U0001f9e0", "\u2028", "\x85", "\ufeff", "\t"),
    *("'", '""', "a b", "true", "None", "null", "2026-01-01", "a" * 300, "0" * 50, "\uff19", "\u0661\u0662"),
]
NAMES = [
    *(
        "case",
        "patient",
        "sex",
        "age",
        "site",
        "Sex",
        "SEX ",
        "",
        " ",
        "case",
        "participant_id",
        "label",
        "x*y",
        "note",
    ),
    *("a" * 400, "\x00", "ü", "filename", "1", "=1+1", "age_band", "sex_band", "roi_size_band", "*", "date"),
]
VALUES = [None, True, 1, 1.5, 1e400, "F", "", [], ["a", "b"], [[1]], {}, {"a": 1}, "\ud800", -0.0, 10**400]


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def table(rng, delimiter):
    """Names and rows: ragged, repeated and missing ones among them."""
    names = [rng.choice(NAMES) for _ in range(rng.randrange(1, 6))]
    if rng.random() < 0.8:
        kept = {name.strip().lower(): name for name in names if name.isascii() and name.strip() not in ("case", "")}
        names = [rng.choice(("case", "patient", "filename")), *kept.values()]
    keys = list(CASES[: rng.randrange(1, 25)])
    if rng.random() < 0.2:
        keys[rng.randrange(len(keys))] = rng.choice(("", CASES[0], "unknown", "/", "case0", "n/a"))
    common = [rng.choice(CELLS) for _ in range(rng.randrange(1, 5))]
    if rng.random() < 0.01:
        common = ["x" * 150_000]
    rows = []
    for key in keys:
        row = [key, *(rng.choice(common) for _ in names[1:])]
        if rng.random() < 0.004:
            row = row[:-1] if rng.random() < 0.5 else [*row, "more"]
        rows.append(row)
    quote = rng.random() < 0.4
    cell = (lambda text: '"' + text.replace('"', '""') + '"') if quote else (lambda text: text)
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    return end.join(delimiter.join(map(cell, row)) for row in [names, *rows]) + end


def datalist(rng):
    rows = [{"image": key, **{rng.choice(NAMES): rng.choice(VALUES + CELLS) for _ in range(3)}} for key in CASES]
    value = rng.choice([rows, {"training": rows}, {"a": rows, "b": rows[:2]}, rows[0], [rows], [], {}, None, 3, "x"])
    try:
        return json.dumps(value, ensure_ascii=rng.random() < 0.5)
    except ValueError:  # a number beyond what the encoder takes
        return json.dumps([{"image": "case00", "sex": "F"}])


def mangled(data, rng):
    """Bytes changed after the table was written."""
    what, place = rng.randrange(14), rng.randrange(len(data) or 1)
    if what > 8 or what <= 2:
        return data
    if what == 3:
        return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    if what == 4:
        return data[:place]
    if what == 5:
        return data[:place] + rng.choice((b'"', b"\x00", b"\xff\xfe", b"\n\n", b",,,,", b"'", b";")) + data[place:]
    if what == 6:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00\x00\xfe\xff", b"\xef\xbb\xbf" * 2)) + data
    if what == 7:
        return data.decode("utf-8", "replace").encode(
            rng.choice(("utf-16", "utf-16-le", "latin-1", "cp1252")), "replace"
        )
    return rng.randbytes(rng.randrange(0, 400))


def write_one(rng, path):
    """A table of one of the three formats; returns its path."""
    form = rng.choice(("csv", "csv", "tsv", "json", "txt"))
    text = datalist(rng) if form == "json" else table(rng, {"tsv": "\t", "txt": ";"}.get(form, ","))
    file = path.with_suffix(f".{form}")
    file.write_bytes(mangled(text.encode("utf-8", "surrogatepass"), rng))
    return file


def read_all(n, seed, path):
    """`n` tables through reading, joining and grouping."""
    rng, outcomes, said = random.Random(seed), Counter(), []
    for _ in range(n):
        file = write_one(rng, path)
        try:
            side = read_side_table(file)
            joined = join(side, CASES, CASES)
            stratify(joined.groups, patients=joined.patients)
            outcomes["grouped"] += 1
        except EthicsError as error:
            outcomes["refused"] += 1
            said.append(error)
        except UnicodeDecodeError:  # main says it in one sentence, see below
            outcomes["refused"] += 1
    assert all(0 < len(str(error)) < 2_000 and error.exit_code == 2 for error in said)
    return outcomes


def run_all(n, seed, path, capsys):
    """`n` tables through the command, scores beside them."""
    rng, outcomes = random.Random(seed), Counter()
    scores = path.with_name("scores.csv")
    scores.write_text("case,dice\n" + "".join(f"{case},{0.5 + i / 100}\n" for i, case in enumerate(CASES)))
    for number in range(n):
        file = write_one(rng, path)
        words = ["fairness", "--scores", str(scores), "--attributes", str(file), "--out", f"out{number}"]
        if rng.random() < 0.3:
            words += rng.choice((["--strata", "sex"], ["--bins", "age=q4"], ["--map", "sex=F:M"], ["--control", "sex"]))
        if rng.random() < 0.1:  # the table of scores is hostile as well
            words[2] = str(file)
        code = main(words)
        told = capsys.readouterr()
        assert code in (0, 2), (code, told.err)
        assert told.err.count("monai-ethics: ") == (code == 2), told.err
        assert told.err.count("\n") <= 1, told.err  # where it ends well, the line of progress
        assert "nobody foresaw" not in told.err
        assert "Traceback" not in told.out
        if code == 2:
            assert not os.path.exists(f"out{number}/log.jsonl"), told.err
        outcomes[f"exit {code}"] += 1
    return outcomes


def test_fifty_tables_are_grouped_or_refused(tmp_path):
    outcomes = read_all(50, 1, tmp_path / "t")
    assert sum(outcomes.values()) == 50
    assert min(outcomes["grouped"], outcomes["refused"]) > 3


@pytest.mark.slow
def test_fourteen_thousand_tables_are_grouped_or_refused(tmp_path):
    began = time.perf_counter()
    outcomes = read_all(14_000, 21, tmp_path / "t")
    print(f"\n14,000 tables of attributes: {dict(outcomes)}, {time.perf_counter() - began:.0f} s")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_hundred_tables_through_the_command(tmp_path, capsys):
    began = time.perf_counter()
    outcomes = run_all(200, 22, tmp_path / "t", capsys)
    with capsys.disabled():
        print(f"\n200 tables through `fairness --scores`: {dict(outcomes)}, {time.perf_counter() - began:.0f} s")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["columns", "rows", "one cell", "one line", "nulls"])
def test_very_large_tables_end_soon_and_in_words(tmp_path, capsys, kind):
    scores = tmp_path / "scores.csv"
    scores.write_text("case,dice\n" + "".join(f"{case},0.5\n" for case in CASES))
    data = {
        "columns": lambda: "case," + ",".join(f"c{i}" for i in range(100_000)) + "\n" + "".join(
            f"{case}" + ",a" * 100_000 + "\n" for case in CASES),
        "rows": lambda: "filename,sex\n" + "".join(f"x{i},F\n" for i in range(300_000)),
        "one cell": lambda: "case,sex\ncase00," + "F" * 10_000_000 + "\n",
        "one line": lambda: "case,sex" * 1_000_000,
        "nulls": lambda: "\0" * 5_000_000,
    }[kind]()  # fmt: skip
    (tmp_path / "t.csv").write_text(data)
    began = time.process_time()
    code = main(["fairness", "--scores", str(scores), "--attributes", str(tmp_path / "t.csv"), "--out", "out"])
    told = capsys.readouterr()
    assert code in (0, 2)
    assert told.err.count("monai-ethics: ") == (code == 2)
    assert time.process_time() - began < 60
