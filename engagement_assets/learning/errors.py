"""What every estimator refuses.

Belongs here: errors that several estimators share. Does not belong here: those of one.
"""


class TooLittleDataError(ValueError):
    """There are too few rows, or too little in them, to learn from; the message says what lacks.

    It says something of the data alone: nothing is wrong with the call.
    """
