"""What a training may do otherwise: forget the values alone, spare what must stay, bear rounding.

In: settings, a model, gradients. Out: which tokens a term reads, and how its gradient and its weight change.
"""
