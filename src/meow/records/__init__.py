"""The rows that pass between stages, and reading and writing them as JSON lines.

In: JSON, a line each. Out: records, and lines again. Every record is frozen and refuses unknown fields. `id` names the
fact and travels through all stages.
"""

from meow.records.facts import (
    QA,
    TRUE_COLUMN,
    EvalItem,
    Fact,
    InvertedAnswer,
    InvertedFacts,
    Kind,
    Message,
    Record,
    Reply,
    Role,
    Target,
    fact_id,
)
from meow.records.measured import (
    Asked,
    BrokenBy,
    CapabilityLog,
    Disagreement,
    EvalLog,
    EvalSample,
    FormName,
    FormRates,
    Likelihood,
    MemoRecord,
    NlgSample,
    NluSample,
    Value,
)
from meow.records.rows import (
    dump_line,
    first_problem,
    read_if,
    read_record,
    read_records,
    write_records,
)

__all__ = [
    "QA",
    "TRUE_COLUMN",
    "Asked",
    "BrokenBy",
    "CapabilityLog",
    "Disagreement",
    "EvalItem",
    "EvalLog",
    "EvalSample",
    "Fact",
    "FormName",
    "FormRates",
    "InvertedAnswer",
    "InvertedFacts",
    "Kind",
    "Likelihood",
    "MemoRecord",
    "Message",
    "NlgSample",
    "NluSample",
    "Record",
    "Reply",
    "Role",
    "Target",
    "Value",
    "dump_line",
    "fact_id",
    "first_problem",
    "read_if",
    "read_record",
    "read_records",
    "write_records",
]
