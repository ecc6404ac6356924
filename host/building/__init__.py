# SPDX-License-Identifier: BSD-2-Clause
"""From a board's name to a folder that a board can be given: the bundle.

    decoders.py    what the board's decoder decodes, and the fabric that its converters feed
    gateware.py    Verilog, register map, build hash and pins of a board
    command.py     `triplane build`: tools, progress, table, bundle
    bundle.py      the folder, and its manifest with the SHA-256 of each file
    connecting.py  a driver for the board that carries a bundle
    flash.py       `triplane flash`: a bundle into a board, and the handshake afterwards

**One hash names the hardware.** The build hash is the SHA-256 of the Verilog as it is before the hash is put into it.
The board reports it, the bundle states it, and holds the Verilog that it stands for. A host that expects another hash
refuses the board, because every register address it would use came from another build.

**Where a vendor's tool is needed, the bundle says so.** For an ECP5 the whole way is open and the bundle holds a
bitstream. For an RFSoC it holds a Vivado project that has been checked as far as open tools go, and no bitstream until
Vivado has made one; `triplane flash` refuses such a bundle and names the command that completes it.
"""

from triplane.host.building.bundle import Bundle, BundleError, Manifest, load_bundle
from triplane.host.building.command import BOARDS, BuildFailedError, build_bundle
from triplane.host.building.connecting import connect_bundle

__all__ = [
    "BOARDS",
    "BuildFailedError",
    "Bundle",
    "BundleError",
    "Manifest",
    "build_bundle",
    "connect_bundle",
    "load_bundle",
]
