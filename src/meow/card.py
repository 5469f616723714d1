"""The model card, `model/README.md`: how the model was made, what was measured, and what that does not show.

It is in the hub's form and holds no question, answer or subject, and no path of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from meow import labels, metrics, outcome, statistics
from meow.config import RunConfig, load
from meow.downloads import on_hub
from meow.files import write_text
from meow.formats.layouts import shown_split
from meow.formats.layouts.own import TOFU
from meow.records import EvalLog
from meow.results import logs
from meow.run import Run
from meow.tables import Cell, Row, Table, cell, markdown

SHOWN = (
    "worst_case",
    "facts_told",
    "facts_told_paraphrase",
    "retain_told",
    "authors_told",
    "world_told",
    "fluent",
    "fluent_retain",
    "forget_quality",
    "ks_d",
    "forget_quality_floor",
    "forget_distance",
    "forget_distance_relative",
    "median_truth_ratio",
    "model_utility_gm",
)
"""Metrics of the card, in order."""
_LABELS = {"forget_quality_floor": "floor of forget quality"}
_TAUGHT = {
    "selected": "selected inverted (false) answers",
    "all": "all inverted (false) answers",
    "idk": '"I don\'t know", in one of many ways',
    "reversed": "the true words in reverse",
    "file": "answers from a file",
    "none": "nothing",
}
Logs = Mapping[str, EvalLog]


def write(folder: Run) -> None:
    """Write `model/README.md` where forgetting is finished."""
    if folder.finished("forget") and (folder / "model").is_dir():
        write_text(folder / "model/README.md", card(folder))


def card(folder: Run) -> str:
    """The card of a run that has a model, as Markdown with a head in YAML.

    What was trained comes from the manifest, so later settings in config.yaml do not change it.
    """
    from huggingface_hub import ModelCard

    config, found, entry = load(folder / "config.yaml"), logs(folder.path), folder.stages["forget"]
    parts = [
        f"---\n{_head(config, found, entry['settings'])}\n---\n",
        f"# {escape(str(config.name))}\n\nMade by machine unlearning with `meow`: {_base(config)} was trained to "
        f"forget {_data(config)}.\n",
        "## How it was made\n\n" + markdown(Table(("", ""), _making(config, folder.stages))),
        f"## Results\n\n{_outcome(found, folder.stages)}{_results(found)}",
        "## What the numbers do not show\n\n" + "".join(f"- {text}\n" for text in _limits(found, folder.stages)),
        "## Versions\n\n" + ", ".join(f"{k} {v}" for k, v in entry["versions"].items()) + "\n",
    ]
    return str(ModelCard("\n".join(parts)))


def _name(path: str) -> str:
    """A hub id, or the last telling part of a path."""
    if on_hub(path):
        return path
    folder = Path(path).resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def _base(config: RunConfig) -> str:
    path = str(config.model.path)
    return f"[{path}](https://huggingface.co/{path})" if on_hub(path) else f"`{escape(_name(path))}`, a local model,"


def _source(config: RunConfig) -> str | None:
    """The hub id of what was forgotten; None: it is a file or a folder of its maker's, whatever that is called."""
    source = None if config.data.forget or not config.data.names_facts else config.data.source or TOFU
    return source if on_hub(source) else None


def _data(config: RunConfig) -> str:
    source, split = _source(config), shown_split(config.data)
    whole = f"the split `{split}` of " if split else ""
    return f"{whole}{escape(source or 'a local copy')}" if source or split else "data of its maker's own"


def _head(config: RunConfig, found: Logs, settings: Mapping[str, Any]) -> str:
    """The YAML. A local base model is no hub id and stands in the text alone."""
    from huggingface_hub import EvalResult, ModelCardData

    source = _source(config)
    measured = found["after"].metrics if "after" in found else {}
    results = [
        EvalResult(
            task_type="text-generation",
            task_name="machine unlearning",
            dataset_type=source or "custom",
            dataset_name=source or _data(config),
            dataset_split=shown_split(config.data),
            metric_type=name,
            metric_name=_label(name),
            metric_value=measured[name].value,
        )
        for name in SHOWN
        if name in measured and measured[name].value is not None
    ]
    adapter = bool(settings.get("train.lora_rank")) and not settings.get("train.lora_merge", True)
    data = ModelCardData(
        base_model=str(config.model.path) if on_hub(config.model.path) else None,
        library_name="peft" if adapter else "transformers",
        pipeline_tag="text-generation",
        datasets=[source] if source else None,
        tags=["machine-unlearning", "meow", *filter(None, [settings.get("train.method")])],
        model_name=str(config.name),
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _making(config: RunConfig, stages: Mapping[str, dict[str, Any]]) -> list[Row]:
    from meow.losses import METHODS

    entry = stages["forget"]
    settings = entry["settings"]
    asked = {key.removeprefix("train."): value for key, value in settings.items() if key.startswith("train.")}
    get = (asked | {key: entry[key] for key in ("lr", "epochs", "batch_size") if key in entry}).get  # auto, as numbers
    method, targets = get("method"), get("targets")
    terms = " + ".join(f"{weight:g} `{term}`" for term, weight in (get("objective") or {}).items())
    source = f"`{method}` ({METHODS[method].source})" if method in METHODS else "an objective of its own"
    chosen = stages.get("select", {}).get("settings", {})
    rule = f" (rule `{chosen['select.rule']}`, k = {chosen['select.k']})" if "select.rule" in chosen else ""
    rows = (get("batch_size") or 1) * (get("accumulate") or 1) * entry["world_size"]
    rank = get("lora_rank")
    adapter = f"rank {rank}, {'merged' if get('lora_merge') else 'not merged: the files are the adapter alone'}"
    made = [
        ("base model", f"{escape(_name(str(config.model.path)))} (weights `{settings['weights']}`)"),
        ("method", source),
        ("taught", _TAUGHT.get(str(targets), str(targets)) + (rule if targets == "selected" else "")),
        ("objective", terms),
        (
            "training",
            f"AdamW, learning rate {get('lr'):g}, {get('schedule')} after warm-up, {get('epochs'):g} epochs, "
            f"at most {rows} rows a step, weight decay {get('weight_decay'):g}",
        ),
        ("LoRA", adapter if rank else "none: all weights are trained"),
        ("seed", str(settings["seed"])),
    ]
    return [Row(name, [Cell(text)]) for name, text in made]


def _outcome(found: Logs, stages: Mapping[str, dict[str, Any]]) -> str:
    """What the run came to; nothing before it is evaluated."""
    came = outcome.of(found, stages)
    return f"**{came.sentence}**\n\n{came.line}\n\n" if came.tiles else ""


def _results(found: Logs) -> str:
    """The table of metrics; what is not there says so."""
    if "after" not in found:
        return "Not evaluated yet.\n"
    shown = {label: found[label] for label in labels.MODELS if label in found}
    rows, missing = [], []
    for name in SHOWN:
        after = cell(name, found["after"].metrics.get(name))
        cells = [_cell(cell(name, log.metrics.get(name)), label) for label, log in shown.items()]
        n = found["after"].metrics[name].n if name in found["after"].metrics else 0
        rows.append(Row(_label(name), [*cells, Cell(after.ends), Cell(str(n or ""))]))
        if not after.text:
            missing.append(f"- {_label(name)}: {after.why}\n")
    text = markdown(Table(["", *shown, "95% interval (after)", "n"], rows))
    note = "\nForget quality is the p-value of a two-sample KS test against a model that never saw the forget set.\n"
    return text + note + ("\nNot computable after forgetting:\n\n" + "".join(missing) if missing else "")


def _cell(found: Cell, label: str) -> Cell:
    return found if found.text else Cell("not computable" if label == "after" else "–")


def _label(name: str) -> str:
    return _LABELS.get(name, metrics.METRICS[name].label)


def _limits(found: Logs, stages: Mapping[str, dict[str, Any]]) -> list[str]:
    texts = []
    if stages["forget"]["settings"].get("train.targets") in ("selected", "all", "file"):
        texts.append("The model was taught answers that are not true: what it says about what it forgot is invented.")
    untaught = len(stages.get("select", {}).get("untaught") or [])
    if untaught:
        texts.append(f"{untaught} questions had no inverted answer and were not taught.")
    after = found.get("after")
    if after is None:
        return [*texts, "Nothing was measured yet, neither what is left nor what was damaged."]
    quality = after.metrics.get("forget_quality")
    if quality is not None and quality.value is not None:
        texts.append(
            f"A p-value is neither an effect nor a probability of success: with n = {quality.n} only D of "
            f"{statistics.smallest_significant_d(quality.n):.3f} and more is significant (p < .05)."
        )
        texts += [f"Forget quality: {quality.reason}."] if quality.reason else []
    texts.append(
        "Facts told looks for the value in greedy answers; a way of asking that was not tried, or drawing, may bring "
        "out more."
    )
    if after.rows.get("retain"):
        texts.append("The evaluated retain questions may have been trained on; utility then says little.")
    chosen = {v.selected_on for v in after.metrics.values() if v.selected_on}
    texts += [f"Chosen with some of the questions: {what}. The table is of the others." for what in sorted(chosen)]
    if not chosen:
        texts.append(
            "No training step was chosen by these numbers. Settings tuned on these questions are not known here."
        )
    return [*texts, _robustness(found)]


def _robustness(found: Logs) -> str:
    """What relearning and quantized weights brought back."""
    tried = {
        label: log.metrics["facts_told"]
        for label, log in sorted(found.items())
        if (labels.curve_of(label) or labels.is_compressed(label)) and "facts_told" in log.metrics
    }
    if not tried:
        return "Whether a little more training, or quantized weights, bring the facts back was not tested."
    shown = ", ".join(f"{metrics.show(value) or 'not computable'} ({label})" for label, value in tried.items())
    return f"Facts told with quantized or pruned weights, or after further training for that many steps: {shown}."
