"""What a use case refuses.

Belongs here: errors that several modules of the lifecycle raise. Does not belong here: anything
else.
"""


class NotTrainableError(RuntimeError):
    """There is nothing to learn from: the message says what is missing."""
