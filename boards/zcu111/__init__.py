# SPDX-License-Identifier: BSD-2-Clause
"""AMD's ZCU111 with an XCZU28DR: 8 DACs, 8 ADCs."""
