# SPDX-License-Identifier: BSD-2-Clause
"""Build a Migen module with Verilator (cached by content) and run a cocotb test module on it.

A test file holds both sides: coroutines marked `@cocotb.test()` whose names do not begin with `test_`, and pytest
functions that call `run_cocotb(module, ios, __file__, "name", parameters)`. The coroutines read `parameters()`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cocotb_tools.config
import find_libpython
from litex.soc.interconnect import stream
from migen import ClockDomain, Module, Signal

from triplane.gateware.verilog import convert, without_comments
from triplane.sim.cache import cached, content_key
from triplane.sim.toolchain import find_toolchain
from triplane.sim.verilate import run_tool, verilate

_PARAMETERS = "TRIPLANE_COCOTB_PARAMETERS"
_TIMEOUT_S = 600
_FLAGS = (
    "--cc", "--vpi", "--public-flat-rw", "-O3", "--output-split", "20000", "--no-timing",
    "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip
_MAKE_FLAGS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
_MAIN_FLAGS = ("-O1", "-std=gnu++17", "-DVERILATOR=1")


def parameters() -> dict[str, Any]:
    """Inside a cocotb test: what the pytest side gave to `run_cocotb`."""
    result: dict[str, Any] = json.loads(os.environ.get(_PARAMETERS, "{}"))
    return result


def endpoint_ios(endpoint: stream.Endpoint, prefix: str) -> set[Signal]:
    """The signals of a stream endpoint as pins `prefix_valid`, `_ready`, `_first`, `_last` and `_<field>`."""
    signals = {name: getattr(endpoint, name) for name in ("valid", "ready", "first", "last")}
    for record in (endpoint.payload, endpoint.param):
        signals |= {name: getattr(record, name) for name, *_ in record.layout}
    for name, signal in signals.items():
        signal.name_override = f"{prefix}_{name}"
    return set(signals.values())


def _verilog(module: Module, ios: set[Signal], name: str) -> tuple[str, dict[str, str]]:
    """Verilog of `module` with pins `ios`, sys_clk and sys_rst, and its memory files."""
    clock = ClockDomain("sys")
    module.clock_domains += clock
    output = convert(module, ios=ios | {clock.clk, clock.rst}, name=name)
    return without_comments(output.main_source), dict(output.data_files)


def _compile(text: str, name: str) -> Path:
    """Folder with the simulation executable `model` for the Verilog in `text`."""
    tools = find_toolchain()
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    libs = cocotb_tools.config.libs_dir

    def build(folder: Path) -> None:
        source = folder / f"{name}.v"
        source.write_text(text)
        objects = folder / "objects"
        flags = [*_FLAGS, "--top-module", name]
        model = verilate(tools, source, objects, prefix="Vtop", flags=flags, make_flags=_MAKE_FLAGS)
        link = [f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator", "-pthread", "-ldl", "-rdynamic"]
        inputs = [*model.include_flags, *_MAIN_FLAGS, str(main), *model.archives]
        run_tool([tools.cxx, *inputs, *link, "-o", str(folder / "model")], model.environment)
        shutil.rmtree(objects)

    folder, _ = cached(
        "cocotb", content_key([text, *_FLAGS, *_MAKE_FLAGS, *tools.identity, str(libs)]), build
    )
    return folder


def run_cocotb(
    module: Module,
    ios: Iterable[Signal],
    test_module: str | Path,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    testcase: str | None = None,
    seed: int = 1,
) -> None:
    """Simulate `module` under the cocotb tests of `test_module`; raise AssertionError with the log if one fails.

    module: unfinalised Migen module in the `sys` clock domain (pins sys_clk, sys_rst).
    ios: its pins; see `endpoint_ios` for streams with predictable names.
    test_module: path of a Python file (`__file__`), or a dotted name.
    name: Verilog top module.
    parameters: JSON values that the tests read with `parameters()`.
    testcase: name of one coroutine to run, all if None.  seed: cocotb's random seed.
    """
    text, memories = _verilog(module, set(ios), name)
    run_cocotb_on(text, memories, test_module, name, parameters, testcase=testcase, seed=seed)


def run_cocotb_on(
    text: str,
    memories: Mapping[str, str],
    test_module: str | Path,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    testcase: str | None = None,
    seed: int = 1,
) -> None:
    """As `run_cocotb`, on a module that is Verilog already.

    text: the Verilog.  memories: name of a file that it reads -> content.  The others are as of `run_cocotb`.
    """
    folder = _compile(text, name)
    path = [entry for entry in sys.path if entry]
    if str(test_module).endswith(".py"):
        file = Path(test_module).resolve()
        path.insert(0, str(file.parent))
        test_module = file.stem
    with tempfile.TemporaryDirectory(prefix="cocotb.") as work:
        results = Path(work) / "results.xml"
        for file_name, content in memories.items():
            (Path(work) / file_name).write_text(content)
        env = os.environ | {
            "COCOTB_TOPLEVEL": name,
            "COCOTB_TEST_MODULES": str(test_module),
            "COCOTB_RESULTS_FILE": str(results),
            "COCOTB_RANDOM_SEED": str(seed),
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "TOPLEVEL_LANG": "verilog",
            "PYTHONPATH": os.pathsep.join(path),
            "PYGPI_PYTHON_BIN": sys.executable,
            "GPI_USERS": f"{find_libpython.find_libpython()};{cocotb_tools.config.pygpi_entry_point()}",
            "PATH": f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{cocotb_tools.config.libs_dir}",
            _PARAMETERS: json.dumps(dict(parameters or {})),
        }
        if testcase is not None:
            env["COCOTB_TEST_FILTER"] = rf"\b{testcase}$"
        done = subprocess.run(
            [str(folder / "model")],
            env=env,
            cwd=work,
            text=True,
            timeout=_TIMEOUT_S,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        log = done.stdout[-12000:]
        assert results.exists(), f"{name}: the simulation ended without results (seed {seed})\n{log}"
        cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failed = [
        case.get("name")
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    assert cases, f"{name}: {test_module} holds no cocotb test\n{log}"
    assert not failed, f"{name}: failed with seed {seed}: {', '.join(map(str, failed))}\n{log}"
