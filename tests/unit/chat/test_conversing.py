"""Conversations with a model here: however many there are and however long each goes on, they end in order."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

from meow.chat.conversing import WAVE, conversations
from meow.chat.replies import Replies, Request
from meow.config import InvertSettings
from meow.lm import LM
from meow.records import Reply

SETTINGS = InvertSettings(backend="local")


def test_what_was_said_before_is_not_asked_again_and_waves_of_conversations_end_in_order() -> None:
    def talk(i: int) -> Generator[Request, Reply, str]:
        said = ""
        for turn in range(3 - i % 3):  # the first of three ends last
            reply = yield Request(f"{i}", 8, turn)
            said += reply.text
        return said

    key = Replies(SETTINGS, "tiny").key
    requests = [Request(f"{i}", 8, turn) for i in range(2 * WAVE + 9) for turn in range(3)]
    known = {key(r): Reply(key=key(r), text=f"{r.prompt}.{r.seed} ", is_cut=False) for r in requests}
    replies = Replies(SETTINGS, "tiny", known=known)
    nobody = cast(LM, object())  # would fail if it were asked
    found = list(conversations(map(talk, range(2 * WAVE + 9)), replies, nobody))
    assert found == ["".join(f"{i}.{turn} " for turn in range(3 - i % 3)) for i in range(2 * WAVE + 9)]
    assert replies.requests == len(requests)
