"""What the harness stumbles on, as one line."""

from __future__ import annotations

import pytest

from meow.capability.nlu import _named
from meow.config import NluSettings
from meow.errors import DataError


def test_a_hub_that_is_not_reached_for_a_task_of_the_harness_is_one_line_that_names_it() -> None:
    settings = NluSettings(tasks=("mmlu",))
    with pytest.raises(DataError, match="the data of mmlu are not all in the local cache") as e, _named(settings):
        raise ConnectionError("Couldn't reach 'cais/mmlu' on the Hub (OfflineModeIsEnabled)\nmore")
    assert "cais/mmlu" in str(e.value)
    assert "\n" not in str(e.value)
