"""What each stage does: records in a run folder in, other records out. The order stands in pipeline.py.

A stage is skipped when it is finished with the same settings and inputs, and goes on where it stopped otherwise.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from meow import data, evaluation, idk, inversion, lm, memorization, metrics, published, terminal, tofu, training
from meow.config import MemoSettings, ModelSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.lm import LM, RemoteLM
from meow.losses import TERMS
from meow.processes import agreed
from meow.records import (
    QA,
    EvalItem,
    EvalSample,
    Fact,
    InvertedAnswer,
    InvertedFacts,
    MemoRecord,
    Target,
    read_records,
    write_records,
)  # fmt: skip
from meow.report import report
from meow.run import Run, append_rows, digest
from meow.selection import select
from meow.terminal import say
from meow.text import unseen

UNSEEN = 0.2
"""Share of letters left out by ROUGE above which the run warns."""


def check_inputs(config: RunConfig, wanted: Collection[str]) -> None:
    """Read every file that the run needs, so that a bad one is named before a weight is loaded.

    Args:
        config: of the run.
        wanted: names of the stages that will be done.
    """
    if config.model.url is not None:
        check_server(config.memo)
        needing = [name for name in wanted if name not in ("invert", "memo", "select", "report")]
        if needing:
            raise ConfigError(
                f"model.url: a server continues prompts but gives no scores and no weights, which {needing[0]} needs; "
                "only meow memo can use it"
            )
    data.forget_set(config.data)
    if any(TERMS[term].retain for term in config.train.objective or {}) and not data.retain_set(config.data):
        raise ConfigError(
            "data.retain: not set, but train.objective has a retain term; name a file of questions to keep"
        )
    if config.train.evaluate_every is not None and config.eval.reference is None:
        raise ConfigError(
            "train.evaluate_every: a step is chosen by forget quality, which needs a model that never saw the forget "
            "set; set eval.reference"
        )
    if config.train.targets == "file":
        if config.train.targets_path is None:
            raise ConfigError("train.targets_path: not set, but train.targets is file; name the answers to teach")
        data.taught(Path(config.train.targets_path), data.forget_set(config.data))
    data.eval_items(config.data)
    if config.invert.path:
        data.read_inverted(Path(config.invert.path))
    if config.invert.pools:
        inversion.read_pools(Path(config.invert.pools))
    if config.memo.path:
        data.read_memo(Path(config.memo.path))
    if config.model.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    if config.model.url is None:
        lm.check_folder(config.model.path)
    if config.eval.reference:
        reference_model(config) or published.read(Path(config.eval.reference))


def invert(folder: Run, config: RunConfig) -> None:
    """Forget set -> inverted.jsonl."""
    facts = data.forget_set(config.data)
    key = {"seed": config.seed} | _part(config, "invert")
    read = data.read_inverted(Path(config.invert.path)) if config.invert.path else []
    pools = inversion.read_pools(Path(config.invert.pools)) if config.invert.pools else {}
    inputs = digest([[_texts(f) for f in read], pools])
    keys = {fact.id: digest([key, inputs, fact.model_dump(mode="json")]) for fact in facts}
    inputs = digest([inputs, sorted(keys.values())])
    if folder.current("invert", key, inputs):
        return

    def produce(known: Collection[str]) -> Iterator[InvertedFacts]:
        corpus = data.retain_set(config.data)
        with terminal.progress("inverting facts", len(facts)) as advance:
            for row in inversion.invert(facts, config.invert, seed=_seed(config), corpus=corpus):
                advance(1)
                if keys[row.id] not in known:
                    yield row.model_copy(update={"key": keys[row.id]})

    with folder.stage("invert", key, inputs) as entry:
        rows = append_rows(folder / "inverted.jsonl", InvertedFacts, list(keys.values()), produce)
        entry["rows"] = len(rows)
        entry["candidates"] = sum(len(row.answers) for row in rows)
        entry["empty"] = sum(not answer.text for row in rows for answer in row.answers)
        if entry["empty"]:
            say(f"invert: {entry['empty']} of {entry['candidates']} candidates are empty; they are never used")


def memo(folder: Run, config: RunConfig, *, label: str = "before") -> None:
    """inverted.jsonl -> memo/<label>.jsonl, by the original, the changed model or the reference."""
    facts = inverted(folder)
    settings = model_of(folder, config, label)
    stage, name = MEMO_STAGES[label], f"memo/{label}.jsonl"
    wanted = {"metric", "mode", "cut", "rouge"}
    key = {"weights": weights(settings), "model.template": config.model.template}
    key |= {k: v for k, v in _part(config, "memo").items() if k.split(".")[1] not in wanted}
    inputs = digest(
        [[_texts(f) for f in facts], config.memo.metric, config.memo.mode, config.memo.cut, config.memo.rouge]
    )
    if _done(folder, stage, key, inputs, [name]):
        return
    if config.memo.path and label == "before":
        rows = _published_memo(facts, Path(config.memo.path))
        with folder.stage(stage, key, inputs) as entry:
            write_records(folder / name, rows)
            entry["rows"] = len(rows)
        return
    with folder.stage(stage, key, inputs) as entry:
        model = measurer(settings)
        rows = measure(model, facts, config.memo, folder / name)
        entry |= {"rows": len(rows), "device": str(model.device)}


MEMO_STAGES = {"before": "memo", "after": "memo/after", "reference": "memo/reference"}
"""Stage that measures each model's memorization; only the first belongs to every run."""


def model_of(folder: Run, config: RunConfig, label: str) -> ModelSettings:
    """The model that a label stands for.

    Raises:
        ConfigError: there is none.
    """
    if label == "before":
        return config.model
    if label == "after":
        if not lm.is_model(folder / "model"):
            raise ConfigError(f"{folder.path}: nothing is trained yet, so there is no after; run meow forget first")
        return config.model.model_copy(update={"path": str(folder / "model"), "tokenizer": None, "revision": None})
    found = reference_model(config) if label == "reference" else None
    if found is None:
        raise ConfigError(
            f"label {label}: expected before, after, or reference where eval.reference is a model; found no such model"
        )
    return found


def check_server(settings: MemoSettings) -> None:
    """Refuse what a server cannot measure.

    Raises:
        ConfigError: MA, EL or cuts between tokens.
    """
    if settings.metric != ("memo",) or settings.cut != "chars":
        raise ConfigError(
            "model.url: a server takes and gives text, so it can measure memo.metric=memo with memo.cut=chars; found "
            f"{', '.join(settings.metric)} with {settings.cut}; load the weights instead (model.path without model.url)"
        )


def measurer(settings: ModelSettings) -> LM | RemoteLM:
    """The model that memorization is measured on."""
    return lm.connect(settings) if settings.url is not None else lm_for(settings)


def measure(
    model: LM | RemoteLM, facts: Sequence[InvertedFacts], settings: MemoSettings, path: Path
) -> list[MemoRecord]:
    """Bring a file of memorization up to date for these facts; rows with a known key are not measured again."""
    keys = [key for fact in facts for key in memorization.row_keys(model.weights, fact, settings)]
    left_out = unseen(text for fact in facts for _, text in memorization.columns(fact))
    if left_out > UNSEEN and settings.words == "ascii" and "memo" in settings.metric:
        share = f"{left_out:.0%} of these answers"
        say(f"warning: ROUGE sees only [a-z0-9], which leaves out {share}; set memo.words=unicode")

    def produce(known: Collection[str]) -> Iterator[MemoRecord]:
        with terminal.progress("measuring memorization", len(keys) - len(set(known) & set(keys))) as advance:
            for row in memorization.memorize(model, facts, settings, known=known):
                advance(1)
                yield row

    return append_rows(path, MemoRecord, keys, produce)


def choose(folder: Run, config: RunConfig) -> None:
    """inverted.jsonl and memo/before.jsonl -> targets.jsonl."""
    kind, seed = config.train.targets, _seed(config)
    ranks = kind == "selected"
    facts = inverted(folder) if kind in ("selected", "all") else []
    measured = _read_if(folder / "memo/before.jsonl", MemoRecord) if ranks else []
    forget = data.forget_set(config.data)
    taught = data.taught(Path(str(config.train.targets_path)), forget) if kind == "file" else {}
    key = {"seed": config.seed, "train.targets": kind} | (_part(config, "select") if ranks else {})
    inputs = digest([[_texts(f) for f in facts or forget], [[m.key, m.value] for m in measured], taught])
    if folder.current("select", key, inputs):
        return
    with folder.stage("select", key, inputs) as entry:
        if facts:
            rule = config.select if ranks else config.select.model_copy(update={"rule": "all", "by": "question"})
            chosen = select(facts, measured, rule, seed=seed)
            targets = chosen.targets
            entry |= {"by": chosen.by, "short": len(chosen.short), "untaught": chosen.untaught}
            if chosen.short:
                say(
                    f"select: {len(chosen.short)} questions have fewer than k={config.select.k} answers; all are taught"
                )
            if chosen.untaught:
                say(
                    f"warning: {len(chosen.untaught)} of {len(facts)} questions have no inverted answer and are not "
                    f"taught: {', '.join(chosen.untaught[:20])}{' ...' if len(chosen.untaught) > 20 else ''}"
                )
        else:
            targets = [
                Target(**fact.model_dump(), target=text)
                for fact in forget
                for text in _answers(fact, kind, taught, seed)
            ]
        write_records(folder / "targets.jsonl", targets)
        entry["rows"] = len(targets)


def _answers(fact: QA, kind: str | None, taught: Mapping[str, list[str]], seed: int) -> Sequence[str | None]:
    """What to teach for a fact where it is no inverted answer; None: nothing."""
    if kind == "idk":
        return [idk.draw(fact.id, seed)]
    if kind == "reversed":
        return [" ".join(reversed(fact.answer.split()))]
    return taught[fact.id] if kind == "file" else [None]


def forget(folder: Run, config: RunConfig) -> None:
    """targets.jsonl, forget and retain set -> model/, through train/."""
    targets = read_records(folder / "targets.jsonl", Target)
    reads_retain = any(TERMS[term].retain for term in config.train.objective or {})
    retain = data.retain_set(config.data) if reads_retain else []
    key = _training_key(config, "train") | {"targets": digest([[t.id, t.target] for t in targets])}
    key["retain"] = digest([[q.question, q.answer] for q in retain])

    def train(model: LM) -> None:
        look = _looker(folder, config, model) if config.train.evaluate_every is not None else None
        training.forget(
            model,
            targets,
            retain,
            config.train,
            folder / "train",
            seed=_seed(config),
            log=_logger(folder, "forget"),
            on_evaluate=look,
        )

    _train(folder, config, "forget", key, train)


def _looker(folder: Run, config: RunConfig, model: LM) -> Callable[[], training.Look]:
    """Looks at the tuning half: forget quality against the reference, and how much of the original is kept."""
    items = data.eval_items(config.data, limit=config.eval.rows)
    before, reference = (metrics.halves(evaluation.samples_of(folder, label))[0] for label in ("before", "reference"))
    original = metrics.compute(before)["retain_probability"].value

    def look() -> training.Look:
        found = metrics.compute(tofu.tuning_half(model, items), reference=reference or None)
        quality, kept = found["forget_quality"], found["retain_probability"].value
        if quality.value is None or kept is None or not original:
            raise ConfigError(
                f"train.evaluate_every: no step can be chosen: {quality.reason or 'no retain questions are evaluated'}"
            )
        return training.Look(quality.value, kept / original)

    return look


def finetune(folder: Run, config: RunConfig) -> None:
    """Questions and answers -> model/: an original or a reference."""
    if not config.finetune.data:
        raise ConfigError("finetune.data: not set; name the files of questions and answers to learn")
    rows = [
        qa
        for file in config.finetune.data
        for qa in data.read_qa(Path(file), set_="train")
        for _ in range(config.finetune.repeat.get(Path(file).name, 1))
    ]
    key = _training_key(config, "finetune") | {"rows": digest([[q.question, q.answer] for q in rows])}

    def train(model: LM) -> None:
        training.finetune(
            model,
            rows,
            config.finetune,
            folder / "train",
            seed=_seed(config),
            log=_logger(folder, "finetune"),
        )

    _train(folder, config, "finetune", key, train)


def evaluate(folder: Run, config: RunConfig, *, label: str) -> None:
    """A model -> eval/<label>/: samples and metrics."""
    stage = f"eval/{label}"
    settings = reference_model(config) if label == "reference" else model_of(folder, config, label)
    items = data.eval_items(config.data, limit=config.eval.rows)
    if label == "after":
        items = _with_taught(items, _read_if(folder / "targets.jsonl", Target))
    names = [f"eval/{label}/samples.jsonl", f"eval/{label}/log.json"]
    if settings is None:
        _published_reference(folder, config)
        return
    key: dict[str, Any] = {"weights": weights(settings), "model.template": config.model.template}
    seen = ("eval.reference", "eval.rows", "eval.difference")
    key |= {k: v for k, v in _part(config, "eval").items() if k not in seen}
    if config.train.evaluate_every is not None:
        key["half"] = evaluation.CHOSEN
    if label != "reference":
        key = key | {"original": weights(config.model), "reference": _reference_key(config)}
    inputs = digest([item.model_dump(mode="json") for item in items])
    if _done(folder, stage, key, inputs, names):
        return
    if label == "after":
        release()
    model = lm_for(settings)
    own = {"before": model, "after": None, "reference": None}[label]
    against = lm_for(config.model) if label == "after" else own
    keys = tofu.row_keys(model, items, config.eval, original=against)

    def produce(known: Collection[str]) -> Iterator[EvalSample]:
        with terminal.progress(f"evaluating {label}", len(items) - len(set(known) & set(keys))) as advance:
            for row in tofu.evaluate(model, items, config.eval, original=against, known=known):
                advance(1)
                yield row

    with folder.stage(stage, key, inputs) as entry:
        samples = append_rows(folder / names[0], EvalSample, keys, produce)
        origin = {"path": str(settings.path), "hash": model.weights}
        evaluation.write_log(folder, config, label, samples, origin)
        entry |= {"rows": len(samples), "device": str(model.device)}


def _with_taught(items: Sequence[EvalItem], targets: Sequence[Target]) -> list[EvalItem]:
    """Items of which those to forget name their subject and the answers that were taught for them."""
    taught: dict[str, list[InvertedAnswer]] = {}
    for t in targets:
        if t.target is not None:
            taught.setdefault(t.id, []).append(InvertedAnswer(text=t.target, version=t.version))
    forget = [item for item in items if item.role == "forget"]
    about = {item.id: subject.key for item, subject in zip(forget, inversion.subjects(forget), strict=True)}
    return [
        item.model_copy(update={"taught": tuple(taught.get(item.id, ())), "subject": about[item.id]})
        if item.role == "forget"
        else item
        for item in items
    ]


def page(folder: Run, config: RunConfig) -> None:
    """Everything in the folder -> report.html; made anew each time."""
    del config
    with folder.stage("report", {}):
        report([folder.path], folder / "report.html")


# Models.


@lru_cache(maxsize=2)
def lm_for(settings: ModelSettings) -> LM:
    """A loaded model; kept until `release`, since several stages ask for the original."""
    say(f"loading {settings.path}")
    model = lm.load(settings)
    if not model.fast:
        say(f"{settings.path}: its attention is not full attention by sdpa; it decodes with its own cache, more slowly")
    return model


def original(config: RunConfig) -> LM:
    """The model before forgetting."""
    return lm_for(config.model)


def release() -> None:
    """Let go of the loaded models."""
    lm_for.cache_clear()
    gc.collect()


def weights(settings: ModelSettings) -> str:
    """Hash of the weights that the settings name, without loading them."""
    if settings.url is None:
        lm.check_folder(str(settings.path))
    return lm.weights_hash(settings)


def reference_model(config: RunConfig) -> ModelSettings | None:
    """The settings of the reference where it is a model; None where it is a published evaluation."""
    if config.eval.reference is None:
        return None
    path = Path(config.eval.reference)
    path = path if lm.is_model(path) or not lm.is_model(path / "model") else path / "model"
    if not lm.is_model(path) and published.find(path) is not None:
        return None
    if (path / "manifest.json").is_file() and not lm.is_model(path):
        raise DataError(f"{path}: a run folder with neither a model nor an evaluation; finish that run first")
    lm.check_folder(str(path))
    return config.model.model_copy(update={"path": str(path), "tokenizer": None, "revision": None})


# Helpers of the stages.


def inverted(folder: Run) -> list[InvertedFacts]:
    """The inverted facts of a run.

    Raises:
        DataError: none yet.
    """
    file = folder / "inverted.jsonl"
    if not file.is_file():
        raise DataError(f"{file}: not there yet; run meow invert first")
    return read_records(file, InvertedFacts)


def _train(folder: Run, config: RunConfig, stage: str, key: dict[str, Any], train: Callable[[LM], None]) -> None:
    if folder.current(stage, key):
        return
    release()
    if config.model.load_in_4bit and not (stage == "forget" and config.train.lora_rank):
        raise ConfigError("model.load_in_4bit: weights of four bits cannot be trained; set train.lora_rank=8 or so")
    with folder.stage(stage, key) as entry:
        model = _starting_model(config) if stage == "finetune" else lm.load(config.model)
        entry["device"] = str(model.device)
        train(model)
        agreed(lambda: _keep(folder, stage, model))


def _keep(folder: Run, stage: str, model: LM) -> None:
    """Save a trained model; what training needed to go on is removed when it is complete."""
    aside = folder / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    model.save(aside)
    shutil.rmtree(folder / "model", ignore_errors=True)
    aside.rename(folder / "model")
    folder.settle_log(stage)
    shutil.rmtree(folder / "train", ignore_errors=True)


def _starting_model(config: RunConfig) -> LM:
    if not config.finetune.scratch:
        return lm.load(config.model)
    files = config.finetune.tokenizer_data or config.finetune.data
    texts = [f"{qa.question}\n{qa.answer}" for file in files for qa in data.read_qa(Path(file), set_="train")]
    model, tokenizer = lm.make_tiny(texts, config.finetune, seed=_seed(config))
    return LM(model.to(lm.pick_device(config.model.device)), tokenizer, template=config.model.template)


_UNSEEN = ("save_steps", "max_minutes", "report_to")
"""Training settings that change no weight."""


def _training_key(config: RunConfig, section: str) -> dict[str, Any]:
    key = {"seed": config.seed, "threads": config.threads, "model.template": config.model.template}
    key |= {k: v for k, v in _part(config, section).items() if k.split(".")[1] not in _UNSEEN}
    from_scratch = section == "finetune" and config.finetune.scratch
    return key | ({} if from_scratch else {"weights": weights(config.model)})


def _logger(folder: Run, stage: str) -> Callable[[dict[str, Any]], None]:
    bars: list[Any] = []

    def log(row: dict[str, Any]) -> None:
        folder.log({"stage": stage} | row)
        if "look" in row:
            return
        if "truncated" in row:
            say(f"{stage}: {row['truncated']} rows are longer than the context or max_length; their answers are cut")
            return
        if not bars:
            bars.append(terminal.progress("forgetting" if stage == "forget" else "training", row["steps"]))
            bars.append(bars[0].__enter__())
            bars[1](row["step"] - 1)
        bars[1](1)
        if row["step"] == row["steps"]:
            bars[0].__exit__(None, None, None)

    return log


def _done(folder: Run, stage: str, key: dict[str, Any], inputs: str, outputs: list[str]) -> bool:
    """Finished here, or in a sibling folder, whose files are then copied."""
    if folder.current(stage, key, inputs):
        return True
    source = folder.adopt(stage, key, inputs, outputs) if stage != "eval/after" else None
    if source:
        say(f"{stage}: taken from {source}")
    return source is not None


def _published_memo(facts: Sequence[InvertedFacts], path: Path) -> list[MemoRecord]:
    texts = {(f.id, f"answer_{i}"): a.text for f in facts for i, a in enumerate(f.answers)}
    rows = [m for m in data.read_memo(path) if m.column == "undesired_answer" or texts.get((m.id, m.column)) == m.text]
    missing = set(texts) - {(m.id, m.column) for m in rows} - {k for k, text in texts.items() if not text}
    if missing:
        id_, column = min(missing)
        raise DataError(f"{path}: {len(missing)} inverted answers have no value, the first is {column} of id {id_}; "
                        "set invert.path to the same file, or measure with meow memo")  # fmt: skip
    return rows


def _published_reference(folder: Run, config: RunConfig) -> None:
    path = Path(str(config.eval.reference))
    samples = published.read(path).samples
    key = {"reference": digest([s.model_dump(mode="json") for s in samples])}
    if folder.current("eval/reference", key, ""):
        return
    with folder.stage("eval/reference", key) as entry:
        write_records(folder / "eval/reference/samples.jsonl", samples)
        origin = {"path": str(path), "hash": key["reference"]}
        evaluation.write_log(folder, config, "reference", samples, origin)
        entry["rows"] = len(samples)


def _reference_key(config: RunConfig) -> str | None:
    if config.eval.reference is None:
        return None
    settings = reference_model(config)
    if settings is not None:
        return weights(settings)
    return digest([s.model_dump(mode="json") for s in published.read(Path(config.eval.reference)).samples])


def _part(config: RunConfig, section: str) -> dict[str, Any]:
    """The settings of one section, by dotted key, as JSON."""
    return {f"{section}.{k}": v for k, v in getattr(config, section).model_dump(mode="json").items()}


def _seed(config: RunConfig) -> int:
    if not isinstance(config.seed, int):
        raise ConfigError("seed: a list stands for several runs; this command takes one, as in seed=0")
    return config.seed


def _texts(fact: Fact) -> list[Any]:
    """What a stage reads of a fact."""
    more = (
        [[a.text, a.version] for a in fact.answers] + sorted(fact.others.items())
        if isinstance(fact, InvertedFacts)
        else []
    )
    return [fact.id, fact.question, fact.answer, fact.subject, [m.content for m in fact.messages], more]


def _read_if(path: Path, kind: Any) -> list[Any]:
    return read_records(path, kind) if path.is_file() else []
