"""The log format, shared by the server that writes it and the verifier that doubts it.

A channel's log is a list of entries. An entry is a JSON object; its canonical bytes
are a *leaf*; each entry names the hash of the leaf before it (``p``), and all leaves
together form an RFC 6962 tree whose root is the log's head. So a head commits to
every word and to their order.

Standard library only, no I/O, no clock: a reader must be able to rewrite this package
from `docs/format.md`. Read ``canonical`` (one value, one byte string), ``tree``, ``chain``,
then ``note`` and ``proofs`` (how heads are signed and compared), ``seeds`` and ``draws``
(how dice are bound before they fall).
"""
