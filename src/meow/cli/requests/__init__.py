"""The commands of `meow request`.

In: what was typed. Out: what the ledger came to, in lines or as one JSON object.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from meow.cli.common import print_json, say, settings
from meow.cli.help.options import MODEL, Arguments, Flags, Json, takes

HELP = """Requests to forget, one after another over one model.

Each is trained on top of the earlier ones, and all are asked for again.
"""
Where = Annotated[Path, typer.Argument(metavar="LEDGER", help="The folder of the ledger.")]
Which = Annotated[str, typer.Argument(metavar="ID", help="A request's id or name, as in 001.")]


@takes(*MODEL, "--retain", "--method")
def init(folder: Where, arguments: Arguments = None, *, flags: Flags) -> None:
    """Begin a ledger over a model.

    Every request is then forgotten by these settings: an adapter each (train.lora_rank, 8 where it is not set), or,
    with train.lora_rank=0, all weights. Over a model of finetune.shards no method is named: its shards are trained
    again without the facts.
    """
    from meow import modelfiles
    from meow.requests import ledger

    (config,) = settings(arguments, flags)
    if "lora_rank" not in config.train.model_fields_set:
        config = config.model_copy(update={"train": config.train.model_copy(update={"lora_rank": 8})})
    ledger.init(folder, config)
    how = f"an adapter of rank {config.train.lora_rank} a request" if config.train.lora_rank else "all weights"
    how = f"{config.train.method or 'an objective of your own'}, {how}"
    given = modelfiles.shards(Path(str(config.model.path)))
    if given:
        how = f"{len(given)} shards of {sum(map(len, given))} facts, trained again without what must go"
    say(f"{folder}: a ledger over {config.model.path}; {how}")
    say(f"next: meow request add {folder} FACTS")


def add(
    folder: Where,
    facts: Annotated[Path, typer.Argument(metavar="FACTS", help="What must go: JSON lines, JSON or CSV.")],
    retain: Annotated[
        Path | None, typer.Option("--retain", metavar="FILE", help="What must stay; default: the ledger's.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Default: the file's.")] = None,
    asked_by: Annotated[str | None, typer.Option("--asked-by", metavar="TEXT", help="Who asks, and how.")] = None,
) -> None:
    """Take a request in; nothing is trained yet.

    The facts are copied into the ledger.
    """
    from meow.requests import ledger

    request = ledger.add(folder, facts, retain=retain, name=name, asked_by=asked_by)
    say(f"{request.id}  {request.name}: {request.facts} facts; next: meow request apply {folder}")


def list_(folder: Where, as_json: Json = False) -> None:
    """Every request: its state, its times, what is told of it.

    Told is of the last verification: facts told in any way of asking, of all of them.
    """
    from meow.requests import ledger

    found = ledger.read(folder)
    if as_json:
        print_json({"folder": str(folder), **found.model_dump(mode="json")})
        return
    last = found.verifications[-1].told if found.verifications else {}
    lines: list[tuple[str, ...]] = [("id", "name", "state", "told", "added", "applied", "verified", "asked by")]
    for r in found.requests:
        told = f"{last[r.id].worst} of {last[r.id].n}" if r.id in last else f"– of {r.facts}"
        times = [(t or "–")[:16] for t in (r.added, r.applied, r.verified)]
        lines.append((r.id, r.name, r.state, told, *times, r.asked_by or "–"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def show(folder: Where, which: Which, as_json: Json = False) -> None:
    """One request, and what later ones did to it.

    No question and no answer is printed.
    """
    from meow.requests import applying, ledger

    found = ledger.read(folder)
    request = found.request(which)
    asked = [(v, v.told[request.id]) for v in found.verifications if request.id in v.told]
    runs = [str(run.path) for run in applying.runs(folder, found, request.id)]
    if as_json:
        history = [{"at": v.at, "after": v.applied[-1].id, **told.model_dump()} for v, told in asked]
        print_json(request.model_dump(mode="json") | {"runs": runs, "verifications": history})
        return
    for field, value in request.model_dump(mode="json").items():
        say(f"{field.replace('_', ' '):9}  {value if value is not None else '–'}")
    for run in runs:
        say(f"{'run':9}  {run}")
    for verification, told in asked:
        after = verification.applied[-1].id
        say(f"{verification.at}  after {after}: {told.told} told, {told.worst} in the worst case, of {told.n}")


def apply(
    folder: Where,
    which: Annotated[str | None, typer.Argument(metavar="ID", help="One request; default: all open or failed.")] = None,
) -> None:
    """Train what is open or failed, on top of what is applied.

    A request is a run folder: what was stopped goes on, and its page is there.
    """
    from meow.cli.common import starting
    from meow.requests import applying, ledger

    ledger.read(folder)
    with starting():
        import meow.pipeline.commands  # noqa: F401
    done = applying.apply(folder, which)
    say(f"applied: {', '.join(done) or 'nothing, no request is open'}")
    say(f"next: meow request verify {folder}")


def verify(folder: Where, as_json: Json = False) -> None:
    """Ask the current model for everything that is applied.

    In every way of asking, beside what must stay, and NLU or NLG where the ledger's settings name any; a request of
    which something is told that the base told is open again. LEDGER/current is a run folder: meow ask, nlu and
    robustness take it.
    """
    from meow.cli.common import starting
    from meow.requests import ledger

    ledger.read(folder)
    with starting():
        from meow import tables
        from meow.requests import exact, verifying

    found = verifying.verify(folder)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    tables.show(verifying.table(ledger.read(folder)))
    failed = [id_ for id_, told in found.told.items() if told.back]
    say(f"\n{folder / ledger.CURRENT / 'report.html'}")
    if failed and exact.is_exact(folder):
        say(f"told though no shard knows them, by what the base or other facts say: {', '.join(failed)}")
    elif failed:
        say(f"told again, so open again: {', '.join(failed)}; next: meow request apply {folder}")
    else:
        say(f"no fact that the base told is told: {', '.join(found.told)}")


def revoke(
    folder: Where,
    which: Which,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train what was applied after it again; default: keep its adapters.")
    ] = False,
) -> None:
    """Withdraw a request; the model is made without it.

    Its run folder stays.
    """
    from meow.requests import applying

    later = applying.revoke(folder, which, retrain=retrain)
    if later:
        say(f"{'trained again' if retrain else 'kept as they are'}: {', '.join(later)}")
    say(f"revoked: {which}; next: meow request verify {folder}")


def evidence(
    folder: Where,
    which: Which,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The ZIP to write.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Signs it: an Ed25519 private key (PEM).")
    ] = None,
    with_texts: Annotated[bool, typer.Option("--with-texts", help="Put the facts in, too.")] = False,
) -> None:
    """Write what was asked, done and measured for a request.

    Hashes and numbers, with n, interval and bound; what was not tested; the page without texts.
    """
    from meow.requests import evidence as evidences

    request = evidences.write(folder, which, out, key=key, with_texts=with_texts)
    say(f"{out}: request {request.id}, {request.state}{'' if key else '; not signed (--key signs it)'}")


def check(
    file: Annotated[Path, typer.Argument(metavar="ZIP", help="Of meow request evidence.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The Ed25519 public key (PEM) of who signed it.")],
    as_json: Json = False,
) -> None:
    """Whether evidence is as it was signed.

    That the numbers are right is what whoever signed it says.
    """
    from meow.requests import evidence as evidences

    found = evidences.check(file, key)
    if as_json:
        print_json(found)
        return
    say(f"{file}: signed by the holder of {key}, and no file in it has changed; request {found['request']['id']}")


def export(
    folder: Where,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is not there yet.")],
    merged: Annotated[
        bool, typer.Option("--merged/--adapters", help="A whole model, or each request's adapter.")
    ] = True,
) -> None:
    """Write the current model, to be served.

    LEDGER/current/model is all adapters as one, whose rank is the sum of theirs.
    """
    from meow.requests import exporting, ledger

    ledger.read(folder)
    for place in exporting.export(folder, out, merged=merged):
        say(place)


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "add": add,
    "list": list_,
    "show": show,
    "apply": apply,
    "verify": verify,
    "revoke": revoke,
    "export": export,
    "evidence": evidence,
    "check": check,
}
"""By name, in order of use."""
