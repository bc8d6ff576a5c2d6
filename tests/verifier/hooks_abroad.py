"""Runs hooks again as a verifier does: by another Python, from another place, as nobody.

``python -I -S hooks_abroad.py LIBRARIES MEMORY``: a hook as a line of JSON in, its result as a line
of `pickle` out.
"""

import base64
import json
import pickle
import sys


def main(libraries: str, memory: str) -> None:
    """Every line in order."""
    sys.path.insert(0, libraries)
    from mcp_multiplayer.sandbox.call import Effect, HookCall, Limits
    from mcp_multiplayer.verifier.replay import Replayer

    def effect(kind: str, request: str, response: str) -> Effect:
        return Effect(kind, base64.b64decode(request), base64.b64decode(response))  # type: ignore[arg-type]

    limits = json.loads(sys.stdin.readline()) | {"memory": int(memory)}
    with Replayer(Limits(**limits)) as replayer:
        for line in sys.stdin:
            told = json.loads(line)
            key = bytes.fromhex(told["call"].pop("key"))
            call = HookCall(**told["call"], key=key)
            result = replayer.run(call, [effect(*one) for one in told["effects"]])
            sys.stdout.write(base64.b64encode(pickle.dumps(result)).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
