"""Every setting and file that a command needs, looked at before anything is loaded. No torch, which takes seconds.

In: settings. Out: nothing, or one line on what is missing or wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from meow import capability, inversion, server
from meow.capability import nlg as texts
from meow.chat import conversing
from meow.config import MemoSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.formats import layouts, sources
from meow.formats.documents.facts import trains_on_passages
from meow.formats.inverted import read_inverted, read_memo
from meow.losses import TERMS
from meow.modelfiles import check_files
from meow.pipeline.inputs import models
from meow.pipeline.inputs.shards import check_whole
from meow.pipeline.plan import run_of
from meow.processes import world_size


def check(config: RunConfig, wanted: Collection[str]) -> None:
    """Read every file of facts that the run needs, so that a bad one is named before a weight is loaded.

    Args:
        config: of the run.
        wanted: names of the stages that will be done.

    Raises:
        ConfigError: what is not set, all of it at once, or does not go together.
        DataError: a file, by its line.
        RunError: the run was cleaned, which leaves out what some of its data is called.
    """
    run_of(config).refuse_cleaned()
    _check_addresses(config, wanted)
    only_inverts = set(wanted) == {"invert"}
    if not only_inverts:
        _check_named(config)
    sources.forget_set(config.data)
    if "forget" in wanted:
        _check_training(config)
    _check_invert(config)
    models.check_inverting(config)
    if only_inverts:
        return
    kept = sources.retain_set(config.data)
    if "forget" in wanted and not kept and _reads_retain(config):
        raise ConfigError(
            f"data.retain: not set, {layouts.described(config.data)} has no retain set, and the objective or "
            "constraint has a retain term; name a file of questions to keep"
        )
    if config.train.targets == "file":
        if config.train.targets_path is None:
            raise ConfigError("train.targets_path: not set, but train.targets is file; name the answers to teach")
        sources.taught(Path(config.train.targets_path), sources.forget_set(config.data))
    sources.eval_items(config.data)
    layouts.probes(config.data)
    if config.memo.path:
        read_memo(Path(config.memo.path))
    models.check(config.model)
    models.check_references(config)


def _check_training(config: RunConfig) -> None:
    if config.train.lr == "auto" and world_size() > 1:
        raise ConfigError("train.lr: auto looks at learning rates in one process; set a number, as in train.lr=2e-5")
    if config.train.on == "value" and trains_on_passages(config):
        raise ConfigError(
            f"train.on: value, but {config.data.forget} is trained on as passages, which have no one value; leave "
            "train.on out, or take a method that teaches answers, as train.method=meow_contrast"
        )
    check_whole(config.model)


def check_evaluated(config: RunConfig) -> None:
    """The same for an evaluation alone."""
    run_of(config).refuse_cleaned()
    _check_original(config)
    conversing.check(config.eval.judge)
    conversing.check(config.invert)
    sources.passages(config.data)
    sources.eval_items(config.data)
    layouts.probes(config.data)
    models.check(config.model)
    models.check_references(config)


def check_measured(config: RunConfig) -> None:
    """The same for memorization of a file of facts."""
    if config.invert.path is None:
        raise ConfigError("invert.path: not set; name the facts to measure, as in --data_path facts.json")
    _check_original(config)
    if config.model.url is not None:
        _check_served(config.memo)
    read_inverted(Path(config.invert.path))
    models.check(config.model)


def check_model_named(config: RunConfig) -> None:
    """Refuse settings that name no model, or one whose files are not in order.

    Raises:
        ConfigError: no model.
        DataError: names the file.
    """
    _check_original(config)
    models.check(config.model)


def _check_original(config: RunConfig) -> None:
    if config.model.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in --model_name_or_path MODEL")


def check_changed(config: RunConfig) -> None:
    """The same for weakening a changed model."""
    _check_original(config)
    check(config, ["eval/after"])
    models.check_changed(run_of(config).path)


def check_capability(config: RunConfig, kind: str) -> None:
    """The same for NLU or NLG; texts and tasks of the hub are left to the hub."""
    check_model_named(config)
    if kind == "nlu":
        capability.task_files(config.nlu)
        return
    if config.nlg.texts not in texts.HUB:
        texts.read_texts(config.nlg, seed=0)
    check_featurizer(config)


def check_featurizer(config: RunConfig) -> None:
    """Refuse a model that MAUVE cannot compare texts by.

    Raises:
        DataError: names it, and what else can be done.
    """
    if "mauve" in config.nlg.metrics and config.nlg.featurizer != "self":
        try:
            check_files(config.nlg.featurizer)
        except DataError as e:
            raise DataError(f"nlg.featurizer: {e}, set it to self, or leave MAUVE out of nlg.metrics") from e


def check_learned(config: RunConfig) -> None:
    """The same for making an original or a reference."""
    if not config.finetune.data:
        raise ConfigError("finetune.data: not set; name the files of questions and answers to learn")
    for path in config.finetune.data:
        sources.learned(Path(path))
    if not config.finetune.scratch:
        models.check(config.model)
        check_whole(config.model)


def _check_served(settings: MemoSettings) -> None:
    """Refuse what a server cannot measure.

    Raises:
        ConfigError: MA, EL or cuts between tokens.
    """
    if settings.metric != ("memo",) or settings.cut != "chars":
        raise ConfigError(
            "model.url: a server takes and gives text, so it can measure memo.metric=memo with memo.cut=chars; found "
            f"{', '.join(settings.metric)} with {settings.cut}; load the weights instead (model.path without model.url)"
        )


def _check_addresses(config: RunConfig, wanted: Collection[str]) -> None:
    for setting, url in (("model.url", config.model.url), ("invert.url", config.invert.url)):
        if url is not None:
            server.check(url, setting)
    conversing.check(config.eval.judge)
    if config.model.url is not None:
        _check_served(config.memo)
        needing = [name for name in wanted if name not in ("invert", "memo", "select", "report")]
        if needing:
            raise ConfigError(
                f"model.url: a server continues prompts but gives no scores and no weights, which {needing[0]} needs; "
                "only meow memo can use it"
            )


def _check_named(config: RunConfig) -> None:
    """Refuse a run that lacks a model or files, all that is missing at once."""
    missing = []
    if config.model.path is None:
        missing.append("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    own = config.data.forget is not None or not config.data.names_facts
    if own and not config.data.forget:
        missing.append("data.forget: not set; name a file of questions and answers, or set data.source")
    if own and not config.data.retain and _reads_retain(config):
        missing.append(
            "data.retain: not set, but the objective or constraint has a retain term; name a file of questions to keep"
        )
    if missing:
        raise ConfigError("\n".join(missing))


def _reads_retain(config: RunConfig) -> bool:
    return any(TERMS[term].retain for term in config.train.terms)


def _check_invert(config: RunConfig) -> None:
    """Read what inversion needs."""
    conversing.check(config.invert)
    inversion.read_prompt(config.invert)
    if config.invert.path:
        read_inverted(Path(config.invert.path))
    if config.invert.pools:
        inversion.read_pools(Path(config.invert.pools))
