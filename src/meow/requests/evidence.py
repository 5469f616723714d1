"""Evidence of one request: what was asked, what was done, what was measured, as a ZIP that can be signed and checked.

In: a request that was verified. Out: numbers and hashes, no text unless it is asked for. The signer's public key shows
that no file in it has changed since; that the numbers are right it does not show.
"""

from __future__ import annotations

import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from meow import keys, statistics
from meow.errors import ConfigError, DataError, shown
from meow.report import report, words
from meow.requests import exact
from meow.requests.applying import runs
from meow.requests.ledger import CURRENT, Ledger, Request, held, now, place
from meow.results import logs, read
from meow.run import versions
from meow.text import counted

MANIFEST, SIGNATURE, CLAIMS = "manifest.json", "manifest.sig", "evidence.json"
"""The hash of every other file; the manifest's Ed25519 signature, 64 bytes; and what is claimed."""
LARGEST = 1 << 28
"""Bytes of one file in a ZIP that is checked, at most."""


def write(folder: Path, which: str, out: Path, *, key: Path | None, with_texts: bool) -> Request:
    """Write the evidence of one request.

    Args:
        folder: of the ledger.
        which: id or name of the request.
        out: the ZIP to write.
        key: a private key (Ed25519, PEM, without a password); None: the manifest is not signed.
        with_texts: put the facts in, too.

    Raises:
        ConfigError: the request was not verified, or the key is none, or `cryptography` is not installed.
    """
    private = _key(key, private=True) if key else None
    with held(folder) as ledger:
        request = ledger.request(which)
        if request.verified is None or request.state not in ("verified", "failed"):
            raise ConfigError(f"request {request.id} is {request.state}, not verified; meow request verify {folder}")
        claimed = _claimed(folder, ledger, request)
        files = {
            CLAIMS: json.dumps(claimed, ensure_ascii=False, allow_nan=False, indent=1).encode(),
            "statement.txt": _statement(claimed).encode(),
        }
        with TemporaryDirectory() as aside:
            files["report.html"] = report([folder / CURRENT], Path(aside) / "report.html", redact=True).read_bytes()
        if with_texts:
            files["facts.jsonl"] = (place(folder, request.id) / "facts.jsonl").read_bytes()
    listed = {name: keys.bytes_hash(data) for name, data in files.items()}
    files[MANIFEST] = json.dumps({"version": 1, "made": now(), "sha256": listed}, indent=1).encode()
    if private is not None:
        files[SIGNATURE] = private.sign(files[MANIFEST])
    _zip(out, files)
    return request


def _zip(out: Path, files: Mapping[str, bytes]) -> None:
    """Write a ZIP aside, then rename it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.part")
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    aside.replace(out)


def check(file: Path, key: Path) -> dict[str, Any]:
    """Whether nothing in a ZIP of evidence has changed since whoever holds a key has signed it.

    Args:
        file: the ZIP.
        key: their public key (Ed25519, PEM).

    Returns:
        What `evidence.json` says.

    Raises:
        DataError: no evidence, not signed, signed by another key, or changed; names the file inside.
    """
    public = _key(key, private=False)
    from cryptography.exceptions import InvalidSignature

    files = _read(file)
    for name in (MANIFEST, SIGNATURE, CLAIMS):
        if name not in files:
            raise DataError(f"{file}: holds no {name}, so it is {'not signed' if name == SIGNATURE else 'no evidence'}")
    try:
        public.verify(files[SIGNATURE], files[MANIFEST])
    except InvalidSignature as e:
        raise DataError(f"{file}: {MANIFEST} does not fit its signature: changed, or signed by another key") from e
    try:
        listed = dict(json.loads(files[MANIFEST])["sha256"])
    except (ValueError, KeyError, TypeError) as e:
        raise DataError(f"{file}: {MANIFEST} lists no hashes; it is signed, but by no meow request evidence") from e
    for name in sorted({*listed, *files} - {MANIFEST, SIGNATURE}):
        if name not in files or listed.get(name) != keys.bytes_hash(files[name]):
            what = "is gone" if name not in files else "was changed" if name in listed else "was put in"
            raise DataError(f"{file}: {name} {what} since the evidence was signed; do not rely on it")
    found: dict[str, Any] = json.loads(files[CLAIMS])
    return found


def _read(file: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            large = next((i.filename for i in archive.infolist() if i.file_size > LARGEST), None)
            if large or len(names) != len(set(names)):
                what = f"{shown(large)} is too large" if large else "two files have one name"
                raise DataError(f"{file}: {what}; do not rely on it")
            return {name: archive.read(name) for name in names}
    except OSError as e:
        raise DataError(f"{file}: cannot be read ({e.strerror}); give a ZIP of meow request evidence") from e
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, ValueError, RuntimeError, EOFError) as e:
        raise DataError(f"{file}: no whole ZIP ({e}); do not rely on it") from e


def _key(file: Path, *, private: bool) -> Any:
    """An Ed25519 key of a PEM file."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as e:
        raise ConfigError("--key: needs the package cryptography; pip install 'meow-unlearning[evidence]'") from e
    kind = ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey
    try:
        data = file.read_bytes()
        found = serialization.load_pem_private_key(data, None) if private else serialization.load_pem_public_key(data)
    except OSError as e:
        raise ConfigError(f"{file}: cannot be read ({e.strerror}); give a key in PEM form") from e
    except (ValueError, TypeError) as e:
        what = "private key in PEM form without a password" if private else "public key in PEM form"
        raise ConfigError(f"{file}: no {what}; give one, as openssl writes it") from e
    if not isinstance(found, kind):
        raise ConfigError(f"{file}: no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")
    return found


def _claimed(folder: Path, ledger: Ledger, request: Request) -> dict[str, Any]:
    """What is known of one request, without a text."""
    asked = [v for v in ledger.verifications if request.id in v.told]
    last, log = asked[-1], logs(folder / CURRENT)["after"]
    told = last.told[request.id]
    stage = "finetune" if exact.is_exact(folder) else "forget"
    entries = [run.stages[stage] for run in runs(folder, ledger, request.id)]
    shares = {
        name: statistics.share([i < count for i in range(told.n)], missing="no value")
        for name, count in (("told", told.told), ("worst_case", told.worst))
    }
    counts = {"told": told.told, "worst_case": told.worst}
    numbers = {
        name: value.model_dump(mode="json") | {"count": counts[name], "at_most": _at_most(counts[name], told.n)}
        for name, value in shares.items()
    }
    without = request.model_dump(mode="json", exclude={"hash", "runs", "name", "asked_by"})
    return {
        "request": without | {"facts_sha256": request.hash},
        "trained": [
            {k: entry.get(k) for k in ("started", "finished", "seconds", "device", "settings", "result", "versions")}
            for entry in entries
        ],
        "weights": {"base": logs(folder / CURRENT)["before"].model.get("hash"), "model": last.weights},
        "asked": {"at": last.at, "after": [a.id for a in last.applied], **numbers},
        "history": [{"at": v.at, "after": v.applied[-1].id, **v.told[request.id].model_dump()} for v in asked],
        "exact": exact.claimed(folder, ledger, request.id),
        "kept": {"neighbours": last.neighbours.model_dump(), "others": last.others.model_dump()},
        "ability": {name: found.model_dump() for name, found in last.ability.items()},
        "all_applied_requests": {name: value.model_dump(mode="json") for name, value in log.metrics.items()},
        "not_tested": _untested(folder, log.forms),
        "versions": versions(),
    }


def _at_most(count: int, n: int) -> float | None:
    """The upper end of a one-sided interval at 95%."""
    return statistics.at_most(count, n) if n else None


def _untested(folder: Path, forms: Mapping[Any, Any]) -> list[str]:
    """What nobody has looked at."""
    missing = [f"asked by {name}: {rates.told.reason}" for name, rates in forms.items() if rates.told.value is None]
    missing += words.unmeasured([read(folder / CURRENT)])
    return [*missing, "ways of asking that are not listed", "copies of the base model, which know what it knew"]


def _exactly(found: Mapping[str, Any] | None) -> list[str]:
    """What training shards again means; nothing where weights were changed instead."""
    if found is None:
        return []
    shards = ", ".join(f"{i} ({n} facts left)" for i, n in found["shards"].items())
    return [
        f"Exact for what the shards were given: shard {shards} was trained again from the base without these facts, to "
        "the weights that training without them gives. It is not exact for what the base learned before: that is not "
        "changed. The same said in other words, in rows that no request names, is not taken out."
    ]


def _said(value: float | None) -> str:
    return "not computable" if value is None else f"{value:.3f}"


def _statement(claimed: Mapping[str, Any]) -> str:
    """What was measured, in words, and nothing else."""
    request, asked = claimed["request"], claimed["asked"]
    worst, direct = asked["worst_case"], asked["told"]
    kept = {f"facts to keep ({name})": found for name, found in claimed["kept"].items()}
    ability = claimed["ability"]
    bound = f"; with 95% confidence at most {worst['at_most']:.3f} of such facts" if worst["at_most"] else ""
    lines = [
        f"Request {request['id']}: {counted(request['facts'], 'fact')} about "
        f"{counted(request['subjects'], 'subject')}, received {request['added']}, trained {request['applied']}, "
        f"asked {asked['at']}.",
        f"Asked directly, {direct['count']} of {direct['n']} were told; in any way that was tried, {worst['count']} of "
        f"{worst['n']}{bound}.",
        *_exactly(claimed["exact"]),
        *(
            f"Of {k['known']} {name} that the base told, {k['kept']} are told."
            if k["known"]
            else f"No {name.replace('facts', 'fact')} was told by the base, so none could be lost."
            for name, k in kept.items()
        ),
        *(
            f"{name}: {_said(a['before'])} before, {_said(a['after'])} after, n = {a['n']}."
            for name, a in ability.items()
        ),
        "Not tested:",
        *(f"- {text}" for text in claimed["not_tested"]),
        "The numbers are of the model whose hash stands in evidence.json, and of no other.",
    ]
    return "\n".join(lines) + "\n"
