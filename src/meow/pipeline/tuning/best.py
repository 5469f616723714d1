"""All of `meow tune`: the trials, then the best one made whole with several seeds, judged by the other half."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from meow.config import RunConfig
from meow.errors import BusyError, ConfigError, NotFiniteError, RunError
from meow.pipeline import commands, inputs, stages
from meow.pipeline.plan import plan, run_of
from meow.pipeline.tuning import judging, showing, studies, trials
from meow.pipeline.tuning.space import check, first_seed, made, seeds_of_best, study_of, suggested
from meow.pipeline.tuning.studies import Hold, Trial
from meow.processes import world_size
from meow.report import report
from meow.terminal import say


def ready(config: RunConfig) -> list[RunConfig]:
    """Settings of trials with every value that may be tried, when all that they read is in order.

    Raises:
        ConfigError: a name or a value that there is not, or what is not set.
        DataError: a file, by its line.
    """
    if world_size() > 1:
        raise ConfigError("meow tune: a trial is made by one process; start the same command several times instead")
    found = check(config)
    for one in found:
        inputs.check(one, [stage.name for stage in plan(one)])
    return found


def tune(config: RunConfig) -> tuple[list[Trial], list[Path]]:
    """Make the trials of a study, together with whoever else works on it, and the best one's runs.

    Args:
        config: with a `tune.space`.

    Returns:
        The trials, and the folders of the best one's runs.

    Raises:
        RunError: no trial could be finished, or the study was begun with other settings.
    """
    variants = ready(config)
    stages.check_inputs(variants[0], [stage.name for stage in plan(variants[0])])
    study = studies.begin(config)
    studies.work(study, config, lambda trial, hold: _value(study, config, trial, hold))
    found = studies.kept(study, config)
    showing.draw(study_of(config), found, config.tune.keep)
    return found, _whole(config, best_of(found, config.tune.keep))


def _value(study: Any, config: RunConfig, trial: Any, hold: Hold) -> float:
    """What is minimised, of one trial; its numbers are kept with it."""
    studies.refuse_surplus(study, config, trial)
    n, keep, package = studies.number(studies.frozen(study, trial)), config.tune.keep, studies.optuna()
    values = suggested(trial, config.tune.space)
    known = [t for t in studies.kept(study, config) if t.values == values and t.judged and t.number != n]
    try:
        one = made(config, f"trial-{n:03}", values, first_seed(config))
        say(f"trial {n}: {showing.settings(values)}")
        found = known[0].judged if known else trials.judged(one, keep, hold=hold)
    except (trials.HopelessError, NotFiniteError, ConfigError) as e:
        if isinstance(e, trials.HopelessError):
            trial.report(judging.LOST + keep - e.kept, step=1)
        why = "the loss is not finite" if isinstance(e, NotFiniteError) else str(e)
        trial.set_user_attr("why", why)
        say(f"trial {n}: given up: {why}")
        raise package.TrialPruned(why) from None
    assert found is not None
    trial.set_user_attr("judged", list(found))
    trial.set_user_attr("why", f"as trial {known[0].number}" if known else "")
    say(f"trial {n}: told {found.told:.3f}, distance {found.distance:.3f}, kept {found.kept:.3f}")
    trials.clear(one)
    return found.rank(keep)


def best_of(found: Sequence[Trial], keep: float) -> Trial:
    """The trial that is made whole.

    Raises:
        RunError: none was finished.
    """
    best = studies.best(found)
    if best is None:
        raise RunError(
            f"meow tune: none of {len(found)} trials was finished; each lost what must stay: try lower rates "
            "(tune.space) or another method"
        )
    if best.judged and best.judged.kept < keep:
        say(
            f"warning: no trial keeps {keep:g} of the utility; trial {best.number}, which keeps most "
            f"({best.judged.kept:.3f}), is taken"
        )
    return best


def _whole(config: RunConfig, best: Trial) -> list[Path]:
    """Every seed's run of the best trial; those that another process makes are waited for."""
    names = zip(studies.best_names(config, [best]), seeds_of_best(config), strict=True)
    wanted = [made(config, name, best.values, seed) for name, seed in names]
    todo = [one.model_copy(update={"group": f"best-{best.number:03}"}) for one in wanted]
    folders = [run_of(one).path for one in todo]
    while todo:
        free = [one for one in todo if run_of(one).worker is None]
        if not free:
            time.sleep(studies.WAIT)
            continue
        with suppress(BusyError):  # another process began it a moment ago
            commands.run(free[0])
            todo.remove(free[0])
    page = study_of(config) / "report.html"
    report(folders, page)
    return folders
