"""The living server: channels in memory, one writer for each, hooks run as they fall due.

``channel_manager`` and ``bot_manager`` are what callers use; ``sequencer`` orders the writes of a
channel, ``replica`` folds its log.
"""
