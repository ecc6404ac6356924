# SPDX-License-Identifier: BSD-2-Clause
"""`python -m triplane.host` is the `triplane` command."""

from triplane.host.cli import main

main()
