"""Requests to forget, one after another: what later ones do to earlier ones, what is kept, and what each costs.

`python -m benchmarks.requests ../shared --ground tofu-mini` has ten authors of forget05 forgotten by the model `full`,
one after another, asks for all of them after each, and takes one request back. `--ground real` does so with five
subjects and .models/smollm2. `--ground exact` sets both ways side by side on authors of forget10: shards over
`retain90` that are trained again, and `full`, whose weights are changed. One JSON object a line, then the table of
`meow request verify`; everything else stays in `study/requests`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meow import results
from meow.files import rows, write_rows
from meow.requests import ledger

HERE = Path(__file__).resolve().parents[1]
PER_AUTHOR = 20
Facts = list[dict[str, Any]]


class Ground(NamedTuple):
    """What requests are made of."""

    model: Path
    requests: dict[str, Facts]
    """By name, in order."""
    keep: Facts
    settings: Sequence[str]


TINY = ["threads=1", "train.lr=5e-3", "train.epochs=8",
        "train.batch_size=5", "memo.max_new_tokens=16", "memo.stride=10", "eval.max_new_tokens=auto"]  # fmt: skip
REAL = ["threads=1", "train.lr=1e-3", "train.epochs=20", "train.batch_size=4", "memo.on=value", "memo.template=model",
        "memo.max_new_tokens=auto", "eval.max_new_tokens=auto", "eval.forms=[completion,reversed]"]  # fmt: skip
LEARNING = ["threads=1", "finetune.lr=1e-3", "finetune.epochs=40", "finetune.batch_size=8", "finetune.warmup=0.1",
            "finetune.shard_rank=32"]  # fmt: skip


def read(file: Path) -> Facts:
    """Questions and answers of a file."""
    return [row.values for row in rows(file)]


def by_author(shared: Path, split: str, n: int) -> dict[str, Facts]:
    """The first authors of a forget split of TOFU, 20 facts each."""
    found = read(shared / f"data/tofu/{split}.json")
    authors = [found[i : i + PER_AUTHOR] for i in range(0, len(found), PER_AUTHOR)][:n]
    return {f"author-{i:02}": [row | {"subject": f"author {i}"} for row in own] for i, own in enumerate(authors)}


def tofu_mini(shared: Path, n: int) -> Ground:
    """Authors of forget05, and what `full` is to keep."""
    keep = read(shared / "data/tofu/retain95.json")[::95]
    return Ground(shared / "models/tofu-mini/full", by_author(shared, "forget05", n), keep, [*TINY, "eval.forms=[]"])


def real(shared: Path, n: int) -> Ground:
    """Three subjects of examples/facts, four facts each, and two of everyday.jsonl."""
    own = HERE / "examples/facts"
    named = {name: read(own / name / "forget.jsonl")[:4] for name in ("france", "shakespeare", "solar-system")}
    everyday = read(shared / "data/facts/everyday.jsonl")
    for subject in ("Japan", "London"):
        named[subject] = [row for row in everyday if row["subject"] == subject]
    keep = [row for name in ("france", "shakespeare", "solar-system") for row in read(own / name / "retain.jsonl")[::6]]
    return Ground(HERE / ".models/smollm2", dict(list(named.items())[:n]), keep, REAL)


def meow(*typed: object) -> tuple[str, float]:
    """Run a command; what it printed, and its seconds."""
    clock = time.monotonic()
    command = [sys.executable, "-m", "meow", "-q", *map(str, typed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    return done.stdout, time.monotonic() - clock


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def say(**row: object) -> None:
    """One row."""
    print(json.dumps(row), flush=True)


def serve(out: Path, ground: Ground, *, revoked: str | None) -> None:
    """All requests of a ground, one after another, in a ledger of its own; at the end one is taken back."""
    shutil.rmtree(out, ignore_errors=True)
    write_rows(out / "keep.jsonl", ground.keep)
    book = out / "L"
    meow("request", "init", book, "--model_name_or_path", ground.model, "--retain", out / "keep.jsonl",
         *ground.settings)  # fmt: skip
    for i, (name, facts) in enumerate(ground.requests.items(), 1):
        write_rows(out / f"{name}.jsonl", facts)
        meow("request", "add", book, out / f"{name}.jsonl")
        before = size(book)
        _, seconds = meow("request", "apply", book)
        grown = size(book) - before
        table, asking = meow("request", "verify", book)
        verified(book, request=name, after=i, seconds=round(seconds), verify=round(asking), bytes=grown)
    if revoked:
        _, seconds = meow("request", "revoke", book, revoked)
        table, asking = meow("request", "verify", book)
        verified(book, revoked=revoked, seconds=round(seconds), verify=round(asking))
        said, _ = meow("ask", book / "current", "--json", next(iter(ground.requests.values()))[0]["question"])
        say(asked=json.loads(said) if said.startswith(("{", "[")) else said)
    print(table, flush=True)


def verified(book: Path, **row: object) -> None:
    """What the last verification of a ledger found."""
    last = ledger.read(book).verifications[-1]
    after = results.logs(book / "current")["after"].metrics
    told = {f: sum(getattr(t, f) for t in last.told.values()) for f in ("told", "worst", "back", "n")}
    kept = {name: [k.kept, k.known] for name, k in (("neighbours", last.neighbours), ("others", last.others))}
    names = ("retain_probability", "retain_value_probability", "forget_probability")
    utility = {name: after[name].value for name in names if name in after}
    say(**row, **told, **kept, **{k: None if v is None else round(v, 3) for k, v in utility.items()})


def exact(shared: Path, n: int, out: Path, *, shards: int, asked: int) -> None:
    """Authors of forget10 in shards over `retain90`, and the same ones in `full`: the first few are to go."""
    authors = by_author(shared, "forget10", n)
    every = [row for facts in authors.values() for row in facts]
    write_rows(out / "learned.jsonl", every)
    base = shared / "models/tofu-mini/retain90"
    _, seconds = meow("finetune", "--model_name_or_path", base, f"out={out}", "name=shards", "--force",
                      f"finetune.data=[{out / 'learned.jsonl'}]", f"finetune.shards={shards}", *LEARNING)  # fmt: skip
    say(shards=shards, facts=len(every), seconds=round(seconds), bytes=size(out / "shards/model"))
    going = dict(list(authors.items())[:asked])
    stays = [row for facts in list(authors.values())[asked:] for row in facts][::2][:60]
    keep = [row | {"kind": "neighbour"} for row in stays]
    keep += [row | {"kind": "other"} for row in read(shared / "data/tofu/retain90.json")[::90]]
    for way, model in (("exact", out / "shards/model"), ("approximate", shared / "models/tofu-mini/full")):
        how = ["eval.forms=[]", "eval.max_new_tokens=auto", "threads=1"] if way == "exact" else [*TINY, "eval.forms=[]"]
        method = [] if way == "exact" else ["--method", "meow_contrast"]
        say(way=way)
        serve(out / way, Ground(model, going, keep, [*how, *method]), revoked=None)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--ground", choices=("tofu-mini", "real", "exact"), required=True)
    parser.add_argument("--requests", type=int, help="default: 10, 5 of real, 2 of exact")
    parser.add_argument("--authors", type=int, default=20, help="exact: of forget10, in the shards")
    parser.add_argument("--shards", type=int, default=2, help="exact: how many")
    parser.add_argument("--out", type=Path, default=Path("study/requests"))
    given = parser.parse_args()
    shared, out = given.shared.resolve(), (given.out / given.ground).absolute()
    if given.ground == "exact":
        exact(shared, given.authors, out, shards=given.shards, asked=given.requests or 2)
        return
    make = {"tofu-mini": tofu_mini, "real": real}[given.ground]
    ground = make(shared, given.requests or 10)
    method = ["--method", "meow_contrast"]
    serve(out, ground._replace(settings=[*ground.settings, *method]), revoked="002")


if __name__ == "__main__":
    main()
