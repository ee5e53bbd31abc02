"""What the tests of evaluations share: a lexicon of made-up words, settings of a small run, a task of one's own."""

from __future__ import annotations

from pathlib import Path

from linguabridge.evaluation.results import Evaluation, Row
from linguabridge.evaluation.settings import ARMS, EvaluationSettings
from linguabridge.model import ModelOptions
from linguabridge.settings import Settings
from test_recommend import write_lexicon

OPTIONS = ModelOptions("cpu", "float32")

# A task's file, as somebody writes it outside the package.
TOY = """
from linguabridge.engines.engine import GENERATED
from linguabridge.prompts import Prompt
from linguabridge.tasks.task import Item, Loaded, Question, Task, chain_text

def load(source, target, data):
    return Loaded(tuple(Item(str(i), str(i), f"{i} cats", (str(i),)) for i in range(15)), (), "counted up")

def ask(item, chain, target, scoring):
    return Question(Prompt(chain_text(chain) + "\\nHow many?"))

TASK = Task("counting", "count cats", load, ask, (GENERATED,))
"""


def lexicon_in(folder: Path) -> Path:
    return write_lexicon(folder / "own.tsv", languages="en sw de fr it")


def small_settings(lexicon: Path) -> EvaluationSettings:
    """Every arm, on twelve words of this lexicon."""
    found = Settings(candidates=("de", "fr", "it"), lexicon=str(lexicon), tokens=300, probes=40, check=0)
    return EvaluationSettings(bridges=("de",), arms=ARMS, best=2, limit=12, recommend=found)


def rows(found: Evaluation, arm: str) -> list[Row]:
    return [row for row in found.rows if row.arm == arm]
