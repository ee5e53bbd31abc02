"""The order of bridges that arms rest on: from an earlier ``recommend`` run, or computed now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from linguabridge.cache import Cache
from linguabridge.errors import InputError
from linguabridge.json_values import check_seal
from linguabridge.languages import Language, parse
from linguabridge.lazy_model import LazyModel
from linguabridge.lexicons import Lexicon
from linguabridge.paths import content_of
from linguabridge.progress import Reporter
from linguabridge.recommendation import recommend
from linguabridge.settings import RESULT, Settings


@dataclass(frozen=True)
class Recommended:
    """Candidates, the best first.

    Attributes:
        order: of candidates that the way of choosing says something of; the first is recommended.
        way: the way of choosing, in words.
    """

    order: tuple[Language, ...]
    way: str


@dataclass(frozen=True)
class Earlier:
    """What an earlier ``recommend`` run found.

    Attributes:
        file: that it was read from.
        sha256: of the file.
        pair: codes of source and target.
        ranking: of the candidates.
        model: name of the model whose neurons were read.
        weights: hash of its weights.
        seed: of its draws.
        texts: that its neurons were read on, as given.
        lexicon: hash of its lexicon.
    """

    file: Path
    sha256: str
    pair: tuple[str, str]
    ranking: Recommended
    model: str
    weights: str
    seed: int
    texts: str | None
    lexicon: str

    def check_apart(self, settings: Settings, lexicon: Lexicon) -> None:
        """Refuse a run whose probes may be test words now: the same seed and lexicon keep them apart.

        Raises:
            InputError: its seed, lexicon or texts are others.
        """
        for name, its, ours in (
            ("seed", self.seed, settings.seed),
            ("lexicon", self.lexicon, lexicon.fingerprint()),
            ("texts", self.texts, settings.texts),
        ):
            if its != ours:
                raise InputError(
                    f"--recommendation {self.file} was made with another --{name}, so its probes may be test words "
                    f"here: give the same --{name}, or leave out --recommendation."
                )

    def check_model(self, model: LazyModel) -> None:
        """Refuse a ranking by the neurons of another model.

        Raises:
            InputError: the weights differ.
        """
        if self.weights != model.files.weights_sha256:
            source, target = self.pair
            raise InputError(
                f"{self.file} recommends by the neurons of another model ({self.model}): run `linguabridge recommend "
                f"{source} {target}` with this one, or leave out --recommendation."
            )


def read_earlier(file: Path) -> Earlier:
    """Read the result of ``recommend --out``.

    Args:
        file: of the result, or its folder.

    Raises:
        InputError: it is none, or was altered.
    """
    file = file / RESULT if file.is_dir() else file
    try:
        content = content_of(file)
        body = json.loads(content)
        ranked = [code for code, score in body["chosen"]["scores"].items() if score is not None]
        earlier = Earlier(
            file=file,
            sha256=hashlib.sha256(content).hexdigest(),
            pair=(str(body["source"]["code"]), str(body["target"]["code"])),
            ranking=Recommended(tuple(map(parse, ranked)), str(body["chosen"]["title"])),
            model=str(body["model"]),
            weights=str(body["identity"]["weights"]),
            seed=body["settings"]["seed"],
            texts=body["settings"]["texts"],
            lexicon=str(body["identity"]["lexicon"]),
        )
    except OSError as error:
        raise InputError(
            f"--recommendation {file} cannot be read ({error.strerror}): give a folder that `linguabridge recommend "
            "--out` wrote."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        raise InputError(f"{file} is no result of `linguabridge recommend --out DIR`.") from error
    check_seal(file, body, "recommend")
    return earlier


def computed(
    source: Language, target: Language, *, model: LazyModel, settings: Settings, cache: Cache, reporter: Reporter
) -> Recommended:
    """Put bridges for a pair in order, as `recommend` does.

    Raises:
        LinguabridgeError: nothing can be computed for the pair.
    """
    reporter.say(f"Ranking bridges from {source.name} to {target.name}.")
    result = recommend(
        source.code,
        target.code,
        model=model,
        settings=replace(settings, check=0),
        cache=cache,
        reporter=reporter,
    )
    ranked = [code for code, score in result.chosen.scores.items() if score is not None]
    return Recommended(tuple(result.language(code) for code in ranked), result.chosen.title)
