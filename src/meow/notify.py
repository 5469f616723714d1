"""Messages about a run, through Apprise: that it is finished, that a stage is, that one failed.

Addresses are secrets: they are written nowhere, and neither is what a service answers. A message holds names, numbers
and the class of an error, never a question or an answer. A service that is down costs a warning and no more.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from meow import metrics
from meow.config import NotifySettings
from meow.errors import ConfigError
from meow.processes import rank
from meow.results import logs
from meow.run import Run
from meow.terminal import duration, say

VARIABLE = "MEOW_NOTIFY_URLS"
"""Environment variable of further addresses, separated by spaces or commas."""
_WEBHOOK = re.compile(r"https://open\.(feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([\w-]+)/?", re.I)
_SCHEMES = {"feishu.cn": "feishu", "larksuite.com": "lark"}
_BETWEEN = re.compile(r"[\s,]*\s[\s,]*|,+(?=$|[a-z][\w+.-]*://)", re.I)  # a comma may be part of an address


def addresses(settings: NotifySettings) -> list[str]:
    """Where messages go, as Apprise understands it: from the settings, then from the environment, each once.

    Raises:
        ConfigError: one that Apprise does not understand; named by its place and scheme.
    """
    given = {
        "notify.urls": " ".join(url.get_secret_value() for url in settings.urls),
        VARIABLE: os.environ.get(VARIABLE, ""),
    }
    found = []
    for source, text in given.items():
        for place, address in enumerate(filter(None, _BETWEEN.split(text)), start=1):
            address = _native(address)
            if not _understood(address):
                raise ConfigError(
                    f"{source}: address {place} ({scheme(address)}) is none that Apprise understands; write it as in "
                    "feishu://TOKEN, all forms are at https://appriseit.com/services"
                )
            found.append(address)
    return list(dict.fromkeys(found))


def scheme(address: str) -> str:
    """What may be shown of an address."""
    found = re.match(r"([a-z][a-z0-9+.-]{0,20})://", address, re.I)
    return found[1].lower() if found else "no scheme"


def _native(address: str) -> str:
    """The address of a Feishu or Lark webhook, as people hold it, in Apprise's form; any other as it is."""
    found = _WEBHOOK.fullmatch(address)
    return f"{_SCHEMES[found[1].lower()]}://{found[2]}" if found else address


def _understood(address: str) -> bool:
    from apprise import Apprise

    logging.getLogger("apprise").propagate = False  # what it logs may hold an address
    return Apprise.instantiate(address) is not None


@contextmanager
def told(folder: Run, stage: str, to: Sequence[str], *, each: bool) -> Iterator[None]:
    """Tell when the work inside fails and, if asked, when it is done; what was finished before is not told again.

    Args:
        folder: of the run.
        stage: what is worked on.
        to: see `addresses`.
        each: also when it is done.
    """
    before, clock = _written(folder), time.monotonic()
    try:
        yield
    except Exception as e:  # told, then raised again
        took = duration(time.monotonic() - clock)
        send(to, f"{folder.path.name}: {stage} failed", f"{type(e).__name__} after {took}", failed=True)
        raise
    if each and _written(folder) != before:
        send(to, f"{folder.path.name}: {stage} finished", f"in {duration(time.monotonic() - clock)}")


def _written(folder: Run) -> tuple[int, int] | None:
    """When the manifest was last written, and as which file: it is for whatever is done, be its entry the same."""
    with suppress(FileNotFoundError):
        found = (folder / "manifest.json").stat()
        return found.st_mtime_ns, found.st_ino
    return None


def tell_finished(folder: Run, to: Sequence[str], seconds: float, *, until: str | None = None) -> None:
    """Tell that a run is finished, with its two headline numbers where they exist.

    Args:
        folder: of the run.
        to: see `addresses`.
        seconds: that it took.
        until: the last stage, where it is not the whole run.
    """
    found = logs(folder.path) if to and until is None else {}
    lines = []
    for name in ("forget_quality", "model_utility_gm"):
        value = found["after"].metrics.get(name) if "after" in found else None
        if value is not None and value.value is not None:
            lines.append(f"{metrics.METRICS[name].label} {metrics.show(value)} (n = {value.n})")
    what = f"{until} finished" if until else "finished"
    send(to, f"{folder.path.name}: {what}", "\n".join([*lines, f"in {duration(seconds)}"]))


def send(to: Sequence[str], title: str, text: str, *, failed: bool = False) -> None:
    """Send a message to every address; those not reached are warned of in one line, by place and scheme.

    Args:
        to: see `addresses`; of several processes, the first one sends.
        title: one line.
        text: what is said.
        failed: mark it as a failure.
    """
    if rank() > 0:
        return
    missed = [f"{i} ({scheme(one)})" for i, one in enumerate(to, start=1) if not _sent(one, title, text, failed)]
    if missed:
        say(f"warning: no message to notification address {', '.join(missed)}: not reached, or refused")


def _sent(address: str, title: str, text: str, failed: bool) -> bool:
    from apprise import Apprise, NotifyType

    service = Apprise()
    try:
        service.add(address)
        kind = NotifyType.FAILURE if failed else NotifyType.SUCCESS
        return bool(service.notify(title=f"meow {title}", body=text, notify_type=kind))
    except Exception:  # whatever goes wrong in a service is no reason to stop a run
        return False
