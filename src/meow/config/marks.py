"""What a setting is beside its type: the name of a place, or something that can change no result.

Each setting that is one of the two says so where it stands (`schema`); keys, `config.yaml` and the command line go by
it.
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

from meow.config import yamls

UNSEEN = "changes no result"
"""Of a setting for speed, memory or what is shown: no key holds it."""
PLACE = "names a place"
"""Of a file, a folder or something on the hub: keys hold what lies there instead, `config.yaml` an absolute path."""
Place = Annotated[str | None, PLACE]
Places = Annotated[tuple[str, ...], PLACE]
S = TypeVar("S", bound=BaseModel)


def marked(kind: type[BaseModel], *marks: str, prefix: str = "") -> frozenset[str]:
    """The settings that have one of these marks, by dotted name."""
    found: set[str] = set()
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= marked(inner, *marks, prefix=f"{prefix}{name}.")
        elif any(mark in field.metadata for mark in marks):
            found.add(prefix + name)
    return frozenset(found)


def placed(settings: S) -> S:
    """The same settings, good from any folder: what lies here by a relative path has an absolute one."""
    served = ("path", "model") if getattr(settings, "url", None) else ()  # names on a server, whatever lies here
    changed: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            changed[name] = placed(value)
        elif PLACE in field.metadata and value and name not in served:
            changed[name] = _absolute(value) if isinstance(value, str) else tuple(map(_absolute, value))
    return settings.model_copy(update=changed)


def _absolute(name: str) -> str:
    return str(Path(name).absolute()) if Path(name).exists() else name


def typed(kind: Any, text: str) -> Any:
    """The value of `key=text`: YAML, but where a text is expected, what was typed; `null` and nothing unset it.

    Args:
        kind: annotation of the setting; None: not known.
        text: as it was typed; in quotes it is YAML.

    Raises:
        yaml.YAMLError: malformed, or too deep.
    """
    text = text.strip()
    texts = get_origin(kind) is tuple and _is_text(get_args(kind)[0])
    if text in ("", "null", "~"):
        return None
    if texts and text.startswith("["):
        return yamls.read(text, yaml.BaseLoader)
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text if (texts or _is_text(kind)) and not quoted else yamls.read(text)


def _is_text(kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return all(_is_text(part) for part in inner if part is not NoneType)
    if origin is Annotated:
        return _is_text(inner[0])
    return all(isinstance(value, str) for value in inner) if origin is Literal else kind in (str, SecretStr)


class Settings(BaseModel):
    """A frozen group of settings; unknown keys are refused. UNSEEN and PLACE mark those that keys leave out."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """True is no number, though Python takes it for 1."""
        if isinstance(value, bool) and "bool" not in str(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("input should be a number or a text, not true or false")
        return value
