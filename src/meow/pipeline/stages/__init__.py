"""What each stage does: records in a run folder in, other records out. The order stands in `plan`.

In: a run folder and settings. Out: its files.

A stage is skipped when it is finished with the same settings and inputs, and goes on where it stopped otherwise.
"""

from meow.pipeline.inputs.models import published, reference_model, references
from meow.pipeline.stages.answers import check_inputs, choose, instead, invert
from meow.pipeline.stages.capability import nlg, nlu
from meow.pipeline.stages.evaluation.evaluate import (
    SHORT_LOOK,
    compared_with,
    evaluate,
    evaluated,
    page,
    with_subjects,
    with_taught,
    write_evaluation,
)
from meow.pipeline.stages.evaluation.judge import judge
from meow.pipeline.stages.evaluation.questions import lacking, write_questions
from meow.pipeline.stages.evaluation.robust import compressed, curves_left_out, relearned
from meow.pipeline.stages.facts import make_facts
from meow.pipeline.stages.memory import measure, memo
from meow.pipeline.stages.models import measurer, model_of, release, weights
from meow.pipeline.stages.plausible import unlikely
from meow.pipeline.stages.rows import check_rows, evaluated_files, inverted_files, say_remarks
from meow.pipeline.stages.shards import put_together
from meow.pipeline.stages.train import finetune, finetune_shard, forget, refuse_other_data

__all__ = [
    "SHORT_LOOK",
    "check_inputs",
    "check_rows",
    "choose",
    "compared_with",
    "compressed",
    "curves_left_out",
    "evaluate",
    "evaluated",
    "evaluated_files",
    "finetune",
    "finetune_shard",
    "forget",
    "instead",
    "invert",
    "inverted_files",
    "judge",
    "lacking",
    "make_facts",
    "measure",
    "measurer",
    "memo",
    "model_of",
    "nlg",
    "nlu",
    "page",
    "published",
    "put_together",
    "reference_model",
    "references",
    "refuse_other_data",
    "relearned",
    "release",
    "say_remarks",
    "unlikely",
    "weights",
    "with_subjects",
    "with_taught",
    "write_evaluation",
    "write_questions",
]
