"""Tasks to evaluate on, one file each; :func:`find_task` finds them by name, or by the path of the user's own file."""

from __future__ import annotations

import importlib.util
from importlib import import_module

from rapidfuzz import fuzz, process

from linguabridge.errors import InputError
from linguabridge.paths import expanded, is_file
from linguabridge.tasks.task import Task

NAMES = ("bli", "mrc", "nli", "math", "topics", "choice", "translate")


def find_task(name: str) -> Task:
    """A task by its name, or the one that a Python file defines as ``TASK``. The file is run: it is the user's own.

    Raises:
        InputError: no such task or file, or the file defines none.
    """
    if name in NAMES:
        return _checked(getattr(import_module(f"linguabridge.tasks.{name}"), "TASK", None), name)
    path = expanded(name)
    if path.suffix == ".py" and is_file(path):
        spec = importlib.util.spec_from_file_location(f"linguabridge_task_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise InputError(
                f"The task file {path} fails: {type(error).__name__}: {error}; mend it and run again."
            ) from error
        return _checked(getattr(module, "TASK", None), name)
    if path.suffix == ".py":
        raise InputError(f"There is no task file {path}; name one of {', '.join(NAMES)}, or a file that is there.")
    near = process.extractOne(name, NAMES, scorer=fuzz.ratio, score_cutoff=60)
    guess = f" Did you mean {near[0]}?" if near else ""
    raise InputError(
        f"Unknown task '{name}'.{guess} Choose among {', '.join(NAMES)}, or give a Python file of your own."
    )


def _checked(task: object, name: str) -> Task:
    if not isinstance(task, Task):
        raise InputError(f"{name} defines no TASK, a linguabridge.tasks.task.Task.")
    return task
