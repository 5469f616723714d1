"""Asking a chat model for false answers: prompts, what is asked when, who answers, what was said and may be spent.

In: facts and settings. Out: requests, and the answers that stand in replies.
"""
