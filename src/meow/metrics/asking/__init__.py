"""Is it gone? What is told when facts are asked for in every way, and what a judge says of it.

In: samples. Out: the worst case by fact and subject with its control, a rate for each way of asking (`worst`), and how
far a judge agrees with the rule of values (`agreement`)."""

from meow.metrics.asking.worst import (
    NEEDS,
    by_subject,
    rates,
    subjects_told,
    worst_case,
    worst_case_chance,
    worst_case_control,
)

__all__ = ["NEEDS", "by_subject", "rates", "subjects_told", "worst_case", "worst_case_chance", "worst_case_control"]
