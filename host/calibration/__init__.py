# SPDX-License-Identifier: BSD-2-Clause
"""Models of the errors that are, from what the detectors saw.

A decoder's weights are log-likelihoods of error mechanisms. A model that follows from the circuit and a few measured
error rates knows which mechanisms there are, but not how likely each is on this device today; detection events do.
So the structure (mechanisms, decompositions, observables) is taken from a reference model and stays, and every
probability is estimated anew from correlations of detection events (`estimate`). Nothing needs to be known of the
true observables, so a model can be estimated while the machine computes.

What can go wrong, and what happens then. Detection events cannot tell apart mechanisms that flip the same detectors:
these share one estimate in the reference's proportions (`structure`). An estimate from few shots can come out below
zero: it is clipped to a floor, counted and listed. Correlations that no mechanism of the reference explains (leakage,
crosstalk) end in the boundary edges of their detectors: the strongest are named (`pairs`), so that somebody can
look. The share of shots that a model was fitted on must not judge it, so one half is fitted and the other decoded.

`board` loads an estimated model into gateware that runs already: the structure is the same, only weights change.
"""
