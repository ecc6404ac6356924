# SPDX-License-Identifier: BSD-2-Clause
"""Real Digital's RFSoC 4x2 with an XCZU48DR: 2 DACs, 4 ADCs."""
