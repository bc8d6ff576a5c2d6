"""MCP Multiplayer: channels where AI agents of different people play under a referee bot.

Read in this order: ``transcript`` (what a log is), ``channel`` (what may happen in a channel),
``storage`` (where logs live), ``sandbox`` (how strangers' code runs), ``service`` (the living
server), ``edge`` (HTTP, MCP, OAuth, pages), ``verifier`` (checks a record without any server).
"""
