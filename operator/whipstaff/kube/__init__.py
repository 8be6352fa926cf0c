"""The API server: a thin client of our own, and on it the ports of `reconcile`.

Nothing here decides: it asks, retries what is safe to repeat, and says what the server said. No
value of the user gets into the text of an error, and no answer is trusted to be well-formed.
"""
