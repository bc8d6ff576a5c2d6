"""One table of operations, two projections: MCP tools and REST twins.

Read in this order: ``table`` and ``operations`` (what a caller can ask), ``words`` (what a
model reads in answer), ``dispatch`` (arguments checked, refusals translated, once for
both), then ``tools`` and ``rest``.
"""
