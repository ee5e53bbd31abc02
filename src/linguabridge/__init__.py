"""Bridge languages for large language models, from the neurons that languages share.

What is named here is the public interface, imported when first used: ``import linguabridge`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linguabridge import dependence, planted, routes
    from linguabridge.ablation.ablation import ablate
    from linguabridge.ablation.results import Ablation
    from linguabridge.ablation.settings import AblationSettings
    from linguabridge.cache import Cache
    from linguabridge.check import Check
    from linguabridge.choosing.choice import Chosen
    from linguabridge.cluster.options import ClusterOptions
    from linguabridge.errors import LinguabridgeError
    from linguabridge.evaluation.evaluate import evaluate
    from linguabridge.evaluation.results import Evaluation
    from linguabridge.evaluation.settings import EvaluationSettings
    from linguabridge.languages import Language
    from linguabridge.languages import parse as parse_language
    from linguabridge.lazy_model import LazyModel, open_model
    from linguabridge.measure import Measurements
    from linguabridge.model import LanguageModel, ModelOptions
    from linguabridge.neurons import NeuronSet, NeuronSpace
    from linguabridge.permutation import permutation_p
    from linguabridge.profile import LanguageProfile, Profile
    from linguabridge.progress import TerminalReporter
    from linguabridge.ranking import CandidateScore, Ranking
    from linguabridge.recommendation import Recommendation, recommend
    from linguabridge.settings import Settings
    from linguabridge.spectrum.results import Spectrum
    from linguabridge.spectrum.settings import SpectrumSettings
    from linguabridge.spectrum.spectrum import spectrum as relate_languages
    from linguabridge.study.results import Study
    from linguabridge.study.settings import StudySettings
    from linguabridge.study.stability import Stability, stability
    from linguabridge.study.study import study as study_ways
    from linguabridge.text_profiles import profile_languages

__all__ = [
    "Ablation",
    "AblationSettings",
    "Cache",
    "CandidateScore",
    "Check",
    "Chosen",
    "ClusterOptions",
    "Evaluation",
    "EvaluationSettings",
    "Language",
    "LanguageModel",
    "LanguageProfile",
    "LazyModel",
    "LinguabridgeError",
    "Measurements",
    "ModelOptions",
    "NeuronSet",
    "NeuronSpace",
    "Profile",
    "Ranking",
    "Recommendation",
    "Settings",
    "Spectrum",
    "SpectrumSettings",
    "Stability",
    "Study",
    "StudySettings",
    "TerminalReporter",
    "ablate",
    "dependence",
    "evaluate",
    "open_model",
    "parse_language",
    "permutation_p",
    "planted",
    "profile_languages",
    "recommend",
    "relate_languages",
    "routes",
    "stability",
    "study_ways",
]

_HOMES = {
    "Ablation": "ablation.results",
    "AblationSettings": "ablation.settings",
    "Cache": "cache",
    "CandidateScore": "ranking",
    "Check": "check",
    "Chosen": "choosing.choice",
    "ClusterOptions": "cluster.options",
    "Evaluation": "evaluation.results",
    "EvaluationSettings": "evaluation.settings",
    "Language": "languages",
    "LanguageModel": "model",
    "LanguageProfile": "profile",
    "LazyModel": "lazy_model",
    "LinguabridgeError": "errors",
    "Measurements": "measure",
    "ModelOptions": "model",
    "NeuronSet": "neurons",
    "NeuronSpace": "neurons",
    "Profile": "profile",
    "Ranking": "ranking",
    "Recommendation": "recommendation",
    "Settings": "settings",
    "Spectrum": "spectrum.results",
    "SpectrumSettings": "spectrum.settings",
    "Stability": "study.stability",
    "Study": "study.results",
    "StudySettings": "study.settings",
    "TerminalReporter": "progress",
    "ablate": "ablation.ablation",
    "evaluate": "evaluation.evaluate",
    "open_model": "lazy_model",
    "parse_language": "languages",
    "permutation_p": "permutation",
    "profile_languages": "text_profiles",
    "recommend": "recommendation",
    "relate_languages": "spectrum.spectrum",
    "stability": "study.stability",
    "study_ways": "study.study",
}
# What a general name, or one that a folder of the package has, is called at home.
_OWN_NAMES = {"parse_language": "parse", "relate_languages": "spectrum", "study_ways": "study"}
_MODULES = ("dependence", "planted", "routes")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"linguabridge.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'linguabridge' has no attribute '{name}'")
    return getattr(import_module(f"linguabridge.{_HOMES[name]}"), _OWN_NAMES.get(name, name))


def __dir__() -> list[str]:
    return __all__
