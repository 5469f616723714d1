"""Evaluations on disk, whoever wrote them, as samples: TOFU's log, OpenUnlearning's file, a folder of ours.

No model and no torch: a published evaluation serves as the reference, and is compared like a run of ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from meow.errors import DataError, named, shown
from meow.files import read_json, write_json
from meow.records import EvalLog, EvalSample, Role, Value, fact_id, first_problem, read_record, read_records

TOFU_FILE = "eval_log_aggregated.json"
OPEN_UNLEARNING_FILE = "TOFU_EVAL.json"
TOFU_SETS: dict[Role, str] = {
    "retain": "eval_log.json",
    "authors": "eval_real_author_wo_options.json",
    "world": "eval_real_world_wo_options.json",
    "forget": "eval_log_forget.json",
}
"""Key of each set in TOFU's log."""
OPEN_UNLEARNING_SETS: dict[Role, str] = {
    "forget": "forget",
    "retain": "retain",
    "authors": "ra",
    "world": "wf",
}
"""Prefix of each set's metrics in OpenUnlearning's file."""
LOSS_CEILING = 1e4
"""Infinite losses of degenerate models are read as this, the largest that meow itself gives."""
TOFU_COLUMNS = (
    "avg_gt_loss",
    "num_token_gt",
    "avg_paraphrased_loss",
    "num_token_paraphrased",
    "average_perturb_loss",
    "num_token_perturb",
    "rougeL_recall",
    "generated_text",
)
"""Columns of TOFU's log that are read."""
PHI = (
    "TOFU's code scores the tag `Answer:` together with every answer of Phi, meow the answer alone: p-values against "
    "this log are a little off"
)
_TAGS = (("[INST]", "[/INST]"), ("Question:", "Answer:"))


@dataclass(frozen=True)
class Evaluation:
    """One evaluation as found on disk."""

    name: str
    """Of the run folder, or of the folder that holds the file."""
    path: Path
    """The file, or the folder of ours, that was read."""
    kind: Literal["meow", "tofu", "openunlearning"]
    """Who wrote it."""
    samples: tuple[EvalSample, ...]
    """All sets; what a source does not hold is None in them."""
    log: EvalLog | None = None
    """Of a folder of ours."""
    aggregates: dict[str, float] | None = None
    """OpenUnlearning's own numbers, by its names."""
    note: str | None = None
    """In what its numbers differ from those of meow, for whoever compares them."""


def find(path: Path, *, labels: Sequence[str] = ("after", "before", "reference")) -> Path | None:
    """The file or folder that `read` would read; None where there is no evaluation (a model's folder, say).

    Args:
        path: a file of TOFU or OpenUnlearning, the folder that holds it, a run folder, or its `eval/<label>`.
        labels: which evaluation of a run folder, by preference; where it has a single one, that.
    """
    if path.is_file():
        return path.parent if path.name in ("samples.jsonl", "log.json") else path
    if (path / "samples.jsonl").is_file():
        return path
    file = next((path / name for name in (TOFU_FILE, OPEN_UNLEARNING_FILE) if (path / name).is_file()), None)
    if file:
        return file
    held = {samples.parent.name: samples.parent for samples in sorted(path.glob("eval/*/samples.jsonl"))}
    if len(held) == 1:
        return next(iter(held.values()))
    return next((held[label] for label in labels if label in held), None)


def read(path: Path, *, labels: Sequence[str] = ("after", "before", "reference")) -> Evaluation:
    """Read an evaluation of TOFU, OpenUnlearning or meow.

    Args:
        path: as in `find`.
        labels: as in `find`.

    Raises:
        DataError: there is none, or it is malformed; names file, set and index.
    """
    found = find(path, labels=labels)
    if found is None:
        raise DataError(
            f"{path}: holds no evaluation; expected {TOFU_FILE}, {OPEN_UNLEARNING_FILE}, or a run folder "
            f"with one of {', '.join(f'eval/{label}' for label in labels)}"
        )
    if found.is_dir():
        return _ours(found)
    value = read_json(found, non_finite=True)
    name = found.resolve().parent.name
    if isinstance(value, dict) and set(TOFU_SETS.values()) & value.keys():
        note = PHI if '"Question: ' in json.dumps(value.get(TOFU_SETS["forget"])) else None
        return Evaluation(name, found, "tofu", tuple(_tofu_samples(found, value)), note=note)
    if isinstance(value, dict) and any(isinstance(v, dict) and "agg_value" in v for v in value.values()):
        numbers = {k: v.get("agg_value") for k, v in value.items() if isinstance(v, dict)}
        finite = {k: float(v) for k, v in numbers.items() if isinstance(v, int | float) and math.isfinite(v)}
        samples = tuple(_open_unlearning_samples(found, value))
        return Evaluation(name, found, "openunlearning", samples, aggregates=finite)
    raise DataError(
        f"{found}: no evaluation: found neither a key of TOFU's log ({TOFU_SETS['forget']}) nor a metric "
        "with agg_value, as OpenUnlearning writes; give one of these files, or a run folder"
    )


def tofu_log(samples: Iterable[EvalSample]) -> dict[str, dict[str, dict[str, Any]]]:
    """Samples in the form of TOFU's `eval_log_aggregated.json`; `read` gives them back.

    `Differs:` the prompt in `generated_text` is the question without the template's tags.

    Raises:
        DataError: a sample without likelihoods.
    """
    log: dict[str, dict[str, dict[str, Any]]] = {}
    for s in sorted(samples, key=lambda s: (s.role, s.index)):
        if s.role not in TOFU_SETS:
            continue
        if s.true is None:
            raise DataError(f"{named(s)}: holds no likelihood, which TOFU's form needs; evaluate the model itself")
        correct = s.paraphrased or s.true
        wrong, tokens = [w.avg_loss for w in s.perturbed], [w.n_tokens for w in s.perturbed]
        columns = {
            "avg_gt_loss": s.true.avg_loss,
            "num_token_gt": s.true.n_tokens,
            "avg_paraphrased_loss": correct.avg_loss,
            "num_token_paraphrased": correct.n_tokens,
            "average_perturb_loss": wrong or None,
            "num_token_perturb": None if None in tokens else tokens or None,
            "rougeL_recall": s.rougeL_recall,
            "generated_text": None if s.generation is None else [s.question, s.generation, s.answer],
        }
        of_set = log.setdefault(TOFU_SETS[s.role], {})
        for column, value in columns.items():
            if value is not None:
                of_set.setdefault(column, {})[str(s.index)] = value
    return log


def write_tofu_log(folder: Path, path: Path) -> None:
    """Write the last evaluation of a run folder (`after`, else `before`) in TOFU's form.

    Raises:
        DataError: no evaluation.
    """
    write_json(path, tofu_log(read(folder).samples))


def _ours(folder: Path) -> Evaluation:
    inside = folder.resolve()
    name = inside.parent.parent.name if inside.parent.name == "eval" else inside.name
    log = read_record(folder / "log.json", EvalLog) if (folder / "log.json").is_file() else None
    return Evaluation(name, folder, "meow", tuple(read_records(folder / "samples.jsonl", EvalSample)), log)


def _tofu_samples(path: Path, log: Mapping[str, Any]) -> Iterable[EvalSample]:
    for role, key in TOFU_SETS.items():
        columns = log.get(key)
        if columns is None:
            continue
        if not isinstance(columns, dict) or not isinstance(columns.get("avg_gt_loss"), dict):
            raise DataError(f"{path}: {key}: holds no avg_gt_loss by index; give a complete log of TOFU")
        tables = {name: _by_index(path, f"{key}: {name}", columns.get(name)) for name in TOFU_COLUMNS}
        for index in tables["avg_gt_loss"]:
            yield _sample(path, key, role, index, _tofu_fields, _row(tables, index))


def _by_index(path: Path, part: str, table: Any) -> dict[str, Any]:
    """One column of a log; none where it is not there."""
    if not isinstance(table, dict | None):
        raise DataError(f"{path}: {part}: found {shown(table)}, expected values by index; give a complete log")
    return table or {}


def _tofu_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    said = row.get("generated_text")
    if said is not None and not (isinstance(said, list) and len(said) == 3 and all(isinstance(t, str) for t in said)):
        raise ValueError(f"generated_text: found {shown(said, 40)}, expected prompt, generation and truth")
    prompt, generation, truth = said or ("", None, "")
    return {
        "question": _untagged(prompt),
        "answer": truth.strip(),
        "generation": generation,
        "rougeL_recall": row.get("rougeL_recall"),
        "true": _likelihood(row.get("avg_gt_loss"), row.get("num_token_gt")),
        "paraphrased": _likelihood(row.get("avg_paraphrased_loss"), row.get("num_token_paraphrased")),
        "perturbed": _likelihoods(row.get("average_perturb_loss"), row.get("num_token_perturb")),
    }


def _open_unlearning_samples(path: Path, metrics: Mapping[str, Any]) -> Iterable[EvalSample]:
    by_name = {name.lower(): m.get("value_by_index") for name, m in metrics.items() if isinstance(m, dict)}
    parts = ("q_a_prob", "q_a_para_prob", "q_a_pert_prob", "q_a_rouge", "truth_ratio")
    for role, prefix in OPEN_UNLEARNING_SETS.items():
        names = {part: f"{prefix}_{part}" for part in parts}
        tables = {part: _by_index(path, f"{name}: value_by_index", by_name.get(name)) for part, name in names.items()}
        for index in dict.fromkeys(index for table in tables.values() for index in table):
            yield _sample(path, prefix, role, index, _open_unlearning_fields, _row(tables, index))


def _open_unlearning_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    cells = {part: row.get(part) or {} for part in ("q_a_prob", "q_a_para_prob", "q_a_pert_prob", "truth_ratio")}
    text = row.get("q_a_rouge") or {}
    return {
        "question": _untagged(text.get("input") or ""),
        "answer": (text.get("ground_truth") or "").strip(),
        "generation": text.get("generation"),
        "rougeL_recall": text.get("rougeL_recall"),
        "true": _likelihood(cells["q_a_prob"].get("avg_loss")),
        "paraphrased": _likelihood(cells["q_a_para_prob"].get("avg_loss")),
        "perturbed": _likelihoods(cells["q_a_pert_prob"].get("avg_loss")),
        "log_truth_ratio": _log(cells["truth_ratio"].get("score")),
    }


def _row(tables: Mapping[str, Mapping[str, Any]], index: str) -> dict[str, Any]:
    """What each column holds at an index."""
    return {name: table.get(index) for name, table in tables.items()}


def _sample(
    path: Path,
    part: str,
    role: Role,
    index: str,
    fields: Callable[[Mapping[str, Any]], dict[str, Any]],
    row: Mapping[str, Any],
) -> EvalSample:
    where = f"{path}: {part}: index {shown(index, 20)[1:-1]}"
    try:
        if str(int(index)) != index:
            raise ValueError("expected a whole number from 0 on")
        values = fields(row)
        id_ = fact_id(role, values["question"], values["answer"]) if values["answer"] else f"{role}:{index}"
        key = f"published:{role}:{index}"
        return EvalSample(key=key, id=id_, index=int(index), role=role, set=role, **values)
    except ValidationError as e:
        raise DataError(f"{where}: {first_problem(e)}; give a complete log") from e
    except (ValueError, TypeError, AttributeError) as e:
        raise DataError(f"{where}: cannot be read ({str(e)[:120]}); give a complete log") from e


def _number(found: Any) -> float:
    """A number from 0 on, or NaN.

    Raises:
        ValueError: anything else.
    """
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        raise ValueError(f"found {shown(found, 40)}, expected a number from 0 on")
    return float(found)


def _likelihood(loss: Any, n_tokens: Any = None) -> dict[str, Any] | None:
    """None where the source holds none, or NaN; an infinite loss is LOSS_CEILING."""
    if loss is None or math.isnan(_number(loss)):
        return None
    return {"avg_loss": min(_number(loss), LOSS_CEILING), "n_tokens": n_tokens}


def _likelihoods(losses: Any, n_tokens: Any = None) -> list[dict[str, Any]]:
    """Of all wrong answers of an item; none at all where one of them is NaN."""
    losses = losses if isinstance(losses, list) else [] if losses is None else [losses]
    counts = n_tokens if isinstance(n_tokens, list) and len(n_tokens) == len(losses) else [None] * len(losses)
    if any(math.isnan(_number(loss)) for loss in losses):
        return []
    return [{"avg_loss": min(_number(x), LOSS_CEILING), "n_tokens": n} for x, n in zip(losses, counts, strict=True)]


def _log(ratio: Any) -> float | None:
    if ratio is None or math.isnan(_number(ratio)):
        return None
    return min(LOSS_CEILING, math.log(ratio)) if ratio > 0 else -LOSS_CEILING


def _untagged(prompt: str) -> str:
    """The question without the tags of a known template."""
    text = prompt.strip()
    for before, after in _TAGS:
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : -len(after)].strip()
    return text


STATED = {
    "extraction_strength": "extraction_strength",
    "exact_memorization": "exact_memorization",
    "mia_loss": "mia_loss",
    "mia_zlib": "mia_zlib",
    "mia_reference": "mia_reference",
    "mia_min_k": "mia_min_k",
    "mia_min_k_plus_plus": "mia_min_k_plus_plus",
    "mia_grad_norm": "mia_gradnorm",
    "privacy_leak": "privleak",
}
"""OpenUnlearning's name of what cannot be computed from the samples in its file."""


def stated(evaluation: Evaluation, values: Mapping[str, Value]) -> dict[str, Value]:
    """Numbers that an OpenUnlearning file states and its samples do not give."""
    found = {name: (evaluation.aggregates or {}).get(theirs) for name, theirs in STATED.items()}
    return {
        name: Value(value=number, unit=values[name].unit, reason="as the file states it")
        for name, number in found.items()
        if number is not None and values[name].value is None
    }
