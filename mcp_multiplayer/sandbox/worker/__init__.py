"""The processes that strangers' code runs in, from the one they are forked from to what a bot gets
as ``ctx``."""
