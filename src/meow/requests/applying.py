"""Applying requests: each is a run whose original is what the ledger's model is by then; and withdrawing one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.files import Row, link, rows, write_rows
from meow.modelfiles import Base
from meow.pipeline.plan import load_config
from meow.requests import exact
from meow.requests import ledger as ledgers
from meow.requests.ledger import CURRENT, SETTINGS, Applied, Ledger, facts, held, now, place, settings
from meow.run import Run
from meow.terminal import say


def apply(folder: Path, which: str | None = None) -> list[str]:
    """Train every request that is open or failed, or one, in order; then the current model holds them all. In exact
    mode a failed one is left: its facts are out, and what is told comes from elsewhere.

    What was stopped goes on where it stopped: a request is a run folder, and it counts as applied when it is finished.

    Args:
        folder: of the ledger.
        which: id or name; None: all that are open or failed.

    Returns:
        The ids that were applied.

    Raises:
        ConfigError: the request is applied already, or revoked.
    """
    with held(folder) as ledger:
        again = () if exact.is_exact(folder) else ("failed",)
        wanted = [r for r in ledger.requests if r.state in ("open", *again)]
        if which is not None:
            request = ledger.request(which)
            if request not in wanted:
                only = "open or failed" if again else "open"
                more = "" if again else ": its shards would be trained to the same weights"
                raise ConfigError(f"request {request.id} is {request.state}; only an {only} one can be applied{more}")
            wanted = [request]
        for request in wanted:
            ledger = _train(folder, ledger, request.id)
        settle(folder, ledger)
    return [request.id for request in wanted]


def revoke(folder: Path, which: str, *, retrain: bool) -> list[str]:
    """Withdraw a request: the current model is made without it.

    Args:
        folder: of the ledger.
        which: id or name.
        retrain: train what was applied after it again; else the later adapters are kept as they are. In exact mode its
            shards are trained with its facts again, and nothing else changes.

    Returns:
        The later requests, which are applied again, or were kept and want to be verified.

    Raises:
        ConfigError: all weights were trained on top of it, so that nothing can be kept.
    """
    with held(folder) as ledger:
        request = ledger.request(which)
        if request.state == "revoked":
            settle(folder, ledger)  # it may have been killed before
            raise ConfigError(f"request {request.id} is revoked already; what is open: meow request apply {folder}")
        retrain = retrain and not exact.is_exact(folder)  # there nothing stands on anything
        first = next((i for i, a in enumerate(ledger.applied) if a.id == request.id), len(ledger.applied))
        on_top = [] if exact.is_exact(folder) else ledger.applied[first:]
        later = list(dict.fromkeys(a.id for a in on_top if a.id != request.id))
        if later and not retrain and not settings(folder).train.lora_rank:
            raise ConfigError(
                f"request {request.id}: all weights were trained for {', '.join(later)} on top of it; add --retrain"
            )
        ledger = ledger.changed(request.id, {"state": "revoked", "revoked": now()})
        for id_ in later:
            state = "open" if retrain else "applied"
            ledger = ledger.changed(id_, {"state": state, "verified": None})
        kept = ledger.applied[:first] if retrain else tuple(a for a in ledger.applied if a.id != request.id)
        ledger = ledger.model_copy(update={"applied": kept})
        ledgers.write(folder, ledger)
        for id_ in later if retrain else ():
            ledger = _train(folder, ledger, id_)
        settle(folder, ledger)
    return later


def _train(folder: Path, ledger: Ledger, id_: str) -> Ledger:
    """Train one request on top of what is applied."""
    if exact.is_exact(folder):
        return _retrain(folder, ledger, id_)
    from meow.pipeline import commands

    base, own = settings(folder), place(folder, id_)
    name = f"run-{ledger.request(id_).runs + 1}"
    original = _original(folder, ledger, base, own / "original")
    changed = [f"name={name}", f"out={own}", f"data.forget={own / 'facts.jsonl'}", "train.lora_merge=false"]
    changed += [f"model.path={original.path}", f"model.revision={original.revision or 'null'}"]
    kept = retained(folder, ledger, [id_])
    if kept:
        write_rows(own / "kept.jsonl", kept)
    changed += [f"data.retain={own / 'kept.jsonl' if kept else 'null'}"]
    say(f"request {id_}: on top of {', '.join(a.id for a in ledger.applied) or 'the base'}")
    commands.run(load_config(folder / SETTINGS, changed), force=True)  # half of it may stand on what is revoked by now
    done = {"state": "applied", "applied": now(), "runs": ledger.request(id_).runs + 1}
    applied = (*ledger.applied, Applied(id=id_, run=name))
    ledger = ledger.model_copy(update={"applied": applied}).changed(id_, done)
    ledgers.write(folder, ledger)
    shutil.rmtree(own / "original", ignore_errors=True)
    return ledger


def _retrain(folder: Path, ledger: Ledger, id_: str) -> Ledger:
    """Train the shards that were given a request's facts without them."""
    say(f"request {id_}: its facts were given to shard {', '.join(map(str, exact.touched(folder, id_)))}")
    applied = (*ledger.applied, Applied(id=id_, run=None))
    ledger = ledger.model_copy(update={"applied": applied})
    exact.settle(folder, ledger)
    done = {"state": "applied", "applied": now(), "runs": ledger.request(id_).runs + 1}
    ledger = ledger.changed(id_, done)
    ledgers.write(folder, ledger)
    return ledger


def runs(folder: Path, ledger: Ledger, id_: str) -> list[Run]:
    """The run folders in which a request was trained; in exact mode those of its shards."""
    if exact.is_exact(folder):
        return exact.trained(folder, ledger, id_)
    return [Run(place(folder, a.id) / a.run) for a in ledger.applied if a.id == id_ and a.run]


def _original(folder: Path, ledger: Ledger, base: RunConfig, below: Path) -> ModelSettings:
    """The model that a request is trained on: the base, or it with all that is applied."""
    trained = trained_folders(folder, ledger)
    if not trained:
        return base.model
    if base.train.lora_rank:
        from meow.requests.adapters import summed

        shutil.rmtree(below, ignore_errors=True)  # the same files as before, where a run goes on
        summed(trained, Base(str(base.model.path), base.model.revision), below)
        return base.model.model_copy(update={"path": str(below), "revision": None})
    return base.model.model_copy(update={"path": str(trained[-1]), "revision": None})


def trained_folders(folder: Path, ledger: Ledger) -> list[Path]:
    """The models or adapters of what is applied, in order.

    Raises:
        DataError: one of them is gone.
    """
    found = [(place(folder, a.id) / str(a.run) / "model").absolute() for a in ledger.applied]
    gone = next((path for path in found if not path.is_dir()), None)
    if gone:
        raise DataError(f"{gone}: is gone, and the ledger's model stands on it; get it back, or revoke its request")
    return found


def settle(folder: Path, ledger: Ledger) -> None:
    """Make `current/model` what is applied: the sum of adapters, the last model's files, or all shards."""
    if exact.is_exact(folder):
        exact.settle(folder, ledger)
        return
    base, target = settings(folder), folder / CURRENT / "model"
    aside = folder / CURRENT / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    trained = trained_folders(folder, ledger)
    if trained and base.train.lora_rank:
        from meow.requests.adapters import summed

        summed(trained, Base(str(base.model.path), base.model.revision), aside)
    elif trained:
        aside.mkdir(parents=True)
        for file in sorted(trained[-1].iterdir()):
            if file.name != "README.md":
                link(file, aside / file.name)
    shutil.rmtree(target, ignore_errors=True)
    if trained:
        aside.rename(target)


def retained(folder: Path, ledger: Ledger, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows to keep beside some requests, without those that any request asks to forget."""
    own = settings(folder).data.retain
    brought = [place(folder, id_) / "retain.jsonl" for id_ in ids]
    files = [file for file in brought if file.is_file()]
    if own is not None and len(files) < len(brought):
        files.append(Path(own))
    gone = {_said(row) for r in ledger.requests if r.state != "revoked" for row in facts(folder, r.id)}
    found = {_said(row): row.values for file in dict.fromkeys(files) for row in rows(file)}
    return [values for said, values in found.items() if said not in gone]


def _said(row: Row) -> str:
    return str([row.values.get(name) for name in ("question", "messages", "answer")])
