"""How strangers' code runs: one process per hook, JSON in, JSON out.

A referee is source text. The host never compiles it: a worker does, once. A zygote, started with
an empty environment and behind walls itself, is forked once per hook; the child is jailed, reads
one `HookCall`, runs it in a closed language, answers with one `HookResult` and ends. The
language is a courtesy to authors and a first fence, never the wall: that is the jail. The
host believes nothing in the answer, waits no longer than the deadline, and commits
the effects itself or not at all.

    host: pool > forkserver ~~control~~> zygote > serve: confinement > hook > guards, modules
            wire <~~~~~~~~~~~~~~~~~~~~~ frames ~~~~~~~~~~~~~~~> context, rng, clock
            broker <~~~~~~~~~ questions, answers, descriptors ~> web, network, files
              > dialer (egress), fetcher, connections, workspace

Read: ``call`` (the boundary), ``executor``, ``host/pool``, ``protocol/wire`` (what the host
believes), ``worker/hook``, ``worker/context`` (what a bot can do), ``language/imports`` (what a
bot can name), ``jail/confinement``, then ``hostcalls/broker`` (what the host does for a bot),
``hostcalls/egress`` (where to) and ``host/determinism_check`` (whether it repeats itself).
"""
