from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linguabridge.errors import CacheError, DownloadError, InputError
from linguabridge.languages import Language, parse
from linguabridge.lexicons import (
    Entry,
    FileLexicon,
    Lexicon,
    MuseLexicon,
    load_cldr,
    load_file,
    load_lexicon,
    load_muse,
)
from linguabridge.lexicons.lexicon import PairEntries, Row, SkippedLine, collect
from linguabridge.lexicons.muse import BASE_URL, _fetch

EN, SW, HE, AR, ZH = (parse(code) for code in ("en", "sw", "he", "ar", "zh"))


def collected(
    *rows: tuple[str, str],
    source: Language = EN,
    target: Language = SW,
    keep_identical: bool = False,
    keep_multiword: bool = False,
) -> PairEntries:
    return collect(
        (Row(s, s, tuple(t.split("|"))) for s, t in rows),
        source,
        target,
        lexicon="test",
        keep_identical=keep_identical,
        keep_multiword=keep_multiword,
    )


# What every lexicon does with its rows.


def test_rows_of_one_source_word_become_one_entry() -> None:
    pair = collected(("world", "dunia"), ("soil", "udongo"), ("World", "ulimwengu|Dunia"))
    assert pair.entries == (Entry("world", "world", ("dunia", "ulimwengu")), Entry("soil", "soil", ("udongo",)))
    assert pair.n_all == 2


def test_word_that_is_the_same_in_both_languages_is_left_out_and_counted() -> None:
    rows = (("Radio", "redio|RADIO"), ("dog", "mbwa"))
    pair = collected(*rows)
    assert [entry.source for entry in pair.entries] == ["dog"]
    assert (pair.n_all, pair.n_identical, pair.identical_share) == (2, 1, 0.5)
    kept = collected(*rows, keep_identical=True)
    assert len(kept.entries) == 2
    assert kept.n_identical == 1


def test_several_words_on_either_side_are_left_out_and_counted() -> None:
    rows = (("ice cream", "aiskrimu"), ("soil", "udongo mweusi"), ("land", "nchi kavu|nchi"))
    pair = collected(*rows)
    assert pair.entries == (Entry("land", "land", ("nchi",)),)
    assert pair.n_multiword == 2
    assert collected(*rows, keep_multiword=True).entries[2].targets == ("nchi kavu", "nchi")


def test_length_counts_where_words_are_not_spaced() -> None:
    pair = collected(("bracket", "左花括号键"), ("sunflower", "向日葵"), target=ZH)
    assert [entry.source for entry in pair.entries] == ["sunflower"]


def test_row_of_punctuation_is_no_entry() -> None:
    assert collected(("...", "mbwa"), ("dog", "-")).n_all == 0


def test_description_says_what_was_left_out() -> None:
    text = collected(("radio", "radio"), ("dog", "mbwa")).describe()
    assert text == (
        "test has 1 usable entries for English to Swahili, of 2: 1 (50 %) that are the same word in both languages "
        "left out, "
        "0 of more than one word left out."
    )
    assert (
        "1 (100 %) that are the same word in both languages kept"
        in collected(("a", "a"), keep_identical=True).describe()
    )


# Word lists of the user's own.


@pytest.fixture
def word_list(tmp_path: Path) -> Callable[..., FileLexicon]:
    def load(content: str | bytes, source: Language = EN, target: Language = SW) -> FileLexicon:
        path = tmp_path / "words.tsv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_file(path, source, target)

    return load


THREE = (("dog", ("mbwa",)), ("sun", ("jua",)), ("world", ("dunia", "ulimwengu")))


def words(lexicon: Lexicon, source: Language = EN, target: Language = SW) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((entry.source, entry.targets) for entry in lexicon.pair(source, target).entries)


@pytest.mark.parametrize(
    "content",
    [
        "dog\tmbwa\nsun\tjua\nworld\tdunia|ulimwengu\n",
        "dog\tmbwa\r\nsun\tjua\r\nworld\tdunia\r\nworld\tulimwengu",
        "dog,mbwa\nsun,jua\nworld,dunia | ulimwengu",
        "dog;mbwa\nsun;jua\nworld;dunia|ulimwengu",
        '"dog","mbwa"\n"sun","jua"\nworld,dunia\nworld,ulimwengu',
        "# mine, at last\n\nsource\ttarget\ndog\tmbwa\n # more\nsun\tjua\nworld\tdunia|ulimwengu",
        "target,source\nmbwa,dog\njua,sun\ndunia,world\nulimwengu,world",
        "en\tsw\ndog\tmbwa\nsun\tjua\nworld\tdunia|ulimwengu",
        "Swahili;English\nmbwa;dog\njua;sun\ndunia;world\nulimwengu;world",
        "id,sources,eng_Latn,swh_Latn\n1,x,dog,mbwa\n2,x,sun,jua\n3,x,world,dunia|ulimwengu",
        "dog\tmbwa\tnoun\nsun\tjua\tnoun\nworld\tdunia|ulimwengu\tnoun",
        b"\xef\xbb\xbfdog\tmbwa\nsun\tjua\nworld\tdunia|ulimwengu",
        "\ufeffdog\tmbwa\nsun\tjua\nworld\tdunia|ulimwengu".encode("utf-16-le"),
        "dog\tmbwa\nsun\tjua\nworld\tdunia|ulimwengu".encode("utf-16"),
    ],
)
def test_every_usual_form_of_a_word_list_gives_the_same_entries(
    word_list: Callable[..., FileLexicon], content: str | bytes
) -> None:
    lexicon = word_list(content)
    assert words(lexicon) == THREE
    assert lexicon.pair(EN, SW).skipped == ()


def test_list_answers_in_both_directions(word_list: Callable[..., FileLexicon]) -> None:
    lexicon = word_list("world\tdunia|ulimwengu\nearth\tdunia")
    assert words(lexicon, SW, EN) == (("dunia", ("world", "earth")), ("ulimwengu", ("world",)))
    concepts = {e.source: e.concept for e in lexicon.pair(SW, EN).entries}
    assert concepts == {"dunia": "world", "ulimwengu": "world"}  # the first column's word, whichever the direction


def test_any_pair_among_several_columns(word_list: Callable[..., FileLexicon]) -> None:
    lexicon = word_list("en\tsw\the\ndog\tmbwa\tכלב\nsun\tjua\t\nkey\t\tמפתח", SW, HE)
    assert [language.code for language in lexicon.languages()] == ["en", "he", "sw"]
    assert lexicon.pair(SW, HE).entries == (Entry("dog", "mbwa", ("כלב",)),)
    assert [entry.concept for entry in lexicon.pair(HE, EN).entries] == ["dog", "key"]
    assert lexicon.names(SW) == {"dog": "mbwa", "sun": "jua"}
    assert lexicon.pair(SW, HE).skipped == ()
    with pytest.raises(InputError, match=r"covers English \(en\), Hebrew \(he\), Swahili \(sw\), not Arabic"):
        lexicon.pair(SW, AR)


def test_first_entry_that_looks_like_codes_is_an_entry(word_list: Callable[..., FileLexicon]) -> None:
    assert words(word_list("no\tla\ndog\tmbwa"))[0] == ("no", ("la",))


@pytest.mark.parametrize("first", ["en\tfr", "English\tFrench", "French\tGerman", "de\tfr\tes"])
def test_list_of_other_languages_is_refused(word_list: Callable[..., FileLexicon], first: str) -> None:
    with pytest.raises(InputError, match=r"names the languages .*, not en and sw"):
        word_list(f"{first}\nHund\tchien\tperro")


def test_malformed_lines_are_skipped_with_number_and_reason(word_list: Callable[..., FileLexicon]) -> None:
    lexicon = word_list(f"# list\ndog\tmbwa\nlonely\nsun\tjua\ncat\t\n\n{'x' * 300}\ty\nkey\tufunguo\ntea\tchai\n")
    assert lexicon.pair(EN, SW).skipped == (
        SkippedLine(3, "1 column instead of 2"),
        SkippedLine(5, "an empty column"),
        SkippedLine(7, "a word longer than 200 characters"),
    )
    assert "3 malformed lines skipped" in lexicon.pair(EN, SW).describe()


def test_mostly_malformed_list_is_refused_with_the_first_three_lines(word_list: Callable[..., FileLexicon]) -> None:
    with pytest.raises(
        InputError, match=r"4 of 5 lines .*line 2: .*; line 3: .*; line 4: [^;]*\); a word list has two"
    ):
        word_list("dog\tmbwa\na\nb\nc\nd\n")


@pytest.mark.parametrize("content", ["", "\n\n", "# only\n# remarks\n", "en\tsw\n", "one column\nonly", "-\t-"])
def test_list_with_nothing_in_it_is_refused(word_list: Callable[..., FileLexicon], content: str) -> None:
    with pytest.raises(InputError, match="a word list has two columns"):
        word_list(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x7fELF\x02\x01\x00\x00\tx", "NUL"),
        (b"dog\0\tmbwa\n" * 1000, "NUL"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "UTF-8"),
        ("Straße\tmtaa".encode("latin-1"), "UTF-8"),
        (b"\xff\xfeodd", "UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(word_list: Callable[..., FileLexicon], content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        word_list(content)


def test_line_of_megabytes_is_one_malformed_line(word_list: Callable[..., FileLexicon]) -> None:
    lexicon = word_list("dog\tmbwa\nsun\tjua\n" + '"x\t' * 2_000_000 + "\nworld\tdunia|ulimwengu")
    assert words(lexicon) == THREE
    assert lexicon.skipped == (SkippedLine(3, "longer than 10,000 characters"),)


def test_quotation_mark_inside_a_word_stays(word_list: Callable[..., FileLexicon]) -> None:
    lexicon = word_list('army\tצה"ל\nreport\tדו"ח\nkey\tמפתח\n"shell\tקליפה', EN, HE)
    assert words(lexicon, EN, HE) == (
        ("army", ('צה"ל',)),
        ("report", ('דו"ח',)),
        ("key", ("מפתח",)),
        ('"shell', ("קליפה",)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_an_input_error(word_list: Callable[..., FileLexicon], content: bytes) -> None:
    try:
        pair = word_list(content).pair(EN, SW)
    except InputError:
        return
    assert len(pair.entries) + pair.n_identical + pair.n_multiword == pair.n_all > 0


WORD = st.text(st.characters(categories=("Ll", "Lo")), min_size=1, max_size=6).filter(lambda word: word.isalpha())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(WORD, WORD, min_size=1, max_size=6), st.sampled_from("\t;,"))
def test_written_list_is_read_back(
    word_list: Callable[..., FileLexicon], entries: dict[str, str], delimiter: str
) -> None:
    lexicon = word_list("source" + delimiter + "target\n" + "".join(f"{s}{delimiter}{t}\n" for s, t in entries.items()))
    pair = lexicon.pair(EN, SW, keep_identical=True)
    read = {entry.source: entry.targets for entry in pair.entries}
    assert read.keys() <= entries.keys()  # two spellings of one word may have been merged
    assert all(entries[source] == targets[0] for source, targets in read.items())


def test_fingerprint_follows_the_content_and_the_columns(word_list: Callable[..., FileLexicon]) -> None:
    first = word_list("dog\tmbwa").fingerprint()
    assert word_list("dog\tmbwa").fingerprint() == first
    assert word_list("dog\tjibwa").fingerprint() != first
    assert word_list("dog\tmbwa", EN, HE).fingerprint() != first


def test_unreadable_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        load_file(tmp_path / "absent.tsv", EN, SW)
    with pytest.raises(InputError, match="Cannot read"):
        load_file(tmp_path, EN, SW)


# MUSE.


@pytest.fixture
def muse(tmp_path: Path) -> MuseLexicon:
    folder = tmp_path / "dictionaries"
    folder.mkdir()
    (folder / "ar-en.0-5000.txt").write_text("كلب dog\nكلب hound\nبيت house\nهاتف\nwas was was\n", "utf-8")
    (folder / "ar-en.5000-6500.txt").write_text("شمس\tsun\n", "utf-8")
    (folder / "ar-en.txt").write_text("كلب dog\nنادر rare\n", "utf-8")
    (folder / "en-he.txt").write_text("dog\tכלב\nhound\tכלב\nhound\tכלב_ציד\nsun\tשמש\nrare\tנדיר\n", "utf-8")
    (folder / "en-he.0-5000.txt").write_text("dog\tכלב\n", "utf-8")
    (folder / "stats.tsv").write_text("x")
    (folder / "xx-en.txt").write_text("no language\n")
    return load_muse(folder, cache_dir=tmp_path / "cache")


def test_muse_pair_without_a_dictionary_goes_through_english(muse: MuseLexicon) -> None:
    pair = muse.pair(AR, HE)
    assert [(e.source, e.targets) for e in pair.entries] == [("كلب", ("כלב", "כלב_ציד")), ("شمس", ("שמש",))]
    assert pair.via == "English"
    assert "joined through English" in pair.describe()
    assert [(line.number, line.reason) for line in pair.skipped] == [
        (4, "ar-en.0-5000.txt: 1 columns, not 2"),
        (5, "ar-en.0-5000.txt: 3 columns, not 2"),
    ]


def test_muse_pair_with_a_dictionary_uses_its_frequent_words(muse: MuseLexicon) -> None:
    pair = muse.pair(AR, EN)
    assert [entry.source for entry in pair.entries] == ["كلب", "بيت", "شمس"]
    assert pair.via is None
    assert list(muse.names(AR)) == ["كلب", "بيت", "شمس"]


def test_muse_covers_what_its_files_are_named_after(muse: MuseLexicon) -> None:
    assert [language.code for language in muse.languages()] == ["ar", "en", "he"]
    with pytest.raises(InputError, match=r"MUSE has no Swahili \(sw\); this folder covers ar en he"):
        muse.pair(AR, SW)
    with pytest.raises(InputError, match="no way from Hebrew to Arabic"):
        muse.pair(HE, AR)
    with pytest.raises(InputError, match="no dictionary out of Hebrew"):
        muse.names(HE)


def test_muse_folder_must_hold_dictionaries(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No MUSE dictionary"):
        load_muse(tmp_path, cache_dir=tmp_path)
    with pytest.raises(InputError, match="Cannot read the MUSE folder"):
        load_muse(tmp_path / "absent", cache_dir=tmp_path)


def test_muse_file_of_another_encoding_is_refused(muse: MuseLexicon) -> None:
    assert muse.folder is not None
    (muse.folder / "ar-en.0-5000.txt").write_bytes(b"\xe3\xe4\xe5 dog\n")
    with pytest.raises(InputError, match="not UTF-8"):
        muse.pair(AR, EN)


def test_muse_dictionaries_of_the_test_data_are_the_published_ones(shared_data: Callable[[str], Path]) -> None:
    local = load_muse(shared_data("muse"), cache_dir=Path("unused"))
    published = load_muse(None, cache_dir=Path("unused"))
    assert local.available == published.available
    assert local.fingerprint() == published.fingerprint()
    assert "sw" not in {language.code for language in published.languages()}


def test_muse_counts_are_those_of_the_plain_file(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("muse")
    rows = [line.split() for line in (folder / "en-tl.5000-6500.txt").read_text("utf-8").splitlines()]
    assert (len(rows), sum(source == target for source, target in rows)) == (1788, 992)  # DATA.md's figures
    frequent = rows + [line.split() for line in (folder / "en-tl.0-5000.txt").read_text("utf-8").splitlines()]
    pair = load_muse(folder, cache_dir=Path("unused")).pair(EN, parse("tl"))
    same = {source for source, target in frequent if source == target}
    assert abs(pair.n_all - len({source for source, _ in frequent})) <= 2  # spellings that normalisation makes equal
    assert abs(pair.n_identical - len(same)) <= 2


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A server on this machine, in place of MUSE's: its address and the folder that it serves."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()


def test_muse_is_downloaded_once(server: tuple[str, Path], tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    address, served = server
    for name in ("en-he.0-5000.txt", "en-he.5000-6500.txt"):
        (served / name).write_bytes((shared_data("muse") / name).read_bytes())
    lexicon = load_muse(None, cache_dir=tmp_path / "cache", base_url=address)
    first = lexicon.pair(EN, HE)
    for path in served.iterdir():
        path.unlink()
    assert lexicon.pair(EN, HE) == first
    assert len(first.entries) > 5000


def test_muse_download_is_quiet(
    server: tuple[str, Path], tmp_path: Path, shared_data: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    address, served = server
    name = "en-he.5000-6500.txt"
    (served / name).write_bytes((shared_data("muse") / name).read_bytes())
    _fetch(name, tmp_path, address)
    assert capfd.readouterr() == ("", "")


def test_muse_file_with_the_wrong_sum_is_refused(server: tuple[str, Path], tmp_path: Path) -> None:
    address, served = server
    (served / "en-he.0-5000.txt").write_text("<html>please log in</html>")
    with pytest.raises(DownloadError, match=r"not the file that MUSE published: .* --lexicon-dir FOLDER"):
        load_muse(None, cache_dir=tmp_path, base_url=address).pair(EN, HE)


def test_muse_without_a_network_says_the_way_out(server: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = server
    with pytest.raises(DownloadError, match=r"Cannot download .* --lexicon-dir FOLDER, or use --lexicon cldr"):
        load_muse(None, cache_dir=tmp_path, base_url=address).pair(EN, HE)  # not found
    with pytest.raises(DownloadError, match="Cannot download"):
        load_muse(None, cache_dir=tmp_path, base_url="http://127.0.0.1:1/").pair(EN, HE)  # nobody listens


def test_muse_cache_that_cannot_be_written_is_named(server: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match="LINGUABRIDGE_CACHE"):
        load_muse(None, cache_dir=tmp_path / "file", base_url=server[0]).pair(EN, HE)


def test_muse_comes_from_its_publisher_unless_told_otherwise(tmp_path: Path) -> None:
    assert BASE_URL.startswith("https://")
    assert load_muse(None, cache_dir=tmp_path).base_url == BASE_URL


# Choosing one.


def choose(name: str, directory: Path | None = None) -> Lexicon:
    return load_lexicon(name, directory=directory, source=EN, target=SW, cache_dir=Path("unused"))


def test_lexicon_is_chosen_by_name_or_path(tmp_path: Path, muse: MuseLexicon) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("dog,mbwa\n")
    assert choose("cldr") is load_cldr()
    assert choose("MUSE", muse.folder).languages() == muse.languages()
    assert words(choose(str(path))) == (("dog", ("mbwa",)),)
    assert choose(str(path)).name == "mine.csv"


@pytest.mark.parametrize("name", ["cldrr", "muses"])
def test_misspelt_lexicon_names_the_near_one(name: str) -> None:
    with pytest.raises(InputError, match=rf"'{name}' is neither .* Did you mean {name[:4]}\?"):
        choose(name)


@pytest.mark.parametrize("name", ["", "absent.tsv", "\0", "\ud800", "a" * 5000])
def test_what_is_no_lexicon_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="neither a lexicon nor a file"):
        choose(name)


def test_tilde_before_a_word_list_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.tsv").write_text("en\tsw\ncat\tpaka\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert choose("~/own.tsv").fingerprint() == choose(str(tmp_path / "own.tsv")).fingerprint()


def test_folder_for_another_lexicon_than_muse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="use it with --lexicon muse"):
        choose("cldr", tmp_path)
