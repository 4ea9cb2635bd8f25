"""Learning from rows that never leave their owners (clients): averaging, privacy, secure sums.

Belongs here: the methods and their simulation on any table. Does not belong here: how messages
travel.
"""
