"""An audit: whether a model that nobody changed here tells facts, asked in every way, and whether that is chance.

A checkpoint, an adapter, a file of llama.cpp, or a server, which is asked alone and scores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from meow import keys, results
from meow.config import RunConfig, read_tree
from meow.errors import ConfigError, DataError, named
from meow.evaluation.others import with_alternatives
from meow.formats import sources
from meow.formats.documents.facts import are_made, asked
from meow.metrics import asking, items
from meow.pipeline.plan import Stage, load_config, run_of, stage_named
from meow.records import EvalItem, EvalSample, Reply, Value
from meow.report import report
from meow.run import Run
from meow.run.rows import keeping
from meow.terminal import starting

if TYPE_CHECKING:  # torch takes seconds, and settings are checked without it
    from meow.lm import LM

STAGE = Stage("eval/before", ("data", "model"), ("eval/before",))
"""The one stage of an audit: the model is the original of a run that changes nothing."""
NAMES = {"value_probability": "p_value"}
"""Metrics that are called otherwise in what `--json` prints."""


def settings(facts: Path, overrides: list[str]) -> RunConfig:
    """Settings of an audit: a run of its own, named by model and facts; answers as long as the facts need.

    Args:
        facts: the file to be asked for.
        overrides: `key=value`; `model.path` must be among them.

    Raises:
        ConfigError: every problem, one a line.
    """
    given = dict(item.partition("=")[::2] for item in overrides)
    model = Path(given.get("model.path", ""))
    place = f"{model.parent.name}-{model.name}" if model.name == "model" else model.name  # of a run: the run's name
    name = re.sub(r"[^\w.-]+", "-", f"audit-{place}-{facts.stem}")
    config = load_config(None, [f"name={name}", "eval.max_new_tokens=auto", f"data.forget={facts}", *overrides])
    if not isinstance(config.seed, int):
        raise ConfigError(f"seed: found {list(config.seed)}, expected one number: an audit is one run")
    return config


def check(config: RunConfig) -> None:
    """Refuse a document where a server is asked, and a folder that holds the audit of something else. No torch.

    Raises:
        ConfigError: names the fact, or the folder and what it holds.
    """
    folder = run_of(config)
    if config.model.url is not None:
        bare = [fact for fact in sources.forget_set(config.data) if not fact.question]
        if bare:
            raise ConfigError(f"{named(bare[0])}: a document, which a server cannot be asked about; leave it out")
    if not (folder / "config.yaml").is_file():
        return
    old = read_tree(folder / "config.yaml")
    for setting, wanted in (("model.path", config.model.path), ("data.forget", config.data.forget)):
        section, _, name = setting.partition(".")
        was = (old.get(section) or {}).get(name)
        if Path(str(was)).resolve() != Path(str(wanted)).resolve() and folder.finished("eval/before"):
            raise ConfigError(f"{folder.path}: holds an audit with {setting}={was}; take another name, as in name=NAME")


def audit(config: RunConfig, *, force: bool = False) -> Run:
    """Ask a model for every fact in every way -> eval/before/ and report.html of a run folder.

    Args:
        config: of `settings`.
        force: redo what was made with other settings.

    Raises:
        DataError: a bad row, or a model that cannot be used.
    """
    folder = run_of(config)
    check(config)
    with starting():
        from meow import lm
        from meow.pipeline import stages
        from meow.pipeline.commands import FUNCTIONS, perform

    if config.model.url is None:
        lm.check_model(config.model)
    with folder.locked(config):
        if are_made(config):
            perform(folder, config, stage_named("facts"), FUNCTIONS["facts"], force=force)
        config = asked(config, folder.path)
        references = [f"eval/{label}" for label in stages.references(config)]
        for name in (*["questions"] * bool(stages.lacking(config)), *references):
            perform(folder, config, stage_named(name), FUNCTIONS[name], force=force)
        perform(folder, config, STAGE, _ask, force=force)
        if config.eval.judge.url is not None:
            perform(folder, config, stage_named("judge"), FUNCTIONS["judge"], force=force)
        report([folder.path], folder / "report.html")
    stages.release()
    return folder


def _ask(folder: Run, config: RunConfig) -> None:
    from meow.lm import RemoteLM
    from meow.pipeline import stages

    listed = stages.evaluated(folder, config, "before")
    beside = {"weights": stages.weights(config.model)} | stages.compared_with(config, "before")
    key = keys.of_stage("eval", config, beside | stages.SHORT_LOOK, listed)
    if folder.current("eval/before", *key):
        return
    with folder.stage("eval/before", *key) as entry:
        model = stages.measurer(config.model)
        if isinstance(model, RemoteLM):
            answers = folder / "eval/before/replies.jsonl"
            answers.parent.mkdir(parents=True, exist_ok=True)
            with keeping(answers, Reply) as (known, keep):
                model.remember(known, keep)  # an audit that was stopped asks nothing twice
                entry["rows"] = _write(folder, config, cast("LM", model), listed)
            answers.unlink()  # the samples say it all
        else:
            entry["rows"] = _write(folder, config, model, with_alternatives(model, listed))
        entry["device"] = str(model.device)


def _write(folder: Run, config: RunConfig, model: LM, put: Sequence[EvalItem]) -> int:
    from meow.pipeline import stages

    return stages.write_evaluation(folder, config, "before", model, put, None, origin=str(config.model.path))


def as_object(folder: Path) -> dict[str, Any]:
    """What `--json` prints: metrics, ways of asking and facts.

    Raises:
        DataError: nothing was asked.
    """
    log = results.logs(folder).get("before")
    if log is None:
        raise DataError(f"{folder}: no audit yet")
    facts = items.of(results.samples(folder, "before"), "forget")
    return {
        "model": log.model,
        "metrics": {NAMES.get(name, name): _numbers(value) for name, value in log.metrics.items()},
        "forms": {name: {k: _numbers(v) for k, v in vars(rates).items()} for name, rates in log.forms.items()},
        "subjects": {name: {"told": sum(told), "n": len(told)} for name, told in asking.by_subject(facts).items()},
        "facts": [_fact(sample) for sample in facts],
    }


def _numbers(value: Value) -> dict[str, Any]:
    found = {name: getattr(value, name) for name in ("value", "n", "low", "high")}
    return found | ({"reason": value.reason} if value.reason else {})


def _fact(sample: EvalSample) -> dict[str, Any]:
    said = items.said(sample)
    return {
        "id": sample.id,
        "question": sample.question,
        "subject": sample.subject,
        "value": list(sample.accepted),
        "told": items.told(sample),
        "worst_case": items.worst(sample),
        "told_by": list(dict.fromkeys(a.form for a in items.telling(sample))),
        "p_value": items.value_probability(sample),
        "rank": items.value_rank(sample),
        "among": 1 + len(sample.alternative_logps),
        "not_asked": list(sample.not_asked),
        "said": [{"form": a.form, "asked": a.prompt, "said": a.text, "told": a.told} for a in said],
    }
