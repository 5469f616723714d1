"""Asking the current model for everything that is applied, again; and what later requests did to earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from meow.capability import changes
from meow.config import RunConfig
from meow.errors import ConfigError
from meow.files import write_rows, write_text
from meow.metrics import items
from meow.pipeline.plan import load_config
from meow.records import EvalSample, InvertedFacts, Target, read_if
from meow.records.rows import dump_line
from meow.report import report
from meow.requests import ledger as ledgers
from meow.requests.applying import retained, runs, settle
from meow.requests.ledger import CURRENT, SETTINGS, Ability, Kept, Ledger, Told, Verification, facts, held, now
from meow.results import logs, samples
from meow.tables import Cell, Row, Table


def verify(folder: Path) -> Verification:
    """Ask base and current model for every fact that is applied, in every form, and for what must stay; and measure
    NLU and NLG where the settings of the ledger name tasks or texts.

    A request of which the current model tells a fact in any way, where the base told it too, has failed: it is opened
    again. What the base was asked before is not asked again.

    Raises:
        ConfigError: nothing is applied.
    """
    from meow.pipeline import commands

    with held(folder) as ledger:
        ids = list(dict.fromkeys(a.id for a in ledger.applied))
        if not ids:
            raise ConfigError(f"{folder}: nothing is applied yet; meow request apply {folder}")
        settle(folder, ledger)
        config = _gathered(folder, ledger, ids)
        commands.evaluate(config, force=True)
        for kind in ledger.abilities:
            commands.capability(config, kind, force=True)
        current = folder / CURRENT
        report([current], current / "report.html")
        found = _counted(folder, ledger, ids)
        for id_, told in found.told.items():
            state = "failed" if told.back else "verified"
            ledger = ledger.changed(id_, {"state": state, "verified": found.at})
        ledgers.write(folder, ledger.model_copy(update={"verifications": (*ledger.verifications, found)}))
    return found


def _gathered(folder: Path, ledger: Ledger, ids: list[str]) -> RunConfig:
    """What is asked, as files of the run folder `current`; a fact that two requests have is asked once."""
    current = folder / CURRENT
    rows = {row.values["id"]: row.values for id_ in ids for row in facts(folder, id_)}
    write_rows(current / "facts.jsonl", list(rows.values()))
    kept = retained(folder, ledger, ids)
    if kept:
        write_rows(current / "kept.jsonl", kept)
    trained = [run for id_ in ids for run in runs(folder, ledger, id_)]
    inverted = {row.id: row for run in trained for row in read_if(run / "inverted.jsonl", InvertedFacts)}
    write_text(current / "inverted.jsonl", "".join(map(dump_line, inverted.values())))
    taught = [row for run in trained for row in read_if(run / "targets.jsonl", Target)]
    write_text(current / "targets.jsonl", "".join(map(dump_line, taught)))
    place_of_kept = current / "kept.jsonl" if kept else "null"
    changed = [f"name={CURRENT}", f"out={folder}", f"data.forget={current / 'facts.jsonl'}"]
    return load_config(folder / SETTINGS, [*changed, f"data.retain={place_of_kept}", "train.evaluate_every=null"])


def _counted(folder: Path, ledger: Ledger, ids: list[str]) -> Verification:
    current = folder / CURRENT
    before, after = ({s.id: s for s in samples(current, label)} for label in ("before", "after"))
    told = {id_: _told([row.values["id"] for row in facts(folder, id_)], before, after) for id_ in ids}
    known = [s for s in before.values() if s.role == "retain" and items.told(s)]
    measured = changes.read(current) if ledger.abilities else []
    return Verification(
        at=now(),
        applied=ledger.applied,
        weights=str(logs(current)["after"].model.get("hash")),
        told=told,
        neighbours=_kept([s for s in known if s.kind == "neighbour"], after),
        others=_kept([s for s in known if s.kind != "neighbour"], after),
        ability={m.name: Ability(before=_value(m, "before"), after=_value(m, "after"), n=m.n) for m in measured},
    )


def _value(measured: changes.Changed, label: str) -> float | None:
    return measured.values[label].value if label in measured.values else None


def _kept(known: Sequence[EvalSample], after: Mapping[str, EvalSample]) -> Kept:
    return Kept(kept=sum(bool(items.told(after[s.id])) for s in known if s.id in after), known=len(known))


def _told(ids: list[str], before: Mapping[str, EvalSample], after: Mapping[str, EvalSample]) -> Told:
    valued = [id_ for id_ in ids if id_ in after and items.worst(after[id_]) is not None]
    worst = [id_ for id_ in valued if items.worst(after[id_])]
    return Told(
        told=sum(bool(items.told(after[id_])) for id_ in valued),
        worst=len(worst),
        back=sum(bool(items.worst(before[id_])) for id_ in worst),
        n=len(valued),
    )


def table(ledger: Ledger) -> Table:
    """Requests x verifications: facts told in the worst case and, behind it, directly, of all of a request; what was
    kept; general ability, before and after."""
    made = ledger.verifications
    head = ["request", *(f"after {v.applied[-1].id}" for v in made)]
    rows = []
    for request in ledger.requests:
        cells = [v.told.get(request.id) for v in made]
        if any(cells):
            rows.append(Row(request.id, [Cell(f"{t.worst} ({t.told}) of {t.n}" if t else "–") for t in cells]))
    for name, kept in (("neighbours", [v.neighbours for v in made]), ("others", [v.others for v in made])):
        rows.append(Row(name, [Cell(f"{k.kept} of {k.known}" if k.known else "–") for k in kept]))
    for name in dict.fromkeys(name for v in made for name in v.ability):
        rows.append(Row(name, [Cell(_changed(v.ability.get(name))) for v in made]))
    notes = [
        "Facts told in any way of asking (directly); neighbours, others: facts to keep, of those that the base tells "
        "directly."
    ]
    if not made or not made[-1].ability:
        notes.append("General ability was not measured: name nlu.tasks or nlg.texts when the ledger is begun.")
    return Table(head, rows, notes)


def _changed(ability: Ability | None) -> str:
    if ability is None:
        return "–"
    before, after = ("–" if v is None else f"{v:.3f}" for v in (ability.before, ability.after))
    return f"{before} to {after}"
