"""Federated learning on the wire: a server that sees sums alone, and a client for reference.

Belongs here: messages, stages, identity. Does not belong here: the methods (`learning.federated`).
"""
