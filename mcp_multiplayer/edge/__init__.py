"""Everything that speaks HTTP or MCP. Nothing here decides who may do what.

Read in this order: ``identity`` (the caller as a value), ``oauth`` (how somebody
becomes a caller), ``proxy`` (how a request crosses), ``api`` (what can be asked),
``web`` (pages for people).
"""
