"""What the server can do for a caller: a method for each line of `table.TABLE`.

A new feature starts as a method of one of the groups. The method takes the caller first
and plain arguments after. Its name is both the tool and the REST route, its signature the
input schema, its docstring the tool description: read by language models, so short,
exact, and about what to do. The table says the rest.
"""

from __future__ import annotations

from mcp_multiplayer.edge.api.operations.channels import ChannelOperations
from mcp_multiplayer.edge.api.operations.info import InfoOperations
from mcp_multiplayer.edge.api.operations.messages import MessageOperations
from mcp_multiplayer.edge.api.operations.transcripts import TranscriptOperations


class Operations(ChannelOperations, MessageOperations, InfoOperations, TranscriptOperations):
    """All of them, for one server."""
