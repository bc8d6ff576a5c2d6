"""``try_bot``: a bot run on scripted events, in a channel that exists only in memory."""
