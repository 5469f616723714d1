"""NLU: tasks of lm-evaluation-harness on the model that is loaded (an adapter included).

PIQA, ARC-Easy and ARC-Challenge in the harness's own log-likelihood form, or in MEOW's generative form (validation
split, four shots from train, greedy, eight new tokens, the label must open the answer); any other task by its name.
"""

from __future__ import annotations

import copy
import json
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from meow import terminal
from meow.capability.answers import remembering
from meow.config import NluSettings
from meow.downloads import check_hub
from meow.errors import ConfigError, DataError, MeowError, shown
from meow.files import json_lines
from meow.processes import agreed
from meow.records import NluSample, Value
from meow.statistics import wilson

if TYPE_CHECKING:
    from meow.lm import LM
OURS = Path(__file__).parent / "tasks"
HUB = {"piqa": "baber/piqa", "arc_easy": "allenai/ai2_arc", "arc_challenge": "allenai/ai2_arc"}
"""Where the data of the published tasks lie."""
PARTS = ("train", "validation", "test")
BATCHES, LARGE = 16, 1024
"""Batches that are asked at once; requests, where the harness finds the batch, which takes it five passes each time."""


def task_files(settings: NluSettings) -> dict[str, dict[str, Path]]:
    """The local files of each task, by part; empty for a task that the harness fetches.

    Raises:
        ConfigError: no such task folder.
        DataError: a malformed row (names the line), or a task that needs the hub, which cannot be reached.
    """
    found: dict[str, dict[str, Path]] = {}
    for task in settings.tasks:
        if settings.data is None:
            if task == "people":
                raise ConfigError("nlu.data: not set; the task people needs the folder that meow demo makes (data/nlu)")
            if task in HUB:
                check_hub(HUB[task], "README.md", repo_type="dataset", otherwise="set nlu.data to a folder")
            found[task] = {}
            continue
        folder = Path(settings.data) / task
        files = {part: file for part in PARTS if (file := folder / f"{part}.jsonl").is_file()}
        if not files:
            raise ConfigError(
                f"{folder}: holds no {', '.join(f'{part}.jsonl' for part in PARTS)}; expected the task's rows, one "
                "JSON object a line"
            )
        for file in files.values():
            listed = list(json_lines(file))
            if not listed:
                raise DataError(f"{file}: holds no row; expected one JSON object a line")
            for line, row in listed:
                if not isinstance(row, dict):
                    raise DataError(f"{file}:{line}: found {type(row).__name__}, expected an object; mend the line")
        found[task] = files
    return found


def evaluate_tasks(
    lm: LM, settings: NluSettings, *, seed: int, cache: Path | None = None
) -> tuple[dict[str, dict[str, Any]], list[NluSample]]:
    """Evaluate a model on every task.

    Args:
        lm: the model.
        settings: tasks, form, shots, data, limit, batch_size.
        seed: of the shots.
        cache: JSON lines; answers that are there are not asked again, and it grows as they come.

    Returns:
        By task: `split`, `shots`, `n`, `stderr` and each metric as a Value; and a row for every item.

    Raises:
        ConfigError: the harness is not installed, or there is no such task.
        DataError: a row that the task cannot read, or shots that do not fit the context.
    """
    harness = _harness()
    files = task_files(settings)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        made = {task: _spec(harness, task, settings, files[task], Path(folder)) for task in settings.tasks}
        manager = _tasks(harness, [task for task, spec in made.items() if spec is None])
        model = _wrapped(harness, lm, settings)
        _check_room(lm, settings, files)
        group = LARGE if model.batch_size == "auto" else BATCHES * model.batch_size
        with remembering(model, cache, group) if cache else nullcontext(), _named(settings):
            found = harness.simple_evaluate(
                model=model,
                tasks=[spec or task for task, spec in made.items()],
                task_manager=manager,
                num_fewshot=settings.shots,
                limit=settings.limit,
                log_samples=True,
                bootstrap_iters=1000,
                **{f"{of}random_seed": seed for of in ("", "numpy_", "torch_", "fewshot_")},
            )
    return agreed(lambda: _read(found))  # the harness gives them to the first process alone


def _wrapped(harness: Any, lm: LM, settings: NluSettings) -> Any:
    """The model as one of the harness's."""
    batch: int | str = settings.batch_size
    if batch == "auto" and lm.device.type == "cpu":  # nothing to find there by running out of memory
        batch = max(1, lm.batch_tokens // lm.prompter.max_length)
    return harness.models.huggingface.HFLM(
        pretrained=lm.model,
        tokenizer=_open_ended(lm.tokenizer),
        max_length=lm.prompter.max_length,
        batch_size=batch,
        max_batch_size=64,
        device=str(lm.device),
    )


@contextmanager
def _named(settings: NluSettings) -> Iterator[None]:
    """What the harness stumbles on is one line that names the tasks.

    Raises:
        DataError: a row that a task cannot read, or data that are not here while the hub is not reached.
        OSError: the disk is full, where datasets keeps its copy.
    """
    from datasets.exceptions import DatasetsError
    from jinja2 import TemplateError

    try:
        yield
    except MeowError:
        raise
    except ConnectionError as e:  # of datasets, for a task of which nothing was asked of the hub before
        raise DataError(
            f"nlu: the data of {', '.join(settings.tasks)} are not all in the local cache and the hub cannot be "
            f"reached ({_first_line(e)}); download them first, or name other tasks (nlu.tasks)"
        ) from e
    except (KeyError, ValueError, TypeError, IndexError, ArithmeticError, TemplateError, DatasetsError) as e:
        if isinstance(e.__cause__, OSError):
            raise e.__cause__ from e
        raise DataError(f"nlu: the harness cannot run {', '.join(settings.tasks)} ({_first_line(e)})") from e


def _tasks(harness: Any, named: Sequence[str]) -> Any:
    """The harness's own tasks, where some are asked for by name.

    Raises:
        ConfigError: a task that is none of them; a file of somebody's would do, and it can run Python.
    """
    manager = harness.tasks.TaskManager(include_defaults=bool(named))
    odd = next((task for task in named if task not in manager.task_index), None)
    if odd is not None:
        raise ConfigError(
            f"nlu.tasks: {shown(odd)} is no task of lm-evaluation-harness; expected one by its name (a task's YAML is "
            "not read: it can run Python)"
        )
    return manager


def _open_ended(tokenizer: Any) -> Any:
    """The tokenizer, or a copy that adds no EOS to a text: the harness finds an option's tokens by counting those of
    the question before it, and lets the model go on from where a text ends."""
    from tokenizers.processors import TemplateProcessing

    ids = tokenizer("a")["input_ids"]
    if tokenizer.eos_token_id is None or ids[-1] != tokenizer.eos_token_id:
        return tokenizer
    other = copy.deepcopy(tokenizer)
    before = tokenizer.convert_ids_to_tokens(ids[: ids.index(tokenizer("a", add_special_tokens=False)["input_ids"][0])])
    other.backend_tokenizer.post_processor = TemplateProcessing(
        single=[*before, "$A"], special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in before]
    )
    return other


def _read(found: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[NluSample]]:
    """Results and items of the harness in our own form."""
    results: dict[str, dict[str, Any]] = {}
    samples: list[NluSample] = []
    for task, rows in found["samples"].items():
        config = found["configs"][task]
        numbers = {k: v for k, v in found["results"][task].items() if "," in k and "_stderr" not in k}
        values, errors = {}, {}
        for key, number in numbers.items():
            metric, _, used = key.partition(",")
            error = found["results"][task].get(f"{metric}_stderr,{used}")
            known = isinstance(error, float) and math.isfinite(error)
            errors[metric] = error if known else None
            ends = wilson(number, len(rows))
            values[metric] = Value(value=number, n=len(rows), low=ends[0], high=ends[1], unit="share")
        results[task] = {
            "split": config.get("test_split") or config.get("validation_split"),
            "shots": found["n-shot"].get(task) or 0,
            "n": len(rows),
            "stderr": errors,
            "metrics": values,
        }
        for row in rows:
            right = {metric: float(row[metric]) for metric in values if isinstance(row.get(metric), int | float)}
            samples.append(NluSample(task=task, index=int(row["doc_id"]), right=right))
    return results, sorted(samples, key=lambda s: (s.task, s.index))


def _spec(harness: Any, task: str, settings: NluSettings, files: dict[str, Path], folder: Path) -> str | None:
    """A YAML that puts local files, and our generative form, in the place of a task's own; None: the harness's task."""
    name = f"{task}_generate" if settings.form == "generate" else task
    root = Path(harness.__file__).parent / "tasks"
    places = [OURS / f"{name}.yaml", *(root / place / f"{task}.yaml" for place in ("piqa", "arc"))]
    base = next((place for place in places if place.is_file()), None)
    if settings.form == "generate" and base is not None and base.parent != OURS:
        raise ConfigError(f"nlu.form: generate is there for {', '.join(HUB)}; found the task {task}")
    if base is None:
        if files:
            raise ConfigError(
                f"nlu.data: local files are there for {', '.join([*HUB, 'people'])}; found the task {task}"
            )
        return None
    changed: dict[str, Any] = {"include": str(base), "task": name}
    if files:
        changed |= {
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {part: str(file.resolve()) for part, file in files.items()}},
        }
        if "train" not in files:
            changed |= {"training_split": None, "fewshot_split": None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return str(path)


def _check_room(lm: LM, settings: NluSettings, files: dict[str, dict[str, Path]]) -> None:
    """Refuse shots that alone fill the context: the harness would cut the question away.

    Raises:
        DataError: names the task, the tokens and the context.
    """
    shots = settings.shots if settings.shots is not None else 4 if settings.form == "generate" else 0
    for task, parts in files.items():
        if not shots or "train" not in parts:
            continue
        lines = parts["train"].read_text(encoding="utf-8").split("\n")[:50]
        lengths = [
            len(lm.tokenizer(" ".join(map(str, _texts(json.loads(x)))))["input_ids"]) for x in lines if x.strip()
        ]
        needed = (shots + 1) * round(sum(lengths) / max(len(lengths), 1))
        if needed > lm.prompter.max_length:
            raise DataError(
                f"nlu: {task}: {shots} shots and a question take about {needed} tokens, the context holds "
                f"{lm.prompter.max_length}; set nlu.shots to fewer"
            )


def _texts(value: Any) -> Iterator[str]:
    """Every text of a row."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def _harness() -> Any:
    try:
        import lm_eval
        import lm_eval.models.huggingface
        import lm_eval.tasks
    except ImportError as e:
        raise ConfigError(
            "nlu: lm-evaluation-harness is not installed; pip install 'meow-unlearning[capability]'"
        ) from e
    return lm_eval


@contextmanager
def _quiet() -> Iterator[None]:
    """The harness shows its own bars to who watches a terminal, and else nothing."""
    shows = terminal.err.is_terminal and terminal.shows
    with warnings.catch_warnings(), nullcontext() if shows else terminal.silent():
        warnings.simplefilter("ignore")
        yield


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
