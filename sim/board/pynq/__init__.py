# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board as a client of PYNQ.remote finds one: registers by MMIO, buffers, files, overlays, over gRPC.

PYNQ.remote splits pynq in two: on a laptop a client that knows overlays, registers and drivers, on the board a server
that knows nothing but a few calls. This is such a server, in front of the simulated board, so that what is written for
a board under PYNQ runs with an unmodified pynq 4.0 against gateware in simulation.

What the client does was read in the sources of pynq 4.0.0 (BSD-3-Clause, https://pypi.org/project/pynq/4.0.0/), from
which names and numbers were taken, and no code:

- it opens a channel to port 7967 of each address in the environment variable PYNQ_REMOTE_DEVICES;
- it reads `/proc/version` for the architecture and the device tree for the name of the board;
- an overlay is a `.bit` file and an `.hwh` file beside it. The client reads the latter by itself, and nothing of it is
  sent. It sends the former as a file for `/lib/firmware`, with the words of its bitstream swapped, and then the name
  of that file to the FPGA manager of Linux. Before and after that it writes registers of the processing system;
- an MMIO window has a base address and a length, and an access is a call of its own: nothing is kept, nothing is read
  twice. A buffer is an array of the client's that is copied when it is told to be.

    messages.py    what is on the wire             overlay.py   .bit and .hwh of a build
    system.py      files and registers of Linux    buffers.py   memory
    server.py      the calls

What can go wrong: a bitstream of another build, or of something else, is refused by the write that would have loaded
it, with the build that was expected in the text of the error. A window in which this board has nothing is refused when
it is opened. Memory is limited, and so is what files may take.
"""
