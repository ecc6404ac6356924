# SPDX-License-Identifier: BSD-2-Clause
"""AMD's ZCU216 with an XCZU49DR: 16 DACs, 16 ADCs, clocks from a CLK104 module."""
