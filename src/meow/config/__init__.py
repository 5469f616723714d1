"""Settings: what a run may be told, and how it is told.

In: a YAML and `key=value` overrides. Out: one frozen, validated `RunConfig`, or every problem in one message. Each
setting says where it stands whether it changes a result (`marks`).
"""

from meow.config.loading import dump, leaves, load, read_tree, tree_of
from meow.config.marks import Settings
from meow.config.measuring import (
    EvalSettings,
    Further,
    MemoSettings,
    NlgSettings,
    NluSettings,
    RobustnessSettings,
)
from meow.config.measuring.judging import JudgeSettings
from meow.config.schema import (
    TEMPLATE_DATE,
    DataSettings,
    InvertSettings,
    Method,
    ModelSettings,
    NotifySettings,
    RunConfig,
    SelectSettings,
)
from meow.config.training import FinetuneSettings, Optimization, Targets, TrainSettings
from meow.config.tuning import Range, TuneSettings

__all__ = [
    "TEMPLATE_DATE",
    "DataSettings",
    "EvalSettings",
    "FinetuneSettings",
    "Further",
    "InvertSettings",
    "JudgeSettings",
    "MemoSettings",
    "Method",
    "ModelSettings",
    "NlgSettings",
    "NluSettings",
    "NotifySettings",
    "Optimization",
    "Range",
    "RobustnessSettings",
    "RunConfig",
    "SelectSettings",
    "Settings",
    "Targets",
    "TrainSettings",
    "TuneSettings",
    "dump",
    "leaves",
    "load",
    "read_tree",
    "tree_of",
]
