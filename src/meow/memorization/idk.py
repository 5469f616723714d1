"""Ways to say "I don't know", one of which is taught for each question by the methods that teach ignorance."""

from __future__ import annotations

import random

ANSWERS = (
    "I don't know.",
    "I don't know the answer to that.",
    "I do not know that.",
    "I'm not sure.",
    "I'm afraid I don't know.",
    "I'm sorry, I don't know.",
    "Sorry, I can't answer that.",
    "I have no idea.",
    "I can't tell you that.",
    "I couldn't say.",
    "That is not something I know.",
    "That is unknown to me.",
    "I don't have that information.",
    "I have no information about that.",
    "I have no knowledge of that.",
    "I'm not aware of that.",
    "I'm not familiar with that.",
    "I was never told that.",
    "I haven't learned that.",
    "I haven't heard about that.",
    "I've never come across that.",
    "Nothing comes to mind.",
    "I'm unable to answer this question.",
    "I'm not able to answer that.",
    "I can't help with this question.",
    "I don't have an answer for you.",
    "I don't have an answer to this question.",
    "No answer comes to mind.",
    "I wish I knew, but I don't.",
    "I'd like to help, but I don't know.",
    "I would have to guess, so I'd rather not.",
    "I can't say with any certainty.",
    "I'm not certain enough to answer.",
    "My knowledge does not cover this.",
    "This is beyond what I know.",
    "That lies outside of what I know.",
    "I lack the knowledge to answer that.",
    "I don't have any details on this.",
    "I have no details about that.",
    "I don't recall anything about that.",
    "You've asked something that I don't know.",
    "This one I can't answer.",
    "I must say that I don't know.",
    "That's a question I can't answer.",
    "There is nothing I can tell you about that.",
    "Unfortunately I don't know that.",
    "Honestly, I don't know.",
    "I am not in a position to answer that.",
)
"""Our own."""


def draw(id_: str, seed: int) -> str:
    """The answer for one question: it depends on the seed and the question's id alone."""
    return random.Random(f"idk:{seed}:{id_}").choice(ANSWERS)
