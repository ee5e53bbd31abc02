"""Figures and tables as files."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from linguabridge.errors import InputError
from linguabridge.report.files import csv_of, write_figures
from linguabridge.report.section import Table, Written
from linguabridge.report.sections import make_sections
from report_sections import figures, near, recommendation_run, recommended, run_model


def test_every_figure_is_written_in_four_forms(tmp_path: Path) -> None:
    section = replace(recommended(), parts=recommended().parts[4:7])  # two figures with a table between them
    paths = write_figures(tmp_path / "new" / "figures", [section])
    names = [f"{section.name}-{name}.{kind}" for name in figures(section) for kind in ("svg", "pdf", "png", "csv")]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new" / "figures").iterdir()) == sorted(names)
    starts = {".svg": b"<svg", ".pdf": b"%PDF-", ".png": b"\x89PNG", ".csv": b"bridge,score"}
    for path in paths[:4]:
        assert path.read_bytes().startswith(starts[path.suffix])
    assert "Finnish (fi)" in paths[0].read_text("utf-8")
    assert run_model(section) in paths[0].read_text("utf-8")  # a file stands alone
    assert "What the neurons say: how much each candidate" in paths[0].read_text("utf-8")
    rows = list(csv.reader(io.StringIO(paths[3].read_text("utf-8"))))
    assert [float(row[1]) for row in rows[1:]] == [near(0.064321), near(0.054321), near(0.044321)]
    before = [path.read_bytes() for path in paths if path.suffix in (".svg", ".csv")]
    write_figures(tmp_path / "new" / "figures", [section])
    assert before == [path.read_bytes() for path in paths if path.suffix in (".svg", ".csv")]


def test_tables_are_safe_in_spreadsheets() -> None:
    rows = (
        ("=1+1", -1.5, Written("@x"), (Written("+1"), Written("b")), None, True, 3),
        ('a,"b"\nc', 0.1, Written("-"), (), "\t=", False, 0),
    )
    text = csv_of(Table("t", ("=a", "b", "c", "d", "e", "f", "g"), rows))
    assert list(csv.reader(io.StringIO(text))) == [
        ["'=a", "b", "c", "d", "e", "f", "g"],
        ["'=1+1", "-1.5", "'@x", "'+1; b", "", "yes", "3"],
        ['a,"b"\nc', "0.1", "'-", "", "'\t=", "no", "0"],
    ]
    assert csv_of(Table("t", ("a",), (("\udc80",),))).encode() == b"a\n\\udc80\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    section = make_sections([recommendation_run("fi", check=False)])[0]
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be written"):
            write_figures(folder, [section])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_missing_packages_are_named(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == package else find(name))
    for act in (lambda: write_figures(tmp_path, []), lambda: make_sections([])):
        with pytest.raises(InputError, match=r"linguabridge\[report\]"):
            act()


def test_reading_runs_does_not_import_altair() -> None:
    import subprocess

    names = "linguabridge.report.runs, linguabridge.report.theme, linguabridge.cli"
    code = f"import sys, {names}; print('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
