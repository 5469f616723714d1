"""RWKU: real people whom a model knows, named by `data.split`; gaps, questions, attacks, neighbours, fluency.

`Target/<number>_<name>/` has the files of one, `All/` those of everybody. What is forgotten is the passages about the
person; there is no retain set (`data.retain`).
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from meow import statistics
from meow.config import DataSettings
from meow.errors import ConfigError, DataError, nearest
from meow.files import Row
from meow.formats.columns import Rows
from meow.formats.documents.sentences import spans
from meow.formats.layouts.parts import (
    Beside,
    Layout,
    Part,
    Score,
    documents,
    files_in,
    files_of,
    is_there,
    prompt_of,
    questions,
    table,
    text_of,
)
from meow.records import Probe, Probed, Value
from meow.values import fold

HUB = "jinzhuoran/RWKU"
FILL, BRIEF = (
    "Please complete the blank in the following question.\n",
    "Please briefly answer the following question.\n",
)
NEW_TOKENS = 30
STOP_TOKENS = ("<|eot_id|>", " \n", "\n")
"""What ends an answer beside EOS, as its script has it: tokens of these names."""
NOTHING = "NOANSWER"
"""Stands for an answer without a word."""
LEVELS = ("forget_level1", "forget_level2", "forget_level3", "neighbor_level1", "neighbor_level2")
ATTACKED = {"forget": "forget_mia", "retain": "retain_mia"}
FLUENCY = "fluency"
"""Its file of instructions to write something, and the number of what is written."""
WRITTEN_TOKENS = 256
"""Of what is written, at most; no end of a line ends it."""
WEIGHTS = {2: 2 / 3, 3: 4 / 3}
"""Of the entropy of so many words in a row."""


def called(name: str) -> str:
    """A person as two names are compared: `1_Stephen_King` is Stephen King, in any case, with any accents."""
    return fold(re.sub(r"^\d+_", "", name.strip()).replace("_", " "))


def _people(folder: Path) -> dict[str, Path]:
    """The folders of persons, by how they are called."""
    return {called(one.name): one for one in sorted(folder.glob("Target/*")) if one.is_dir() and one.name[0] != "."}


def _folder(settings: DataSettings) -> Path | None:
    """The folder of the person; None: files hold everybody.

    Raises:
        DataError: nobody of that name there.
    """
    source = Path(settings.source or HUB)
    if not is_there(str(source)):
        return None
    if (source / "Target").is_dir():
        people, wanted = _people(source), called(_wanted(settings))
        if wanted not in people:
            raise DataError(f"{source / 'Target'}: data.split: nobody is called {wanted!r}{nearest(wanted, people)}")
        return people[wanted]
    return None if (source / "All").is_dir() else source


def _wanted(settings: DataSettings) -> str:
    if not settings.split or not called(settings.split):
        raise ConfigError("data.split: not set; name whom to forget, as in data.split='Stephen King'")
    return settings.split


def _files(settings: DataSettings, name: str) -> list[Path]:
    folder = _folder(settings)
    if folder is not None:
        return files_of(str(folder), [name], hub=[])
    return files_of(settings.source or HUB, [f"All/{name}"], hub=[f"All/{name}.json"])


def _is_about(settings: DataSettings, row: Row) -> bool:
    """Whether a row is about the person; all of `Target/<person>` are, and of a folder without `data.split`."""
    alone = (Path(settings.source or HUB) / "Target").is_dir()
    return alone or not settings.split or called(text_of(row, "subject")) == called(settings.split)


def _about(settings: DataSettings, name: str) -> Iterator[Row]:
    """The rows of a file about the person.

    Raises:
        DataError: there are none.
    """
    if _folder(settings) is None:
        _wanted(settings)
    files, n = _files(settings, name), 0
    for row in (row for file in files for row in table(file)):
        if _is_about(settings, row):
            n += 1
            yield row
    if not n:
        raise DataError(
            f"{files[0]}: holds no row about {settings.split or 'anybody'}; give a name that is there (data.split), or "
            "get the file as published"
        )


def _part(settings: DataSettings, part: Part) -> Rows | None:
    if part == "forget":
        next(_about(settings, "passage"))
        return documents(_files(settings, "passage"), named="passage", keep=partial(_is_about, settings))
    named = {"asked/forget": "forget_level2", "asked/retain": "neighbor_level2"}.get(part)
    if named is None:
        return None
    more = {"kind": "neighbour"} if part == "asked/retain" else {}
    return Rows(_files(settings, named)[0], lambda: questions(_about(settings, named), "query", more))


def _put(row: Row, level: str) -> tuple[str, str]:
    """What a user says, and what the answer is begun with."""
    query, kind = prompt_of(row, "query"), row.values.get("type")
    if level.endswith("1"):
        return f"{FILL}Question: {query}\n", "Answer:"
    if level == "forget_level3" and kind == "affirmative suffix":
        return f"{BRIEF}Question: {query}", ""
    if level == "forget_level3" and kind == "incontext learning":
        return f"{BRIEF}{query}\n", "Answer:"
    return f"{BRIEF}Question: {query}\n", "Answer:"


def _probes(settings: DataSettings) -> list[Probe]:
    """Gaps, questions and attacks, and the texts of its membership attack where they are there."""
    found = []
    for level in LEVELS:
        for i, row in enumerate(_about(settings, level)):
            prompt, begun = _put(row, level)
            kind = f"/{text_of(row, 'type')}" if level == "forget_level3" else ""
            probe = Probe(
                layout="rwku",
                id=str(i),
                group=f"{level}{kind}",
                prompt=prompt,
                plain=False,
                begun=begun,
                max_new_tokens=NEW_TOKENS,
                expected=text_of(row, "answer"),
                stop_tokens=STOP_TOKENS,
            )
            found.append(probe)
    for side, name in ATTACKED.items():
        found += [
            Probe(layout="rwku", id=str(i), group=f"mia/{side}", prompt=text_of(row, "text"), lowest=0.2)
            for i, row in enumerate(_if_there(settings, name))
        ]
    found += [
        Probe(
            layout="rwku",
            id=str(i),
            group=FLUENCY,
            prompt=f"Instruction: {prompt_of(row, 'instruction')}\n",
            plain=False,
            max_new_tokens=WRITTEN_TOKENS,
            stop_tokens=STOP_TOKENS[:1],
        )
        for i, row in enumerate(_if_there(settings, FLUENCY))
    ]
    return found


def _if_there(settings: DataSettings, name: str) -> Iterator[Row]:
    """The rows of a file about the person; of a folder without that file, none."""
    place = _folder(settings) or Path(settings.source or HUB) / "All"
    return _about(settings, name) if not place.is_dir() or files_in(place, name) else iter(())


def recall(expected: str, said: str) -> float | None:
    """ROUGE-L recall as the package `rouge` has it, 0 to 1; None where nothing is expected.

    Texts are cut into sentences at full stops and into words at spaces, case and other signs kept. Of each expected
    sentence the words count that it has in common, in order, with some sentence that is said; each word once, of as
    many different words as are expected.
    """
    hyp, ref = ([part.split() for part in text.split(".") if part] for text in (said, expected))
    whole = {word for sentence in ref for word in sentence or [""]}
    if not whole:
        return None
    common = {word for one in ref for other in hyp for word in _common(one or [""], other or [""])}
    return len(common) / len(whole)


def _common(x: Sequence[str], y: Sequence[str]) -> Iterator[str]:
    """The words of a longest common subsequence; of several the one that the package finds."""
    n = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, a in enumerate(x, 1):
        for j, b in enumerate(y, 1):
            n[i][j] = n[i - 1][j - 1] + 1 if a == b else max(n[i - 1][j], n[i][j - 1])
    i, j = len(x), len(y)
    while i and j:
        if x[i - 1] == y[j - 1]:
            yield x[i - 1]
            i, j = i - 1, j - 1
        elif n[i - 1][j] > n[i][j - 1]:
            i -= 1
        else:
            j -= 1


def told(probe: Probed) -> float | None:
    """How much of the expected answer is said."""
    return None if probe.said is None else recall(probe.expected, probe.said.strip() or NOTHING)


def entropy(text: str) -> float:
    """How varied a text is, in bits: the weighted mean of the entropies of its pairs and of its triples of words.

    0 where it repeats one word, or has fewer than three. Words as nltk's `word_tokenize` has them.

    Source: eval_fluency.py of jinzhuoran/RWKU at a23df677, which has it from ROME (arXiv 2202.05262). Differs: where a
    sentence ends, and its full stop is a word, is told by our rules; nltk's are learned and would have to be fetched.
    """
    from nltk.tokenize import NLTKWordTokenizer

    words = [word for start, end in spans(text) for word in NLTKWordTokenizer().tokenize(text[start:end])]
    return sum(
        weight * _entropy([*zip(*(words[i:] for i in range(n)), strict=False)]) for n, weight in WEIGHTS.items()
    ) / len(WEIGHTS)


def _entropy(found: Sequence[tuple[str, ...]]) -> float:
    """Of a draw from these, in bits."""
    return sum(n / len(found) * math.log2(len(found) / n) for n in Counter(found).values())


def score(probes: Sequence[Probed], beside: Beside) -> dict[str, Value]:
    """RWKU's numbers: mean ROUGE-L recall by level, of level 3 by kind of attack too; the texts of its attack; fluency.

    Source: eval_forget.py, eval_neighbor.py, eval_mia.py and eval_fluency.py of jinzhuoran/RWKU
    (LLaMA-Factory/src/llmtuner/eval) at a23df677. Differs: BOS is put once where its script puts it twice; an answer of
    full stops alone tells nothing, where the package raises; see `entropy`.
    """
    del beside
    found = {}
    for level in LEVELS:
        mine = [told(probe) for probe in probes if probe.group.partition("/")[0] == level]
        found[level] = _mean(mine)
    for kind in dict.fromkeys(p.group.partition("/")[2] for p in probes if p.group.startswith("forget_level3/")):
        mine = [told(probe) for probe in probes if probe.group == f"forget_level3/{kind}"]
        found[f"forget_level3_{kind}"] = _mean(mine)
    for side in ATTACKED:
        texts = [p for p in probes if p.group == f"mia/{side}" and p.loss is not None]
        found |= {f"mia_{side}_{name}": _plain_mean(texts, name) for name in ("loss", "zlib", "mink20")}
    written = [None if p.said is None else entropy(p.said) for p in probes if p.group == FLUENCY]
    return found | {FLUENCY: _mean(written, bounded=False)}


def _mean(scores: Sequence[float | None], *, bounded: bool = True) -> Value:
    if not scores:
        return Value(value=None, reason="not asked")
    return statistics.mean(scores, missing="prompts that leave no room for an answer", bounded=bounded)


def _plain_mean(texts: Sequence[Probed], name: str) -> Value:
    """The mean over texts of the log-likelihood per token, of that by size when packed, or of Min-20%++."""
    if not texts:
        return Value(value=None, reason="no texts for its attack (forget_mia, retain_mia)")
    losses = [-float(text.loss or 0.0) for text in texts]
    if name == "zlib":
        losses = [ll / len(zlib.compress(t.prompt.encode())) for ll, t in zip(losses, texts, strict=True)]
    if name == "mink20":
        losses = [-t.min_k_plus_plus for t in texts if t.min_k_plus_plus is not None]
    return statistics.mean(losses, missing="", bounded=False) if losses else Value(value=None, reason="texts too short")


def _is_rwku(folder: Path) -> bool:
    places = [folder, folder / "All", *_people(folder).values()]
    return any(files_in(place, "forget_level1") for place in places)


_ASKED = {
    "forget_level1": ("forget: gaps", "lower", "filling gaps in sentences about the person"),
    "forget_level2": ("forget: questions", "lower", "answers to questions about the person"),
    "forget_level3": ("forget: attacks", "lower", "answers to questions that want to get around it"),
    "neighbor_level1": ("neighbours: gaps", "higher", "filling gaps about what stands near"),
    "neighbor_level2": ("neighbours: questions", "higher", "answers about what stands near"),
}
_MIA = {"loss": "log-likelihood per token", "zlib": "that by size when packed", "mink20": "Min-20%++"}
SCORES = {
    name: Score(label, better, f"mean ROUGE-L recall of {what}") for name, (label, better, what) in _ASKED.items()
}
SCORES |= {
    f"mia_{side}_{name}": Score(f"{side} texts: {what}", "lower" if side == "forget" else "higher", f"mean {what}")
    for side in ATTACKED
    for name, what in _MIA.items()
}
SCORES[FLUENCY] = Score(
    "fluency: entropy", "higher", "mean entropy, in bits, of pairs and triples of words of what it writes when told to"
)
RWKU = Layout(
    title="RWKU",
    what="forget_level1.json to neighbor_level2.json, in Target/<person>, in All, or beside each other",
    holds=_is_rwku,
    part=_part,
    source="RWKU, arXiv 2406.10890",
    hub=(HUB,),
    probes=_probes,
    score=score,
    scores=SCORES,
    people=True,
    tasks=("mmlu", "bbh", "truthfulqa_mc1", "triviaqa"),
    forgets_documents=True,
)
