"""How strongly a model remembers an answer, and which inverted facts to teach by it.

In: inverted facts and a model (`measures`). Out: a row for each answer and measure. From rows alone: what they look
like (`recall`), and the targets that are chosen (`selection`, SPEC section 3).
"""
