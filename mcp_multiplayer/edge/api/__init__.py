"""One table of operations, two projections: MCP tools and REST twins.

Read in this order: ``operations`` (what a caller can ask), ``render_text`` (what a
model reads in answer), ``dispatch`` (arguments checked, refusals translated, once for
both), then ``tools`` and ``rest``.
"""
