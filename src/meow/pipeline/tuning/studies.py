"""A study: trials that any number of processes make together, by a journal in its folder or by a database.

Whose process has died, by a kill or with its machine, loses nothing: its trial is taken up by another process, or by
the same command later, in the same folder, where it goes on. In a journal a trial is dead when it is under way and
nobody holds the lock of its folder, which ends with its process; beginning a trial and looking for dead ones exclude
each other. In a database it is dead when its heartbeat stops, since other machines may not see the folder.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

from filelock import FileLock

from meow import keys
from meow.config import RunConfig, dump
from meow.config.marks import PLACE, UNSEEN, marked, placed
from meow.errors import ConfigError, RunError
from meow.files import write_text
from meow.formats import sources
from meow.pipeline.tuning.judging import Judged
from meow.pipeline.tuning.space import first_seed, grid, seeds_of_best, study_of, values_of
from meow.run import STUDY, Run
from meow.terminal import say

BEAT, GRACE = 30, 120
"""Seconds between two heartbeats of a trial in a database, and without one after which it counts as dead."""
Hold = Callable[[AbstractContextManager[None]], None]
"""Holds the folder of a trial until the storage has the trial's end."""
WAIT = 1.0
"""Seconds between two looks at what other processes do."""
JOURNAL = "journal.log"
"""The trials, in the study's folder."""
STATES = {"COMPLETE": "complete", "PRUNED": "given up", "RUNNING": "running", "WAITING": "waiting"}
"""What is said of a trial by Optuna's name; one that failed was taken up under another number, or was one too many."""
PACKAGE = "meow tune needs Optuna: pip install 'meow-unlearning[tune]'"


class Trial(NamedTuple):
    """A trial that is kept, whatever became of it."""

    number: int
    """Of its folder, `trial-<number>`."""
    state: str
    """`complete`, `given up`, `running`, `waiting`."""
    values: Mapping[str, Any]
    """Its settings, by dotted name; {}: not drawn yet."""
    judged: Judged | None
    """What it is worth; None: not known."""
    why: str
    """Why it was given up."""
    rank: float | None
    """What is minimised."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"trial-{self.number:03}"


def optuna() -> Any:
    """The package, quiet.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as e:
        raise ConfigError(PACKAGE) from e
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # what goes wrong in a trial is said by meow
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def begin(config: RunConfig) -> Any:
    """Open the study of a config, or begin it: its folder, its settings, its storage.

    Raises:
        RunError: it was begun with other settings or on other facts.
        ConfigError: no Optuna, or no database.
    """
    folder, asked = study_of(config), _asked(config)
    folder.path.mkdir(parents=True, exist_ok=True)
    study = opened(config)
    before = study.user_attrs.get("asked", asked)
    names = [name for name in dict.fromkeys([*before, *asked]) if before.get(name) != asked.get(name)]
    if names:
        raise RunError(
            f"{folder.path}: this study was begun with another {', '.join(names[:5])}; take another name, as in "
            f"name={config.name}-2"
        )
    study.set_user_attr("asked", asked)
    write_text(folder / STUDY, dump(placed(config)))
    return study


def opened(config: RunConfig) -> Any:
    """The study of a config, as it is.

    Raises:
        ConfigError: no Optuna, or no database.
    """
    package = optuna()
    return _reached(lambda: _study(package, config))


def _asked(config: RunConfig) -> dict[str, Any]:
    """What all processes of a study must agree on, as JSON; of files what they hold is meant."""
    unseen = marked(RunConfig, UNSEEN, PLACE) | {"name", "out", "group", "notify.each_stage", "seed"}
    settings = {name: value for name, value in keys.named(config).items() if name not in unseen}
    items = sources.eval_items(config.data, limit=config.eval.rows)
    own = {"tune.space": config.model_dump(mode="json")["tune"]["space"], "tune.keep": config.tune.keep}
    return settings | own | {"seed": first_seed(config), "set of facts": keys.digest(items)}


def _study(package: Any, config: RunConfig) -> Any:
    storage: Any
    name = str(config.name)
    if config.tune.storage is None:
        name = "study"  # the only one in its folder, whatever that is called by now
        journal = package.storages.journal
        file = str(study_of(config) / JOURNAL)
        lock = journal.JournalFileOpenLock(file) if sys.platform == "win32" else None
        storage = package.storages.JournalStorage(journal.JournalFileBackend(file, lock_obj=lock))
    else:
        storage = package.storages.RDBStorage(
            config.tune.storage.replace("postgresql://", "postgresql+psycopg2://", 1),  # the driver of the extra
            heartbeat_interval=BEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=package.storages.RetryHeartbeatStaleTrialCallback(),
        )
    return package.create_study(storage=storage, study_name=name, load_if_exists=True)


def _reached(open_: Callable[[], Any]) -> Any:
    """What a storage gives; asked twice, since two processes may make its tables at once.

    Raises:
        ConfigError: it cannot be reached; the driver's own line says why.
    """
    for last in (False, True):
        try:
            return open_()
        except ImportError as e:
            raise ConfigError(f"tune.storage: {e}; pip install 'meow-unlearning[tune]'") from e
        except Exception as e:  # drivers raise classes of their own; any other module's is none of theirs
            if not type(e).__module__.startswith(("sqlalchemy", "optuna")):
                raise
            if last:
                said = str(e.__cause__ or e).strip().splitlines()[0]
                raise ConfigError(f"tune.storage: cannot be reached ({said[:200]}); see that it runs") from e
            time.sleep(WAIT)
    raise AssertionError


def kept(study: Any, config: RunConfig) -> list[Trial]:
    """The trials of a study, by number; one that was taken up counts once, under its first number."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name not in STATES:
            continue
        mine, space = trial.user_attrs.get("judged"), config.tune.space
        values = values_of(trial.params, space) if set(trial.params) == set(space) else {}
        judged, why = Judged(*mine) if mine else None, trial.user_attrs.get("why", "")
        is_done = trial.state.name == "COMPLETE"
        rank = trial.value if is_done else None
        found.append(Trial(number(trial), STATES[trial.state.name], values, judged, why, rank))
    return sorted(found, key=lambda trial: trial.number)


def best(found: Sequence[Trial]) -> Trial | None:
    """The best trial; None: none is finished."""
    finished = [trial for trial in found if trial.rank is not None]
    return min(finished, key=lambda trial: (trial.rank or 0.0, trial.number), default=None)


def best_names(config: RunConfig, found: Sequence[Trial]) -> list[str]:
    """Names of the folders of the best trial's runs, one for each seed."""
    one = best(found)
    return [] if one is None else [f"best-{one.number:03}-s{seed}" for seed in seeds_of_best(config)]


def number(trial: Any) -> int:
    """The number of a trial's folder: that of the first trial with which it was begun."""
    return int(trial.system_attrs.get("failed_trial", trial.number))


def frozen(study: Any, trial: Any) -> Any:
    """What is kept of a trial that is under way."""
    return next(found for found in study.get_trials(deepcopy=False) if found.number == trial.number)


def work(study: Any, config: RunConfig, objective: Callable[[Any, Hold], float]) -> None:
    """Make trials until there are as many as are wanted, and no other process works on one any more.

    Args:
        study: as `begin` has given it.
        config: of the study.
        objective: makes a trial in a folder that it has held by what it is given, and returns what is minimised.
    """
    said = False
    while True:
        with _asking(study_of(config)) as free:
            if config.tune.storage is None:
                _take_up(study, config)
            trials = kept(study, config)
            waiting = sum(trial.state == "waiting" for trial in trials)
            if waiting or len(trials) < wanted(config):
                study.sampler = _sampler(config, len(trials))
                _one(study, objective, free)
                continue
        running = sum(trial.state == "running" for trial in trials)
        if not running:
            return
        if not said:
            say(f"tune: waiting for {running} that other processes work on")
        said = True
        time.sleep(WAIT)
        if config.tune.storage is not None:
            optuna().storages.fail_stale_trials(study)


def wanted(config: RunConfig) -> int:
    """How many trials there shall be."""
    if config.tune.sampler == "tpe":
        return config.tune.trials
    count = 1
    for values in grid(config.tune.space).values():
        count *= len(values)
    return min(config.tune.trials, count)


def _one(study: Any, objective: Callable[[Any, Hold], float], free: Callable[[], None]) -> None:
    """Make one trial; where it is stopped, by a key or by an error, it waits for whoever takes it up."""
    begun, held = list[Any](), ExitStack()

    def hold(folder: AbstractContextManager[None]) -> None:
        held.enter_context(folder)
        free()

    def noted(trial: Any) -> float:
        begun.append(trial)
        return objective(trial, hold)

    try:
        with held:  # until the storage has the trial's end: one that is under way and not held is dead
            study.optimize(noted, n_trials=1)
    except _TooManyError:
        return
    except BaseException:  # a key or an error: raised again, when the trial waits for the next one
        for trial in begun:
            found = frozen(study, trial)
            if found.state.name == "FAIL":
                _again(study, found)
        raise


class _TooManyError(Exception):
    """Two processes on different machines have each begun the last trial."""


def refuse_surplus(study: Any, config: RunConfig, trial: Any) -> None:
    """Raises:
    _TooManyError: by the order of their numbers, as many as are wanted come before a trial.
    """
    mine = number(frozen(study, trial))
    if sum(other.number < mine for other in kept(study, config)) >= wanted(config):
        raise _TooManyError


def _again(study: Any, trial: Any) -> None:
    """Have a trial that failed made again, with the same settings, in the same folder."""
    optuna().storages.RetryHeartbeatStaleTrialCallback()(study, trial)


def _take_up(study: Any, config: RunConfig) -> None:
    """Have the trials made again whose process has died: under way, and nobody holds their folder."""
    for trial in study.get_trials(deepcopy=False):
        is_held = trial.state.name == "RUNNING" and Run(study_of(config) / f"trial-{number(trial):03}").worker
        if is_held or frozen(study, trial).state.name != "RUNNING":  # it may have ended before it was let go
            continue
        say(f"tune: trial {number(trial)} was stopped; taken up again")
        study.tell(trial.number, state=optuna().trial.TrialState.FAIL)
        _again(study, trial)


@contextmanager
def _asking(folder: Run) -> Iterator[Callable[[], None]]:
    """Between looking for what is to be done and holding a trial's folder: one process of a machine at a time."""
    lock = FileLock(folder / ".asking")
    lock.acquire()
    try:
        yield lock.release
    finally:
        lock.release()


def _sampler(config: RunConfig, n: int) -> Any:
    """What draws the next trial; the same for the same trials before it, and another one for each process.

    Args:
        config: of the study.
        n: trials that there are.
    """
    samplers = optuna().samplers
    seed = keys.number(f"{first_seed(config)} {n}") % 2**32
    if config.tune.sampler == "grid":
        return samplers.GridSampler(grid(config.tune.space), seed=first_seed(config))
    return samplers.TPESampler(
        seed=seed, n_startup_trials=max(3, config.tune.trials // 3), multivariate=True, constant_liar=True
    )
