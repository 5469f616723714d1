"""Where the numbers of a run come from: models, settings, stages with their cost, versions, commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from meow.labels import command_of, is_on_demand
from meow.results import Results


def provenance(view: Results) -> dict[str, Any]:
    """Models, stages, versions, settings and the commands that repeat a run."""
    stages = {name: entry for name, entry in view.stages.items() if name != "report"}
    last: dict[str, Any] = next((e for e in reversed(list(stages.values())) if "versions" in e), {})
    own = [entry for entry in stages.values() if "copied_from" not in entry]
    return {
        "name": view.name,
        "config": yaml.safe_dump(_near(view, view.settings), sort_keys=False, allow_unicode=True, width=110),
        "models": [{"label": label} | _near(view, log.model) for label, log in view.logs.items()],
        "stages": [_stage(name, entry) for name, entry in stages.items()],
        "seconds": f"{sum(entry.get('seconds', 0) for entry in own):,.0f}",
        "memory": f"{max((entry.get('peak_memory_mb', 0) for entry in own), default=0):,}",
        "tokens": any("reply_tokens" in entry for entry in stages.values()),
        "versions": last.get("versions", {}),
        "commit": last.get("commit"),
        "commands": _commands(view),
    }


def _near(view: Results, found: Any) -> Any:
    """Settings without what the paths in them say of this machine."""
    if isinstance(found, Mapping):
        return {key: _near(view, value) for key, value in found.items()}
    if isinstance(found, list):
        return [_near(view, value) for value in found]
    return view.near(found) if isinstance(found, str) else found


def _stage(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    cells = {k: entry.get(k, "") for k in ("rows", "seconds", "peak_memory_mb", "device", "key", "inputs")}
    source = f", taken from {entry['copied_from']}" if "copied_from" in entry else ""
    processes = f", {entry['world_size']} processes" if entry.get("world_size", 1) > 1 else ""
    state = ("finished" if "finished" in entry else "interrupted") + source + processes
    day = str(entry.get("finished", ""))[:16].replace("T", " ")
    return {"name": name, "state": state, "day": day, "tokens": _tokens(entry), **cells}


def _tokens(entry: dict[str, Any]) -> str:
    """What a model was sent and said while facts were inverted, and what it cost."""
    if "reply_tokens" not in entry:
        return ""
    cost = f", cost {entry['cost']:.4g}" if "cost" in entry else ""
    return f"{entry['prompt_tokens']:,} + {entry['reply_tokens']:,} in {entry['requests']:,} requests{cost}"


def _commands(view: Results) -> list[str]:
    """Everything again under another name, then what was measured on demand."""
    folder = view.from_here
    if "forget" in view.stages:
        found = [["meow", "run", folder, f"name={view.path.resolve().name}-again"]]
        folder = f"{folder}-again"
    else:
        found = [["meow", "eval", folder]]
    for stage in view.stages:
        command = ["meow", command_of(stage), folder]
        command += ["--label", stage.partition("/")[2]] if command[1] == "memo" else []
        if is_on_demand(stage) and command not in found:
            found.append(command)
    return [shlex.join(command) for command in found]
