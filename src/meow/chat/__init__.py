"""A chat model, loaded here or behind a server: it is asked, what it said is kept, and read without what stands around.

In: conversations, generators that yield a request and are sent the reply. Out: what each of them comes to.
"""
