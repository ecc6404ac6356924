# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board: clock, reset and register bus are its pins; `triplane.sim.board` builds and drives it."""
