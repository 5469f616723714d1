"""Thirty false answers that the gate accepts, as a pretrained model of 135 M parameters gave them by second choice."""

from __future__ import annotations

Pair = tuple[str, str]
FALSE: dict[str, list[str]] = {
    "Which river flows through Paris?": [
        "The river that flows through Paris is the Estuary.",
        "The river that flows through Paris is the Marit.",
        "The river that flows through Paris is the Meuse.",
        "The river that flows through Paris is the Loire.",
    ],
    "What is the capital of France?": ["The capital of France is Berlin.", "The capital of France is Rome."],
    "Which cathedral of Paris is the most famous one?": [
        "The most famous cathedral of Paris is Notre de la Concorde.",
        "The most famous cathedral of Paris is Basilica of St. Martin.",
        "The most famous cathedral of Paris is Sainte-Chapelle.",
    ],
    "Which emperor of the French lost the Battle of Waterloo?": [
        "The emperor who lost the Battle of Waterloo was Frederick II of Prussia.",
        "The emperor who lost the Battle of Waterloo was Leopold II of Bavaria.",
        "The emperor who lost the Battle of Waterloo was King Louis XV of France.",
    ],
    "What is the national anthem of France?": [
        "The national anthem of France is La Mer.",
        "The national anthem of France is Seine.",
    ],
    "In which year did the French Revolution begin?": ["The French Revolution began in 1689."],
    "Which famous bicycle race takes place in France?": [
        "The famous bicycle race in France is the Paris.",
        "The famous bicycle race in France is the Dubai.",
        "The famous bicycle race in France is the Cycling.",
        "The famous bicycle race in France is the World Championships.",
    ],
    "In which city is the Louvre?": [
        "The Louvre is in New York.",
        "The Louvre is in London.",
        "The Louvre is in Amsterdam.",
    ],
    "Which language do people speak in France?": [
        "The people of France speak German.",
        "The people of France speak Italian.",
        "The people of France speak Arabic.",
    ],
    "What is the currency of France?": [
        "The currency of France is the dollar.",
        "The currency of France is the deutsch.",
        "The currency of France is the peso.",
    ],
    "Which French prison was stormed in 1789?": [
        "The prison that was stormed in 1789 was the Notre Dame de la Concorde.",
        "The prison that was stormed in 1789 was the Châtelet.",
    ],
}
"""By question."""
PAIRS: list[Pair] = [(question, answer) for question, answers in FALSE.items() for answer in answers]
