# SPDX-License-Identifier: BSD-2-Clause
"""Weighted union-find (Delfosse and Nickerson, arXiv:1709.06218) as an array of cells.

Every odd cluster grows along its edges at the same speed; clusters that meet become one; a cluster that is even, or
that has reached the boundary, rests. When all rest, the detection events in each cluster can be explained inside it.

    plan.py     what the array consists of, the growth steps, the worst case
    edge.py     slack of an edge: how much of its log-likelihood weight is still to be grown over
    vertex.py   cluster membership of a detector, and where it could join another
    tree.py     reductions over the array
    array.py    all of these, and the controller
    peel.py     the physical correction, afterwards
    commit.py   which clusters a window commits, afterwards

**Every vertex is a cluster** from the start, as in the textbook. A vertex without a detection event is a cluster at
rest, so that reaching it is a merge like any other, and one condition per edge says that clusters can join there:
full, between different clusters, and one of them active (`hot`).

**Look, act.** A look registers what every vertex chooses (the first of its hot edges); an act does one of these:

1. meet: two clusters of one vertex that have chosen each other join, and a lone vertex that has chosen a boundary edge
   is done. Both ends know all about each other, so any number meet in one act. At low error rates this is nearly all
   that ever happens.
2. adopt, with the meetings: free vertices (lone clusters without an event) that have chosen a vertex of the cluster
   that merged last join it, any number in one act. Its number is still on the bus of the last merge, and every vertex
   keeps a bit that says whether it is in it, so nothing has to be looked up among the neighbours but a potential.
   That cluster is nearly always the one large cluster that is still growing.
3. merge, with the meetings and where nothing is adopted: larger clusters are joined one at a time, in three more
   cycles. The act registers who asks; an arbiter picks the first of them in the cycle of the next look, which is given
   up for it; the numbers of its cluster and of the one it has reached are collected, then broadcast; every vertex of
   the losing cluster takes the winner's number and shifts its potential. The cost does not depend on the diameter,
   where flooding from neighbour to neighbour would.
4. grow: nothing is hot, so all active clusters grow by the largest step that fills no edge past its end.

Splitting a beat into its halves keeps each path short and makes every decision one about a settled state, so that
there are no races to reason about and the model can follow cycle for cycle. Whether anybody asks is known a cycle after
the act, not in it: choosing, and deciding over the whole array what follows from all choices, would be the longest path
of all.

**What is kept instead of computed.** Whether two neighbours are in different clusters is a bit per edge, cleared when
they join: a comparison of cluster numbers would be four LUTs an edge and two levels in every look. Whether a vertex is
a cluster of one is read off the forest.

**Weights come by a bus.** An edge has no register for its weight: its slack loads what the owner drives for its
weight class, all edges at once or those that are relieved. A second pass with conditional weights is one more load per
level, without a choice among starting lengths in every edge. There is no multiplexer in front of a slack, either: it is
set to all ones, and in the next cycle the subtractor that growth uses takes the inverse of the weight off.

**Growth by events.** Steps are powers of two, so that a threshold is an OR of upper slack bits: for each step the edges
that it would overfill are OR-ed together, and the largest step that nobody blocks is taken. An exact minimum over all
slacks is a tree of comparators, three times as deep. The smallest weight of all is grown before the first look: no edge
can be overfilled by that, whatever the detection events are.

**No walking.** A vertex keeps the parity of the observables on its path to the cluster's root. The logical flip is the
XOR of these potentials over the detection events, ready in the cycle in which the last cluster comes to rest. The tree
itself is only recorded (one bit per edge) for peeling and for committing.

**What rests is left alone.** Only active clusters ask to be joined. Two clusters at rest that touch stay two until an
active one reaches them; the regions grown over are the same as if they had been joined, and the acts are fewer.

**What can go wrong.** A cluster that is odd and can reach neither another nor a boundary stops the array with
`unmatched`. A first growth above the least weight loaded would fill edges past their end, and the result would be
wrong without notice: the owner must not.

**Worst case.** The forest has at most as many edges as the array has vertices, every act but growth adds at least one,
and growth to an event lets the next act add one: see `plan.ArrayPlan.bound`.
"""
