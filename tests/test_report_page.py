"""The page as text: what may run, what is escaped, how values are shown. No browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

import report_samples as samples

pytest.importorskip("altair")
pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")

from linguabridge.commands.report import report
from linguabridge.errors import InputError
from linguabridge.report import page as module
from linguabridge.report.inline import escaped_json
from linguabridge.report.page import MARK, columns, direction, known_code, numeric, page, shown, tied
from linguabridge.report.section import Items, Share, Table, Written


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Parsed(HTMLParser):
    """Elements in order, each with the text right in it."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "link", "input"):
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1].text += data

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.elements if one.tag == tag]


def parsed(text: str) -> Parsed:
    found = Parsed()
    found.feed(text)
    found.close()
    assert not found.open
    return found


@pytest.fixture(scope="module")
def one() -> Parsed:
    return parsed(page([samples.section()], title="One"))


@pytest.fixture(scope="module")
def hostile() -> Parsed:
    return parsed(page([samples.hostile()], title=" ".join(samples.EVIL)))


def test_the_same_sections_give_the_same_page() -> None:
    first = page([samples.section()], title="T")
    assert page([samples.section()], title="T") == first
    assert MARK in first[:4096]  # near the start, where `report --out` looks for it


def policy(found: Parsed) -> dict[str, list[str]]:
    (text,) = [
        m.attributes["content"]
        for m in found.all("meta")
        if m.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    return {name: values for name, *values in (part.split() for part in (text or "").split(";"))}


def hashed(element: Element) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode() + "'"


@pytest.mark.parametrize("name", ["one", "hostile"])
def test_only_our_own_scripts_and_style_may_run(name: str, request: pytest.FixtureRequest) -> None:
    found: Parsed = request.getfixturevalue(name)
    scripts = [one for one in found.all("script") if one.attributes.get("type") != "application/json"]
    allowed = policy(found)
    assert len(scripts) == 2
    assert allowed.pop("script-src") == [hashed(one) for one in scripts]
    assert allowed.pop("style-src") == [hashed(one) for one in found.all("style")]
    assert allowed == {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


@pytest.mark.parametrize("name", ["one", "hostile"])
def test_nothing_is_fetched_and_nothing_is_inline(name: str, request: pytest.FixtureRequest) -> None:
    found: Parsed = request.getfixturevalue(name)
    assert not found.all("img")
    assert not found.all("link")
    assert not found.all("iframe")
    for element in found.elements:
        for attribute, value in element.attributes.items():
            assert not re.fullmatch("style|on.*", attribute), element
            if attribute in ("src", "href", "action", "srcset", "poster"):
                assert (value or "").startswith("#"), element
    (style,) = found.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_data_stays_text(hostile: Parsed) -> None:
    whole = " ".join(samples.EVIL)
    (title,) = hostile.all("title")
    (heading,) = hostile.all("h1")
    assert title.text == heading.text == whole
    assert whole in [one.text for one in hostile.all("code")]
    texts = [one.text for one in hostile.all("bdi")]
    for text in samples.EVIL:
        assert text in texts
    for block in hostile.all("script"):
        if block.attributes.get("type") == "application/json":
            assert not re.search("[<>&\u2028\u2029]", block.text)
            json.loads(block.text)


def test_json_survives_its_escaping() -> None:
    value = {"</script>": ["<!--", "&amp;", "\u2028\u2029", "كتاب", None, 1.5, True]}
    assert json.loads(escaped_json(value)) == value
    assert not re.search("[<>&\u2028\u2029]", escaped_json(value))
    with pytest.raises(ValueError, match="JSON"):
        escaped_json(float("nan"))
    escaped_json("\udc80 of a folder's name").encode()  # no file can hold half a character


def test_words_carry_their_direction_and_language(one: Parsed) -> None:
    found = {(bdi.text, bdi.attributes.get("dir"), bdi.attributes.get("lang")) for bdi in one.all("bdi")}
    assert {
        ("ספר", "rtl", "he"),
        ("本", "ltr", "ja"),
        ("كتاب", "rtl", "ar"),
        ("کتاب", "rtl", "fa"),
    } <= found
    assert [direction(code) for code in ("ar", "en", "ur", None, "nonsense!", "x-mine")] == [
        *("rtl", "ltr", "rtl", "auto", "auto", "ltr")
    ]
    assert [known_code(code) for code in ("zh-TW", None, "nonsense!", "x-mine")] == ["zh-Hant", None, None, None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0625, ".062"),
        (-0.5, "−.500"),
        (1.0, "1.000"),
        (12345.6, "12,346"),
        (float("nan"), "–"),
        (12345, "12,345"),
        (-3, "−3"),
        (Share(0.725), "72 %"),
        (Share(0.9951), ">99 %"),
        (Share(0.001), "<1 %"),
        (Share(1.0), "100 %"),
        (Share("nan"), "–"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("", ""),
        ("<b>", "<b>"),
        ("-.012", "−.012"),
        ("[-.023, -.002]", "[−.023, −.002]"),
        ("-5", "-5"),  # a text of a model may be a number; it stays as it is
        ("a-b", "a-b"),
    ],
)
def test_values_are_shown_as_people_read_them(value: str | float | int | bool | None, text: str) -> None:
    assert shown(value) == text


def test_columns_of_numbers_are_aligned_right() -> None:
    cells = ((1, "41 %", "one", True, None), (2.5, "<1 %", "2", False, None), (None, "–", "3", True, None))
    assert numeric(Table("t", tuple("abcde"), cells)) == (True, True, False, False, False)


def test_rows_travel_by_column_each_value_once() -> None:
    rows = (
        (1, Written("ספר", "iw")),
        (True, Written("?")),
        (1, (Written("a", "en"), Written("b", "x-y"))),
        (0.06254, None),
    )
    first, second = columns(Table("t", ("n", "w"), rows))
    assert first["values"] == [1, True, 0.063]
    assert first["cells"] == [0, 1, 0, 2]
    assert first["values"][1] is True
    assert second["values"] == [[["ספר", "he rtl"]], [["?", " auto"]], [["a", "en ltr"], ["b", " ltr"]], None]


def test_shares_travel_as_numbers() -> None:
    (found,) = columns(Table("t", ("s",), ((Share(0.72543),), (Share(1),), (None,))))
    assert (found["values"], found["shares"], found["numeric"]) == ([0.72543, 1.0, None], True, True)
    assert not columns(Table("t", ("s",), ((0.5,),)))[0]["shares"]


def test_filters_have_something_to_choose() -> None:
    rows = ((True, False), (False, False))
    assert [one["filter"] for one in columns(Items("t", ("a", "b"), rows, ("a", "b")))] == [True, False]


def test_numbers_stay_with_what_they_belong_to() -> None:
    assert tied("100 % (p .010, p <.001; r .393; r −.1) and up 5") == (
        "100\u00a0% (p\u00a0.010, p\u00a0<.001; r\u00a0.393; r\u00a0−.1) and up 5"
    )


def test_minus_signs_are_no_hyphens_and_hyphens_no_minus_signs() -> None:
    assert tied("it loses -.008 [-.013, +.002] by english-or-hop, --check 10, gemma-3, 2026-11-22") == (
        "it loses −.008 [−.013, +.002] by english-or-hop, --check 10, gemma-3, 2026-11-22"
    )


def test_a_long_table_is_for_the_script(one: Parsed) -> None:
    assert not [e for e in one.all("div") if e.attributes.get("id") == "ar-he--layers--table"]  # 30 rows: in the page
    long = parsed(page([samples.section(size=15)], title="T"))
    assert [e for e in long.all("div") if e.attributes.get("id") == "ar-he--similarity--table"]  # 225 rows


def test_headings_go_down_one_by_one(one: Parsed) -> None:
    two = parsed(page([samples.section(), samples.section("b", "B")], title="Two"))
    for found, highest in ((one, "h2"), (two, "h3")):
        levels = [e.tag for e in found.elements if e.tag in ("h1", "h2", "h3", "h4")]
        assert levels[0] == "h1"
        assert max(levels) == highest
    ids = [e.attributes["id"] for e in two.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert [e.attributes["href"] for e in two.all("a")] == ["#main", "#ar-he", "#b"]


def test_half_a_character_is_no_reason_to_fail() -> None:
    section = samples.section(n=0)
    broken = Table("t \ud800", ("a",), (("\udfff",),))
    page([type(section)(**{**vars(section), "parts": (broken,)})], title="\ud83d").encode()


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.util, "find_spec", lambda name: None if name == "vl_convert" else object())
    with pytest.raises(InputError, match=r"pip install 'linguabridge\[report\]'"):
        page([samples.section()], title="T")


@pytest.fixture(scope="module")
def spectrum_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import made_up
    from linguabridge.spectrum.files import write_folder

    folder = tmp_path_factory.mktemp("spectrum")
    write_folder(folder, made_up.spectrum(5), command="linguabridge spectrum ar he en fi hu")
    return folder


def test_command_writes_a_report_and_its_figures(
    spectrum_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder" / "report.html"
    report([spectrum_folder, spectrum_folder], out=out, figures=tmp_path / "figures")  # named twice, shown once
    said = capsys.readouterr().out.splitlines()
    size = out.stat().st_size / 1e6
    assert said[0] == f"Wrote {out} ({size:.1f} MB)."
    assert said[1] == f"Wrote {len(list((tmp_path / 'figures').iterdir()))} files to {tmp_path / 'figures'}."
    first = out.read_bytes()
    report([spectrum_folder], out=out)  # one of our own may be replaced
    assert out.read_bytes() == first
    assert len(parsed(first.decode()).all("section")) == 1


def test_command_gives_two_runs_a_title_and_names(spectrum_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    report([spectrum_folder, spectrum_folder / "spectrum.json"], out=out)
    found = parsed(out.read_text("utf-8"))
    assert [one.text for one in found.all("h1")] == ["How tiny relates 5 languages (tiny) … · and 1 more"]
    assert len({one.attributes["id"] for one in found.all("section")}) == 2


def test_command_replaces_nothing_else(spectrum_folder: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.html"
    thesis.write_text("<!doctype html><p>Ten years of work")
    with pytest.raises(InputError, match=r"is no report of linguabridge; choose another file with --out"):
        report([spectrum_folder], out=thesis)
    assert "Ten years" in thesis.read_text()
    with pytest.raises(InputError, match="is a folder; name a file"):
        report([spectrum_folder], out=tmp_path)
    with pytest.raises(InputError, match=r"no folder that can be written; choose another with --out"):
        report([spectrum_folder], out=thesis / "report.html")
    with pytest.raises(InputError, match=r"no folder that can be written; choose another with --figures"):
        report([spectrum_folder], out=tmp_path / "report.html", figures=thesis)
    with pytest.raises(InputError, match="nowhere"):
        report([tmp_path / "nowhere"], out=tmp_path / "report.html")
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.html"]
