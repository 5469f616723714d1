"""Doing what the plan says: what `meow run`, `meow demo` and each stage command use.

A stage is a function from the records in a run folder to other records there. It is skipped when it is finished
with the same settings and inputs, and goes on where it stopped when it is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from meow import card, labels, lm, notify, plots, results
from meow.config import RunConfig
from meow.errors import ConfigError, OtherSettingsError
from meow.evaluation import compression, scoring
from meow.files import write_text
from meow.formats import sources
from meow.formats.documents.facts import are_made, asked
from meow.formats.inverted import read_inverted, write_published
from meow.pipeline import demo as embedded
from meow.pipeline import inputs, stages
from meow.pipeline.plan import FINETUNE, Stage, gone, load_config, memo_stage, plan, run_of, stage_named
from meow.processes import agreed
from meow.records import MemoRecord
from meow.report import report
from meow.run import Run, peak_memory_mb
from meow.terminal import detail, say

Do = Callable[[Run, RunConfig], None]
"""Does a stage: reads what it needs in the run folder or where the settings say, leaves records in the folder."""


def run(config: RunConfig, *, force: bool = False, until: str | None = None, notifies: bool = True) -> Run:
    """Run the stages in order, skipping what is finished.

    Args:
        config: of one seed.
        force: set aside and redo a stage that was made with other settings.
        until: name of the stage that is wanted: only what leads to it is run; default: everything.
        notifies: send messages to the addresses of `notify.urls` and the environment.
    """
    clock, folder = time.monotonic(), run_of(config)
    wanted = plan(config, until=until)
    to = agreed(lambda: notify.addresses(config.notify)) if notifies else []
    stages.check_inputs(config, [stage.name for stage in wanted])
    if not force and any(stage.name == "forget" for stage in wanted):
        stages.refuse_other_data(folder, config)
    with folder.locked(config):
        for stage in wanted:
            with notify.told(folder, stage.name, to, each=config.notify.each_stage):
                perform(folder, config, stage, FUNCTIONS[stage.name], force=force)
    notify.tell_finished(folder, to, time.monotonic() - clock, until=until)
    stages.release()
    return folder


def perform(folder: Run, config: RunConfig, stage: Stage, do: Do, *, force: bool = False) -> None:
    """Run one stage in a locked folder, then bring the model's card up to date where the stage has to do with it."""
    if config.threads:
        torch.set_num_threads(config.threads)
    clock, config = time.perf_counter(), asked(config, folder.path)
    try:
        do(folder, config)
        lost = agreed(lambda: gone(folder, stage))  # asked afterwards: other settings are refused first
        if lost:
            say(f"{stage.name}: {folder / lost[0]} is gone; made anew")
            folder.set_aside(stage.name, stage.writes)
            do(folder, config)
    except OtherSettingsError:
        if not force:
            raise
        folder.set_aside(stage.name, stage.writes)
        say(f"{stage.name}: made with other settings, set aside")
        do(folder, config)
    if "model" in stage.writes or "model/" in stage.reads:
        card.write(folder)
    detail(f"{stage.name}: {time.perf_counter() - clock:.1f} s, peak memory {peak_memory_mb()} MB so far")


def finetune(config: RunConfig, *, force: bool = False) -> Run:
    """Make an original or a reference model in a run folder of its own."""
    inputs.check_learned(config)
    folder = run_of(config)
    if not config.finetune.scratch and config.model.path:
        files = map(Path, config.finetune.data)
        stages.check_rows(config.model, [(path, sources.learned(path)) for path in files])
    with folder.locked(config):
        perform(folder, config, FINETUNE, stages.finetune, force=force)
    return folder


def evaluate(config: RunConfig, *, force: bool = False, rescore: bool = False) -> Run:
    """Evaluate reference, before and, where the run has trained one, after.

    Args:
        config: of the run.
        force: redo what was made with other settings.
        rescore: compute the metrics again from the samples that are there, without a model.
    """
    folder = run_of(config)
    if rescore:
        with folder.locked():
            for label in stages.published(config):
                perform(folder, config, stage_named(f"eval/{label}"), FUNCTIONS[f"eval/{label}"], force=True)
            there = Path(config.eval.reference or "").exists() and stages.reference_model(config)
            scored = scoring.rescore(folder, config, weights=stages.weights(there) if there else None)
            card.write(folder)
        say(f"{folder.path}: scored again: {', '.join(scored)}")
        return folder
    _check_model(config)
    files = stages.evaluated_files(config.data)
    stages.say_remarks([fact for _, facts in files for fact in facts], config.data)
    stages.check_rows(config.model, files)
    with folder.locked(config):
        if are_made(config):
            perform(folder, config, stage_named("facts"), FUNCTIONS["facts"], force=force)
            config = asked(config, folder.path)
        names = ["questions"] * bool(stages.lacking(config)) + [f"eval/{label}" for label in stages.references(config)]
        names += ["eval/before"] + ["eval/after"] * (folder / "model").is_dir()
        for name in names + ["judge"] * (config.eval.judge.url is not None):
            perform(folder, config, stage_named(name), FUNCTIONS[name], force=force)
    stages.release()
    return folder


def robustness(config: RunConfig, *, force: bool = False) -> Run:
    """Round or prune the weights of a finished run's model, and train it a little more, and see what it tells then."""
    folder, wanted = run_of(config), config.robustness
    compression.check(wanted.formats, config.model)
    stages.check_inputs(config, ["eval/after"])
    done: list[tuple[Stage, Do]] = [
        (Stage(f"eval/{name}", ("model/",), (f"eval/{name}",)), partial(stages.compressed, label=name))
        for name in wanted.formats
    ]
    without = stages.curves_left_out(config)
    for curve in labels.CURVES:
        if curve in without:
            say(f"robustness: no curve {without[curve]}")
            continue
        steps = [f"eval/{curve}-{step:03}" for step in (0, *wanted.steps)]
        writes = (*steps, f"eval/{curve}-[0-9]*")  # of other steps, too
        done.append((Stage(f"robustness/{curve}", ("model/",), writes), partial(stages.relearned, curve=curve)))
    with folder.locked(config):
        for stage, do in done:
            perform(folder, config, stage, do, force=force)
    stages.release()
    return folder


def capability(config: RunConfig, kind: str, *, force: bool = False) -> Run:
    """NLU or NLG of reference, before and, where the run has trained one, after.

    Args:
        config: of the run, or with nothing but a model.
        kind: `nlu` or `nlg`.
        force: redo what was made with other settings.
    """
    _check_model(config)
    folder = run_of(config)
    function = {"nlu": stages.nlu, "nlg": stages.nlg}[kind]
    with folder.locked(config):
        for label in ("reference", "before", "after"):
            there = {"reference": stages.reference_model(config) is not None, "after": (folder / "model").is_dir()}
            if there.get(label, True):
                writes = (f"capability/{label}/{kind}.json", f"capability/{label}/{kind}.jsonl")
                stage = Stage(f"{kind}/{label}", ("model",), writes)
                perform(folder, config, stage, partial(function, label=label), force=force)
    stages.release()
    return folder


def memo(
    config: RunConfig, save_path: Path | None = None, *, label: str = "before", plot: bool = False, force: bool = False
) -> tuple[Path | None, Mapping[str, Sequence[MemoRecord]]]:
    """Measure memorization, in a run folder, or stand-alone on a file of facts where no data is named.

    Args:
        config: stand-alone, `invert.path` names the facts (a file, or a folder of files).
        save_path: stand-alone, where to write: `.jsonl` our rows, `.json` or `.csv` the published form (our rows lie
            beside it, so that an interrupted measurement goes on). Default: `<out>/memo/<name of the facts>.jsonl`.
        label: in a run folder, the model: `before`, `after` or `reference`.
        plot: also draw an SVG beside the rows.
        force: in a run folder, redo what was made with other settings.

    Returns:
        The run folder, None for a file of facts; and rows by label, in a run folder all that were measured there, else
        under the model's name.
    """
    if save_path is None and config.data.names_facts:
        folder = run(config, force=force, until="memo")
        if label != "before":
            with folder.locked():
                perform(folder, config, memo_stage(label), partial(stages.memo, label=label), force=force)
        found = results.memo(folder.path)
        if plot:
            _draw(found, folder / "memo/memo.svg")
        return folder.path, found
    if label != "before":
        raise ConfigError(f"--label {label}: stands for a model of a run folder; here --model_name_or_path names it")
    inputs.check_measured(config)
    _check_model(config)
    source = Path(str(config.invert.path))
    target = save_path or Path(config.out) / "memo" / f"{source.stem}.jsonl"
    if target.suffix not in (".jsonl", ".json", ".csv"):
        raise ConfigError(f"{target}: unknown form; end the name in .jsonl (our rows), .json or .csv (published form)")
    facts = read_inverted(source)
    if config.memo.template == "model":
        stages.check_rows(config.model, stages.inverted_files(config.invert.path))
    rows = stages.measure(stages.measurer(config.model), facts, config.memo, target.with_suffix(".jsonl"))
    if target.suffix != ".jsonl":
        write_published(target, facts, rows)
    say(f"memorization: {target}")
    name = Path(str(config.model.path)).name
    if plot:
        _draw({name: rows}, target.with_suffix(".svg"))
    return None, {name: rows}


def _check_model(config: RunConfig) -> None:
    """Name a model that is missing before another one, the reference, is worked on for long."""
    inputs.check_model_named(config)
    if config.model.url is None:
        lm.check_model(config.model)


def _draw(models: Mapping[str, Sequence[MemoRecord]], target: Path) -> None:
    panels = plots.remembered(models)
    if panels:
        write_text(target, plots.standalone(plots.memorization(panels)))
        say(f"picture: {target}")


def demo(
    out: Path, *, seed: int = 0, from_scratch: bool = False, force: bool = False, overrides: Sequence[str] = ()
) -> list[Path]:
    """The whole method on the embedded benchmark: data, reference, original, two methods, one page.

    Args:
        out: folder of everything; a second call reuses what is finished.
        seed: of the invented facts and of everything drawn.
        from_scratch: train the original apart from the reference instead of from a shared first phase.
        force: redo what was made with other settings.
        overrides: `key=value` for the two forgetting runs.

    Returns:
        The folders of the two forgetting runs.
    """
    settings = embedded.settings(out, seed=seed, from_scratch=from_scratch)
    models = [load_config(None, settings.pop(name)) for name in ("reference", "original")]
    configs = [load_config(None, [*listed, *overrides]) for listed in settings.values()]
    embedded.write(out / "data", seed=seed)
    for config in models:
        finetune(config, force=force)
    folders = [run(config, force=force, notifies=False).path for config in configs]
    for kind in ("nlu", "nlg"):
        for config in configs:
            capability(config, kind, force=force)
    for folder in folders:
        report([folder], folder / "report.html")
    write_text(out / "origin.txt", embedded.ORIGIN[from_scratch] + "\n")
    report(folders, out / "report.html")
    return folders


FUNCTIONS: Mapping[str, Do] = {
    "facts": stages.make_facts,
    "invert": stages.invert,
    "memo": stages.memo,
    "questions": stages.write_questions,
    "eval/reference": partial(stages.evaluate, label="reference"),
    "eval/second": partial(stages.evaluate, label="second"),
    "eval/before": partial(stages.evaluate, label="before"),
    "select": stages.choose,
    "forget": stages.forget,
    "eval/after": partial(stages.evaluate, label="after"),
    "judge": stages.judge,
    "report": stages.page,
}
"""What does each stage of the plan."""
