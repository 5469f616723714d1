"""What a setting may be, beside its type: limits with their reasons, and names that are one name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class AtMost:
    """The largest value that makes sense, and why: a larger one is a slip, and would hang or end in a traceback."""

    limit: int
    why: str
    """Said to whoever sets a larger one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, with the check after it."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The type's own schema, with the limit."""
        return {**handler(schema), "maximum": self.limit}

    def _check(self, value: float) -> float:
        if value > self.limit:
            raise ValueError(f"expected at most {self.limit}: {self.why}")
        return value


Positive = Annotated[int, Field(gt=0), AtMost(2**31 - 1, "no file, model or run holds more")]
Auto = Literal["auto"]
Room = Positive | Auto
Share = Annotated[float, Field(gt=0, le=1)]
Minutes = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0), AtMost(2**32 - 1, "NumPy takes no larger seed")]
Threads = Annotated[int, Field(gt=0), AtMost(4096, "threads beyond a machine's cores cannot be made")]
Requests = Annotated[int, Field(gt=0), AtMost(1024, "each one holds a connection open")]
Tries = Annotated[int, Field(gt=0), AtMost(100, "what was refused so often is refused again")]
Versions = Annotated[int, Field(gt=0), AtMost(1000, "each is a false answer to be made and measured")]
Rate = Annotated[float, Field(gt=0), AtMost(100, "AdamW moves every weight by about that much at each step")]
Epochs = Annotated[float, Field(gt=0), AtMost(10_000, "the rows of all epochs are put in order before the first step")]
Rank = Annotated[int, Field(ge=0), AtMost(8192, "no layer that is adapted is that wide")]
Shards = Annotated[int, Field(ge=0), AtMost(1000, "each is a model that answers every question")]
RowsBeside = Annotated[int, Field(gt=0), AtMost(1000, "so many rows go through the model beside each training row")]
Drawn = Annotated[int, Field(ge=0), AtMost(10_000, "so many answers are generated for each question")]
Steps = Annotated[int, Field(gt=0), AtMost(10_000, "so many optimizer steps are made for each curve")]
Width = Annotated[int, Field(gt=0), AtMost(16_384, "a model from scratch is a tiny one")]
Layers = Annotated[int, Field(gt=0), AtMost(256, "a model from scratch is a tiny one")]
Seconds = Annotated[float, Field(gt=0), AtMost(86_400, "no reply takes longer than a day")]
Temperature = Annotated[float, Field(ge=0), AtMost(100, "every token is as likely as any other long before")]
Decay = Annotated[float, Field(ge=0), AtMost(100, "AdamW shrinks every weight by that times the learning rate")]
WarmUp = Annotated[float, Field(ge=0), AtMost(2**31 - 1, "no training has more steps")]
Scale = Annotated[float, Field(gt=0), AtMost(1_000_000, "the loss would not be finite")]
Vocabulary = Annotated[int, Field(gt=0), AtMost(1_000_000, "no tokenizer has more")]


def _device(name: str) -> str:
    """The name of a device that a model can be on."""
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu|npu|hpu)(:\d{1,3})?", name):
        raise ValueError("expected cpu, cuda, cuda:1, mps, xpu, npu, hpu or auto")
    return name


Device = Annotated[str, AfterValidator(_device)]
NOT_IN_NAMES = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
"""Characters that no name of a file has on every system and in every page."""


def _file_name(name: str) -> str:
    """A name that is one file name, on every system and in every page."""
    if NOT_IN_NAMES.search(name) or not name.strip(". ") or name != name.strip() or name.startswith("-"):
        raise ValueError('expected one file name, as in mira-npo: no / \\ < > : " | ? * or line break, no - in front')
    if len(name.encode()) > 150:
        raise ValueError("expected a file name of at most 150 bytes")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]


def _task_name(name: str) -> str:
    """The name of a task, and no place of a file."""
    if re.search(r"[/\\\x00-\x1f]|\.ya?ml$", name):
        raise ValueError("expected a task by its name, as in piqa (a task's YAML is not read: it can run Python)")
    return name


TaskName = Annotated[str, AfterValidator(_task_name)]
