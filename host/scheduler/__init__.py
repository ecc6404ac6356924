# SPDX-License-Identifier: BSD-2-Clause
"""Jobs over Ethernet: many people, many boards, one queue that survives whatever is killed.

NATS JetStream has the queue, the persistence and the distribution. Ours are the contracts (`contracts`), the decisions
(`queue`, `policy`, `fleet`, `scheduler`) and the agent beside a board (`agent`, `runners`).

A job is one record under its name, and every step is a new revision of it, written only if nobody has written since:
compare-and-set is the one mechanism from which "ends exactly once" follows. The revision by which a board was leased
is the fencing token. The obvious other way, a work queue whose acknowledgement is the end of the job, loses what was
acknowledged before its result was written, or runs what was written before it was acknowledged.

What can go wrong: an agent that dies has its jobs run again elsewhere; one that was only silent finds its results
refused. A scheduler that dies is started anew, and has nothing of its own to remember. The whole of it is in
docs/decisions/0022.

Needs the extra `jobs`; the base package imports nothing from here.
"""
