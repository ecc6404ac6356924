# SPDX-License-Identifier: BSD-2-Clause
"""Weighted union-find (Delfosse and Nickerson, arXiv:1709.06218) as an array of cells.

Every odd cluster grows along its edges at the same speed; clusters that meet become one; a cluster that is even, or
that has reached the boundary, rests. When all rest, the detection events in each cluster can be explained inside it.

    plan.py     what the array consists of, the growth steps, the worst case
    edge.py     slack of an edge: how much of its log-likelihood weight is still to be grown over
    vertex.py   cluster membership of a detector, and what it asks for
    tree.py     reductions over the array
    array.py    all of these, and the two-beat controller
    peel.py     the physical correction, afterwards

**Two beats.** LOOK registers what every cell wishes; ACT does the most local thing that anybody wished for, over the
whole array at once:

1. pair: two clusters of one vertex that picked the same full edge become one, and a lone vertex with a full boundary
   edge is done. Both ends know all about each other, so any number of pairs form in one act. At low error rates this is
   nearly all that ever happens.
2. adopt: free vertices join the cluster that has reached them.
3. merge: larger clusters are joined one at a time. An arbiter picks the first vertex that asks, and what it asks for is
   broadcast: every vertex of the losing cluster takes the winner's number and shifts its potential. The cost does not
   depend on the diameter, where flooding from neighbour to neighbour would.
4. grow: nobody wishes for anything, so all active clusters grow by the largest step that fills no edge past its end.

Splitting a beat into its two halves keeps each path short (choice and reduction in one, broadcast and update in the
other) and makes every decision one about a settled state, so that there are no races to reason about and the model can
follow cycle for cycle.

**Growth by events.** Steps come from a fixed set (`plan.GROWTH_STEPS`): for each step the edges that it would overfill
are OR-ed together, and the largest step that nobody blocks is taken. An exact minimum over all slacks is a tree of
comparators, three times as deep; powers of two alone need more acts to get to an event. The smallest weight of all is
grown while the array loads: no edge can be overfilled by that, whatever the detection events are.

**No walking.** A vertex keeps the parity of the observables on its path to the cluster's root. The logical flip is the
XOR of these potentials over the detection events, ready in the cycle in which the last cluster comes to rest. The tree
itself is only recorded (one bit per edge) for peeling.

**What rests is left alone.** Only active clusters ask to be joined. Two clusters at rest that touch stay two until an
active one reaches them; the regions grown over are the same as if they had been joined, and the acts are fewer.

**Worst case.** The forest has at most as many edges as the array has vertices, every act but growth adds at least one,
and growth to an event lets the next act add one: see `plan.ArrayPlan.bound`.
"""
