"""Examples at the end of every command's help."""

from __future__ import annotations

# By command: what somebody wants, and the command for it. Tests parse all of them.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "recommend": (
        ("A bridge from Arabic to Hebrew, and whether it helps", "linguabridge recommend ar he"),
        ("For a model of your own, kept for a report", "linguabridge recommend sw en --model ./my-model --out ./sw-en"),
        ("With a dictionary's words in the prompt", "linguabridge recommend ar he --bridge-words dictionary"),
    ),
    "spectrum": (
        ("How the model relates seven languages", "linguabridge spectrum ar he id tl fi hu sw"),
        ("All languages that the lexicon covers", "linguabridge spectrum --all-lexicon --out ./all"),
    ),
    "evaluate": (
        ("Word translation, directly and through bridges", "linguabridge evaluate ar:he"),
        (
            "Three tasks on local data, 60 items of each",
            "linguabridge evaluate sw:de id:de --task bli,mrc,topics --data ./data --limit 60",
        ),
        (
            "Answers from a server",
            "linguabridge evaluate ar he --endpoint http://127.0.0.1:8000/v1 --endpoint-model my-model",
        ),
    ),
    "ablate": (
        ("Switch off what Arabic and Hebrew share", "linguabridge ablate ar he"),
        ("In some layers, amplified too", "linguabridge ablate fi hu --layers 6-12 --amplify 3 --out ./fi-hu"),
    ),
    "study": (
        ("Two pairs, 60 words each", "linguabridge study ar:he en:sw --words 60"),
        ("A finished study's numbers again", "linguabridge study --from gemma-3-270m-dictionary"),
    ),
    "stability": (
        ("Against MUSE's dictionaries in a folder", "linguabridge stability ar:he id:tl --lexicon-dir ./muse"),
        ("Against a word list of your own", "linguabridge stability ar:he --other ./words.tsv --json ./ar-he.json"),
    ),
    "report": (
        ("A page of one run", "linguabridge report ./evaluation"),
        ("Of two runs, with every figure as a file", "linguabridge report ./ar-he ./spectrum --figures ./figures"),
    ),
    "export": (
        ("Tasks for lm-evaluation-harness", "linguabridge export ./evaluation --to lm-eval --out ./tasks"),
        ("A table of bridges", "linguabridge export ./ar-he ./sw-en --to routes --out ./routes.json"),
    ),
    "view": (
        ("Follow a run in the browser", "linguabridge view ./evaluation"),
        ("Only print the address", "linguabridge view ./ar-he ./evaluation --port 8000 --no-browser"),
    ),
    "ask": (
        ("One word through the recommended bridge", "linguabridge ask ar he قطة"),
        ("A sentence through French", 'linguabridge ask sw en "Habari ya asubuhi" --bridge fr'),
        ("A text from a file", "linguabridge ask ar he - < text.txt"),
    ),
    "languages": (
        ("All languages", "linguabridge languages"),
        ("Those whose code or name holds this", "linguabridge languages swahili"),
    ),
    "inspect": (
        ("The default model", "linguabridge inspect"),
        ("A GGUF file on the CPU", "linguabridge inspect ./model.gguf --device cpu"),
    ),
    "doctor": (
        ("What is installed, and what to do", "linguabridge doctor"),
        ("For a bug report or a machine", "linguabridge doctor --json -"),
    ),
    "cache list": (
        ("What is kept, and for which models", "linguabridge cache list"),
        ("Every single thing, for a machine", "linguabridge cache list --json -"),
    ),
    "cache clear": (
        ("Everything, after a question", "linguabridge cache clear"),
        ("What is older than a month, without one", "linguabridge cache clear --older-than 30 --yes"),
        ("Likelihoods from one model", "linguabridge cache clear --kind likelihood --model ./my-model"),
    ),
    "cache verify": (
        ("Check all", "linguabridge cache verify"),
        ("Check all, and mend it", "linguabridge cache verify --mend"),
    ),
}

ROOT = """\
First steps: `linguabridge doctor` tells what is installed and what to do, `linguabridge recommend ar he` recommends a
bridge, and `linguabridge COMMAND --help` ends with examples.

`linguabridge --install-completion` has the shell complete commands, options and languages after the Tab key.
"""


def epilog(command: str) -> str | None:
    """The end of a command's help, in Markdown: its examples, a line of words above each."""
    if command not in EXAMPLES:
        return None
    return "\n\n".join(["Examples", *(f"- {what}:  \n  `{line}`" for what, line in EXAMPLES[command])])
