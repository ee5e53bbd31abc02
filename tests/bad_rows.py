"""The catalogue of bad inputs to the command line: a row for each, by command."""

from __future__ import annotations

from bad_inputs import LONG_NAME, Bad

_SMALL = ("--tokens", "200", "--device", "cpu")
_RECOMMEND = ("recommend", "en", "sw", "--model", "$model", "--candidates", "de,fr", *_SMALL, "--probes", "30")
_ABLATE = ("ablate", "en", "sw", "--model", "$model", "--languages", "de,fr", *_SMALL)
_EVALUATE = ("evaluate", "en:sw", "--model", "$model", "--candidates", "de,fr", *_SMALL, "--probes", "30")
_STUDY = ("study", "en:sw", "--model", "$model", "--candidates", "de,fr,it,es", *_SMALL, "--probes", "30")
_STABILITY = ("stability", "en:sw", "--model", "$model", *_SMALL, "--probes", "30", "--other", "$own")
_SPECTRUM = ("spectrum", "en", "sw", "de", "--model", "$model", *_SMALL)
_ASK = ("ask", "en", "sw", "cat", "--model", "$model", "--device", "cpu")

_COLUMNS = "two columns"  # what every sentence on an unusable word list ends with


def _rows(base: tuple[str, ...], *rows: tuple[str, str, str], usage: bool = False) -> list[Bad]:
    """Rows of one command: words that are added to its base, parted by |; culprit; way out."""
    return [Bad((*base, *added.split("|")), culprit, way, usage) for added, culprit, way in rows]


LANGUAGES = [
    Bad(("recommend", "Klingonsh", "en"), "'Klingonsh'", "`linguabridge languages` lists all"),
    Bad(("recommend", "", "en"), "Empty language", "give a code such as sw"),
    Bad(("recommend", " \t ", "en"), "Empty language", "give a code such as sw"),
    Bad(("recommend", "english", "en_Latn"), "both English (en)", "name two languages"),
    Bad(("recommend", LONG_NAME, "en"), "'xxxxx", "`linguabridge languages` lists all"),
    Bad(("recommend", "s\x07w", "en"), r"'s\x07w'", "`linguabridge languages` lists all"),
    Bad(("recommend", "s\nw", "en"), r"'s\nw'", "`linguabridge languages` lists all"),
    Bad(("recommend", "s\udcffw", "en"), r"'s\udcffw'", "`linguabridge languages` lists all"),
    Bad(("recommend", "en", "sw", "--candidates", "de,sw"), "Swahili (sw)", "leave it out of --candidates"),
    Bad(("recommend", "en", "sw", "--candidates", ",;"), "--candidates", "leave it out"),
    Bad(("evaluate", "en:en"), "both English (en)", "name two languages"),
    Bad(("evaluate", "en"), "'en'", "write SOURCE:TARGET"),
    Bad(("evaluate", "en:sw:de"), "'en:sw:de'", "write SOURCE:TARGET"),
    Bad(("evaluate", "en\nsw"), r"en\nsw", "write SOURCE:TARGET"),
    Bad(("evaluate", "en:sw", "--bridge", "Swahili"), "Swahili (sw)", "leave it out of --bridge"),
    Bad(("ablate", "sw", "Kiswahili"), "both Swahili (sw)", "name two languages"),
    Bad(("ablate", "en", "sw", "--contrast", "sw"), "Swahili (sw)", "leave it out of --contrast"),
    Bad(("study", "en:en"), "both English (en)", "name two languages"),
    Bad(("study", "ensw"), "'ensw'", "write it as ar:he"),
    Bad(("study", "en\x1b[31m:"), r"en\x1b[31m", "`linguabridge languages` lists all"),
    Bad(("study", "en:sw", "--candidates", "de"), "--candidates", "4 or more"),
    Bad(("stability", ":"), "Empty language", "give a code such as sw"),
    Bad(("stability", "en:sw:"), "'en:sw:'", "write it as ar:he"),
    Bad(("spectrum", "en", "English", "eng"), "A spectrum", "name at least 3"),
    Bad(("spectrum", "en", "sw", "xyzzyx"), "'xyzzyx'", "`linguabridge languages` lists all"),
    Bad(("spectrum",), "Name the languages", "--all-lexicon"),
    Bad(("ask", "en", "en", "cat"), "both English (en)", "name two languages"),
    Bad(("ask", "en", "sw", "cat", "--bridge", "en"), "English (en)", "name another"),
    Bad(("ask", "en", "sw", " \n"), "no text", "give it after the languages"),
    Bad(("languages", "klingonsh"), "'klingonsh'", "lists all"),
    Bad(("languages", "\x00\x1b"), r"\x1b", "lists all"),
    Bad(("languages", LONG_NAME), "xxxxx", "lists all"),
]

LEXICONS = [
    *_rows(
        (*_RECOMMEND, "--lexicon"),
        ("$empty_list", "empty-list.tsv", _COLUMNS),
        ("$binary_list", "binary-list.tsv", "save it as UTF-8"),
        ("$utf16_list", "utf16-list.tsv", "UTF-8"),
        ("$bom_list", "bom-list.tsv", _COLUMNS),
        ("$mixed_list", "mixed-list.tsv", _COLUMNS),
        ("$long_line_list", "long-line-list.tsv", _COLUMNS),
        ("$nul_list", "nul-list.tsv", _COLUMNS),
        ("$marks_list", "marks-list.tsv", _COLUMNS),
        ("$other_list", "other-list.tsv", "put a line that names the columns before it"),
        ("$short_list", "short-list.tsv", "add entries"),
        ("$endless_list", "endless-list.tsv", "cut it down"),
        ("$empty_lines_list", "empty-lines-list.tsv", "cut it down"),
        ("$texts", "texts", "give the file of a word list"),
        ("/dev/zero", "/dev/zero", "give the file of a word list"),
        ("$nowhere", "nowhere", "Give cldr, muse, or the path"),
        (LONG_NAME, "xxxxx", "Give cldr, muse, or the path"),
        ("cldrr", "'cldrr'", "Did you mean cldr"),
        ("", "''", "Give cldr, muse, or the path"),
        ("~nobody-of-this-name/x", "nobody-of-this-name", "Give cldr, muse, or the path"),
        ("$own|--lexicon-dir|$texts", "own.tsv", "use it with --lexicon muse"),
        ("muse|--lexicon-dir|$nowhere", "nowhere", "use --lexicon cldr"),
        ("muse|--lexicon-dir|$texts", "texts", "use --lexicon cldr"),
        ("muse|--lexicon-dir|$a_file", "a-file", "use --lexicon cldr"),
    ),
    *_rows(
        (*_ABLATE, "--lexicon"),
        ("$bom_list", "bom-list.tsv", _COLUMNS),
        ("$short_list", "short-list.tsv", "choose another --lexicon"),
    ),
    *_rows(
        (*_EVALUATE, "--lexicon"),
        ("$binary_list", "binary-list.tsv", "save it as UTF-8"),
        ("$nowhere", "nowhere", "Give cldr, muse, or the path"),
    ),
    *_rows(
        (*_STUDY, "--lexicon"),
        ("$nul_list", "nul-list.tsv", _COLUMNS),
        ("$short_list", "short-list.tsv", "add a column"),
    ),
    *_rows((*_STABILITY, "--lexicon"), ("$empty_list", "empty-list.tsv", _COLUMNS)),
]

TEXTS = [
    *_rows(
        (*_RECOMMEND, "--lexicon", "$own", "--texts"),
        ("$text_file", "en.txt", "give a folder"),
        ("$nowhere", "nowhere", "no such folder"),
        ("$nowhere/{lang}.txt", "nowhere", "does not exist"),
        ("$one_language_texts", "English", "en.txt"),
        ("$folder_texts", "English", "en.txt"),
        ("$latin_texts", "en.txt", "convert it first"),
        ("$empty_texts", "en.txt", "name another place"),
        ("$blank_texts", "en.txt", "name another place"),
        ("$utf16_texts", "en.txt", "convert it first"),
        ("$unmarked_texts", "en.txt", "save it as UTF-8"),
        ("$nul_texts", "en.txt", "save it as UTF-8"),
        ("$long_line_texts", "en.txt", "break it into lines"),
        ("$marks_texts", "en.txt", "name another place"),
        (LONG_NAME, "xxxxx", "no such folder"),
        (LONG_NAME + "{lang}", "xxxxx", "does not exist"),
        ("~nobody-of-this-name/x", "nobody-of-this-name", "no such folder"),
        ("", "--texts", "leave it out"),
    ),
    *_rows(
        (*_SPECTRUM, "--texts"),
        ("$latin_texts", "en.txt", "convert it first"),
        ("$empty_texts", "en.txt", "name another place"),
    ),
    *_rows((*_ABLATE, "--lexicon", "$own", "--texts"), ("$nowhere", "nowhere", "no such folder")),
    *_rows((*_EVALUATE, "--lexicon", "$own", "--texts"), ("$text_file", "en.txt", "give a folder")),
]

_MODELS = (
    ("$nowhere", "nowhere", "The default is"),
    ("", "empty", "the default is"),
    ("no\nsuch", r"no\nsuch", "The default is"),
    (LONG_NAME, "xxxxx", "The default is"),
    ("~nobody-of-this-name/x", "nobody-of-this-name", "The default is"),
    ("$texts", "texts", "config.json"),
    ("$own", "own.tsv", "--model takes a folder"),
    ("$cut_model", "cut-model", "its files are whole"),
    ("$nan_model", "nan-model", "--dtype float32"),
    ("$no_weights_model", "no-weights-model", "safetensors"),
    ("$no_config_model", "no-config-model", "config.json"),
    ("$damaged_config_model", "config.json", "damaged"),
    ("$deep_config_model", "config.json", "damaged"),
    ("$list_config_model", "config.json", "damaged"),
    ("$text_config_model", "config.json", "download the model again"),
    ("$bert_model", "bert-model", "give another --model"),
    ("$adapter_model", "adapter-model", "merge it into its model"),
    ("$kernel_model", "kernel-model", "--trust-remote-code"),
    ("$tall_model", "num_hidden_layers", "download it again"),
    ("$small_model", "small-model", "do not belong together"),
    ("$cut", "cut.gguf", "download it again"),
    ("$header", "header.gguf", "download it again"),
    ("$no", "no.gguf", "download it again"),
    ("$empty", "empty.gguf", "download it again"),
)

MODELS = [
    *_rows(("inspect",), *_MODELS),
    *_rows(
        (*_RECOMMEND, "--lexicon", "$own", "--model"),
        *(one for one in _MODELS if one[0] in ("$nan_model", "$cut_model", "$deep_config_model", "$cut", LONG_NAME)),
    ),
    *_rows(
        ("inspect", "$model"),
        ("--device|nonsense", "'nonsense'", "--device auto"),
        ("--device|cuda:99", "'cuda:99'", "--device auto"),
        ("--device|", "''", "--device auto"),
        ("--dtype|int8", "'int8'", "choose one of"),
        ("--taps|model.layers.0.mlp", "model.layers.0.mlp", "{layer}"),
        ("--taps|model.layers.{layer}.nothing", "nothing", "for example --taps"),
        ("--taps|{", "{", "{layer}"),
    ),
    *_rows((*_SPECTRUM, "--model"), ("$no_weights_model", "no-weights-model", "safetensors")),
    *_rows((*_ABLATE, "--lexicon", "$own", "--model"), ("$small_model", "small-model", "do not belong together")),
    *_rows((*_STUDY, "--model"), ("$header", "header.gguf", "download it again")),
    *_rows((*_STABILITY, "--lexicon", "$own", "--model"), ("$no_config_model", "no-config-model", "config.json")),
    *_rows((*_ASK, "--bridge", "de", "--model"), ("$nan_model", "nan-model", "--dtype float32")),
    *_rows((*_EVALUATE, "--lexicon", "$own", "--model"), ("$bert_model", "bert-model", "give another --model")),
]

_SEEDS = (("--seed|-1", "--seed", "0 or more"), ("--seed|-99999999999999999999", "--seed", "0 or more"))
_TOKENS = (("--tokens|0", "--tokens 0", "at least 200"), ("--tokens|-5", "--tokens -5", "at least 200"))
_PROBES = (("--probes|0", "--probes 0", "at least 20"), ("--probes|-1", "--probes -1", "at least 20"))

# Far beyond what is there, within 64 bits and beyond them. Options that take them stand in test_odd_inputs.py.
HUGE = (10**18, 10**30)


def _huge(base: tuple[str, ...], *rows: tuple[str, str, str], usage: bool = False) -> list[Bad]:
    """As :func:`_rows`, for each of the huge numbers, which stands where N does."""
    each = [tuple(part.replace("N", str(number)) for part in row) for row in rows for number in HUGE]
    return _rows(base, *[(added, culprit, way) for added, culprit, way in each], usage=usage)


_NO_RAY = ("--workers|N", "--workers", "add --ray local")

NUMBERS = [
    *_huge((*_RECOMMEND, "--lexicon", "$own"), _NO_RAY),
    *_huge(
        (*_EVALUATE, "--lexicon", "$own"),
        _NO_RAY,
        ("--best|N", "--best N", "2 to 8"),
        ("--shots|N", "--shots N", "lower --shots"),
        ("--endpoint|http://127.0.0.1:1/v1|--endpoint-model|m|--concurrency|N", "http://127.0.0.1:1/v1", "start it"),
    ),
    *_huge((*_ABLATE, "--lexicon", "$own"), ("--draws|N", "--draws N", "at most")),
    *_huge(_SPECTRUM, _NO_RAY, ("--samples|N", "--samples N", "at most")),
    *_huge(_STUDY, _NO_RAY),
    *_huge((*_STABILITY, "--lexicon", "$own"), _NO_RAY),
    *_huge(("view", "$no_run"), ("--port|N", "--port", "65535"), usage=True),
    *_rows(
        (*_RECOMMEND, "--lexicon", "$own"),
        *(*_SEEDS, *_TOKENS, *_PROBES),
        ("--check|-1", "--check -1", "--no-check"),
        ("--check|1", "--check 1", "--no-check"),
        ("--top-rate|0", "--top-rate", "between 0 and 1"),
        ("--top-rate|-0.5", "--top-rate", "between 0 and 1"),
        ("--top-rate|nan", "--top-rate", "between 0 and 1"),
        ("--top-rate|inf", "--top-rate", "between 0 and 1"),
        ("--layers|3-1", "--layers 3-1", "0 to 3"),
        ("--layers|9-12", "--layers 9-12", "0 to 3"),
        ("--layers|" + "9" * 5000, "--layers", "such as 6-12"),
        ("--layers|-1", "--layers", "such as 6-12"),
        ("--workers|2", "--workers", "--ray"),
        ("--ray|local|--workers|0", "--workers 0", "give 1 or more"),
        ("--ray|local|--gpus-per-worker|-1", "--gpus-per-worker", "give 0 or more"),
        ("--ray|local|--gpus-per-worker|nan", "--gpus-per-worker", "give 0 or more"),
        ("--ray|local|--gpus-per-worker|1e-320", "--gpus-per-worker 1e-320", "give 0.0001 or more"),
        ("--ray|no-address", "no-address", "give local, auto or HOST:PORT"),
    ),
    *_rows(
        _RECOMMEND,
        ("--tokens|nan", "--tokens", "integer"),
        ("--tokens|1e3", "--tokens", "integer"),
        ("--top-rate|much", "--top-rate", "number"),
        ("--seed|" + "9" * 5000, "--seed", "integer"),
        usage=True,
    ),
    *_rows(
        (*_EVALUATE, "--lexicon", "$own"),
        *(*_SEEDS, *_TOKENS, *_PROBES),
        ("--best|1", "--best 1", "2 to 8"),
        ("--best|9", "--best 9", "2 to 8"),
        ("--limit|0", "--limit 0", "at least 10"),
        ("--limit|-1", "--limit -1", "at least 10"),
        ("--shots|-1", "--shots -1", "0 or more"),
        ("--shots|100000", "--shots 100000", "lower --shots"),
        ("--endpoint|http://127.0.0.1:1/v1|--endpoint-model|m|--concurrency|0", "--concurrency 0", "give 1 or more"),
        ("--endpoint|http://127.0.0.1:1/v1|--endpoint-model|m|--concurrency|-3", "--concurrency -3", "give 1 or more"),
    ),
    *_rows(
        (*_ABLATE, "--lexicon", "$own"),
        *(*_SEEDS, *_TOKENS),
        ("--amplify|1", "--amplify 1", "greater than 1"),
        ("--amplify|nan", "--amplify nan", "greater than 1"),
        ("--amplify|inf", "--amplify inf", "greater than 1"),
        ("--draws|0", "--draws 0", "at least 20"),
        ("--draws|1000000000", "--draws 1000000000", "at most"),
        ("--words|-1", "--words -1", "at least 10"),
        ("--text-tokens|0", "--text-tokens 0", "at least 100"),
        ("--top-rate|nan", "--top-rate", "between 0 and 1"),
        ("--specific-rate|1", "--specific-rate", "between 0 and 1"),
        ("--layers|0-99", "--layers 0-99", "0 to 3"),
    ),
    *_rows(
        _SPECTRUM,
        *(*_SEEDS, *_TOKENS),
        ("--top-rate|nan", "--top-rate", "between 0 and 1"),
        ("--concepts|0", "--concepts 0", "at least 10"),
        ("--samples|-1", "--samples -1", "at least 100"),
        ("--samples|1000000000000", "--samples 1000000000000", "at most"),
    ),
    *_rows(
        (*_STUDY,),
        *(*_SEEDS, *_TOKENS, *_PROBES),
        ("--words|0", "--words 0", "at least 40"),
        ("--ways|telepathy", "'telepathy'", "take one of"),
    ),
    *_rows((*_STABILITY, "--lexicon", "$own"), *(*_SEEDS, *_TOKENS, *_PROBES)),
    *_rows(("view", "$no_run", "--port"), ("-1", "--port", "0"), ("70000", "--port", "65535"), usage=True),
]

PATHS = [
    *_rows(
        (*_RECOMMEND, "--lexicon", "$own"),
        ("--out|$a_file", "a-file", "--out"),
        ("--out|$a_file/below", "a-file", "--out"),
        ("--json|$texts", "texts", "name a file"),
        ("--json|$a_file/below.json", "a-file", "--json"),
        ("--json|$own", "own.tsv", "choose another file with --json"),
        ("--json|$model/config.json", "config.json", "choose another file with --json"),
        ("--json|$damaged_run/recommend.json", "recommend.json", "choose another file with --json"),
        ("--out|$foreign_run", "recommend.json", "choose another folder with --out"),
        ("--out|-", "--out", "--json -"),
        (f"--out|$root/{LONG_NAME}", "xxxxx", "--out"),
    ),
    *_rows(
        (*_EVALUATE, "--lexicon", "$own"),
        ("--out|$a_file", "a-file", "--out"),
        ("--out|$damaged_run", "summary.json", "choose another folder"),
        ("--out|$deep_run", "summary.json", "choose another folder"),
        ("--data|$nowhere", "nowhere", "folder"),
        ("--data|$a_file", "a-file", "folder"),
        ("--task|mrc|--data|$texts", "belebele", "put the data set there"),
        ("--task|blii", "'blii'", "Did you mean bli"),
        ("--task|$nowhere/t.py", "t.py", "a file that is there"),
        ("--task|$no_task", "no-task.py", "TASK"),
        ("--task|$broken_task", "broken-task.py", "mend it"),
        ("--task|$ending_task", "ending-task.py", "mend it"),
        ("--task|,", "--task", "leave it out"),
        ("--arms|recomended", "'recomended'", "choose among"),
        ("--scoring|guess", "'guess'", "choose one of"),
        ("--normalise|bytes", "'bytes'", "choose one of"),
        ("--shots-language|de", "--shots-language", "--shots"),
        ("--recommendation|$nowhere", "nowhere", "recommend"),
        ("--recommendation|$damaged_run", "damaged-run", "recommend --out"),
        ("--recommendation|$deep_run", "deep-run", "recommend --out"),
        ("--recommendation|$foreign_run", "foreign-run", "recommend --out"),
        ("--show-prompts|--json|x.json", "--show-prompts", "leave one of them out"),
    ),
    *_rows(
        _SPECTRUM,
        ("--distances|$nowhere", "nowhere", "give a file of distances"),
        ("--distances|$no_distances", "no-distances.tsv", "has the languages in its first line"),
        ("--distances|$nan_distances", "line 3, column 2", "such as 0.25"),
        ("--distances|$binary_list", "binary-list.tsv", "save it as UTF-8"),
        ("--distances|$own|--distances|$own", "own", "rename it"),
        ("--out|$damaged_run", "spectrum.json", "--out"),
        ("--out|$deep_run", "spectrum.json", "--out"),
        ("--out|$a_file", "a-file", "--out"),
    ),
    *_rows(
        (*_ABLATE, "--lexicon", "$own"),
        ("--out|$damaged_run", "ablation.json", "--out"),
        ("--out|$deep_run", "ablation.json", "--out"),
        ("--out|$list_run", "ablation.json", "--out"),
        ("--json|$texts", "texts", "name a file"),
    ),
    *_rows(
        _STUDY,
        ("--out|$damaged_run", "study.json", "--out"),
        ("--out|$deep_run", "study.json", "--out"),
        ("--out|$a_file/x", "a-file", "--out"),
    ),
    *_rows(
        ("study", "--from"),
        ("$nowhere", "nowhere", "Name the folder of a study"),
        ("$damaged_run", "study.json", "choose another folder"),
        ("$deep_run", "study.json", "choose another folder"),
        ("$list_run", "study.json", "choose another folder"),
        (LONG_NAME, "xxxxx", "Name the folder of a study"),
        ("gemma-3-270m-dictionary|--words|60", "--words", "leave it out"),
    ),
    *_rows((*_STABILITY, "--lexicon", "$own"), ("--json|$texts", "texts", "name a file")),
    *_rows(
        (*_ASK, "--recommendation"),
        ("$nowhere", "nowhere", "recommend"),
        ("$deep_run", "deep-run", "recommend --out"),
        ("$nan_run", "nan-run", "recommend --out"),
    ),
    *_rows(
        ("report",),
        ("$nowhere", "nowhere", "give a folder or a JSON file"),
        ("$no_run", "no-run", "give a folder or a JSON file"),
        ("$damaged_run", "damaged", "give a folder or a JSON file"),
        ("$deep_run", "damaged", "give a folder or a JSON file"),
        ("$nan_run", "nan-run", "give a folder or a JSON file"),
        ("$list_run", "list-run", "give a folder or a JSON file"),
        ("$foreign_run/recommend.json", "foreign-run", "run its command again"),
        ("$deep_run/summary.json", "summary.json", "choose another folder"),
        ("$own", "own.tsv", "give a folder or a JSON file"),
        ("/dev/zero", "/dev/zero", "give a folder or a JSON file"),
        (LONG_NAME, "xxxxx", "give a folder or a JSON file"),
        ("$foreign_run|--out|$no_page", "no-page.html", "choose another file"),
        ("$foreign_run|--out|$texts", "texts", "name a file"),
        ("$foreign_run|--figures|$a_file", "a-file", "--figures"),
    ),
    *_rows(
        ("view",),
        ("$nowhere|--no-browser", "nowhere", "give the folder of a run"),
        ("$no_run|--no-browser", "no-run", "give a folder or a JSON file"),
        (f"{LONG_NAME}|--no-browser", "xxxxx", "give the folder of a run"),
    ),
]

OTHERS = [
    *_rows(
        ("export", "--to", "routes", "--out", "$root/routes.json"),
        ("$nowhere", "nowhere", "give a folder or a JSON file"),
        ("$own", "own.tsv", "give a folder or a JSON file"),
        ("$damaged_run", "damaged", "give a folder or a JSON file"),
        ("$foreign_run", "foreign-run", "give it its own name"),
    ),
    *_rows(
        ("export", "--to", "lm-eval", "--out", "$root/tasks"),
        ("$nowhere", "nowhere", "give a folder or a JSON file"),
        ("$no_run", "no-run", "give a folder or a JSON file"),
        ("$foreign_run", "foreign-run", "give it its own name"),
        ("$foreign_run|$no_run", "One evaluation", "name one folder"),
    ),
    Bad(("export", "$foreign_run", "--to", "paper", "--out", "$root/x"), "'paper'", "choose lm-eval or routes"),
    Bad(("export", "$foreign_run", "--to", "routes", "--out", "$a_file/x.json"), "a-file", "--out"),
    Bad(("doctor", "--json", "$texts"), "texts", "name a file"),
    Bad(("doctor", "--json", "$a_file/x.json"), "a-file", "--json"),
    *_rows(
        ("cache",),
        ("list|--json|$texts", "texts", "name a file"),
        ("clear|--kind|dreams|--yes", "'dreams'", "it has"),
        ("clear|--model|nobody|--yes", "'nobody'", "; it "),
        ("clear|--older-than|-1|--yes", "--older-than", "0 or more"),
        ("clear|--older-than|nan|--yes", "--older-than", "0 or more"),
        ("verify|--json|$a_file/x.json", "a-file", "--json"),
    ),
]

# What a server may answer stands in test_endpoint_failures.py; here, how the commands tell it.
ENDPOINTS = [
    *_rows(
        (*_ASK, "--bridge", "de"),
        ("--endpoint|http://127.0.0.1:1/v1", "--endpoint-model", "go together"),
        ("--endpoint|http://127.0.0.1:1/v1|--endpoint-model|m", "http://127.0.0.1:1/v1", "start it"),
        ("--endpoint|localhost:8000|--endpoint-model|m", "endpoint", "http://"),
        ("--endpoint|http://me:secret@127.0.0.1/v1|--endpoint-model|m", "127.0.0.1", "OPENAI_API_KEY"),
        ("--endpoint||--endpoint-model|m", "endpoint", "http://"),
    ),
    *_rows(
        (*_EVALUATE, "--lexicon", "$own"),
        ("--endpoint-model|m", "--endpoint", "go together"),
        ("--endpoint|http://127.0.0.1:1|--endpoint-model|m", "http://127.0.0.1:1/v1", "start it"),
    ),
]

ROWS = (*LANGUAGES, *LEXICONS, *TEXTS, *MODELS, *NUMBERS, *PATHS, *OTHERS, *ENDPOINTS)
