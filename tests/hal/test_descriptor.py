# SPDX-License-Identifier: BSD-2-Clause
"""Capability descriptors: the shipped one loads, wrong ones say what is wrong and where."""

import pytest
import yaml

from triplane.boards import descriptor_path
from triplane.boards.sim.platform import CLOCK_HZ
from triplane.gateware.syndrome.pacer import PERIOD_BITS
from triplane.hal import DescriptorError, load_descriptor


def content():
    return yaml.safe_load(descriptor_path("sim").read_text())


def write(tmp_path, data):
    path = tmp_path / "descriptor.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return path


def test_the_shipped_descriptor():
    descriptor = load_descriptor(descriptor_path("sim"))
    assert descriptor.timing.clock_hz == CLOCK_HZ
    assert descriptor.qec.max_round_period_cycles == 2**PERIOD_BITS - 1
    delays = (descriptor.timing.dac_delay, descriptor.timing.adc_delay, descriptor.timing.cable_delay)
    assert {delay.status for delay in delays} == {"assumed"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("timing.clock_hz", 0, r"timing\.clock_hz: .*greater than 0 \(it is 0\)"),
        (
            "timing.dac_delay.status",
            "guessed",
            r"timing\.dac_delay\.status: .*'assumed' or 'measured' \(it is 'guessed'\)",
        ),
        ("timing.adc_delay.ns", -1, r"timing\.adc_delay\.ns: .*\(it is -1\)"),
        ("fidelity.readout_error", 1.5, r"fidelity\.readout_error: .*\(it is 1\.5\)"),
        ("modality.qubits", "photonic", r"modality\.qubits: .*\(it is 'photonic'\)"),
        ("schema_version", 2, r"schema_version: .*\(it is 2\)"),
        ("name", "Sim 1", r"name: .*\(it is 'Sim 1'\)"),
        ("qec.max_observables", 33, r"qec\.max_observables: .*\(it is 33\)"),
        ("qec.min_weight_bits", 14, r"qec: .*min_weight_bits 14 is above max_weight_bits 8"),
        ("topology.couplings", [[0, 1]], r"topology: .*coupling \(0, 1\) needs two different qubits"),
        ("control.transports", [], r"control\.transports: "),
        ("features.telepathy", True, r"features\.telepathy: Extra inputs are not permitted \(it is True\)"),
    ],
)
def test_errors_name_file_field_and_value(tmp_path, field, value, message):
    data = content()
    *path, last = field.split(".")
    part = data
    for name in path:
        part = part[name]
    part[last] = value
    with pytest.raises(DescriptorError, match=r"descriptor\.yaml: " + message):
        load_descriptor(write(tmp_path, data))


def test_a_missing_field_is_named(tmp_path):
    data = content()
    del data["qec"]["decoders"]
    with pytest.raises(DescriptorError, match=r"descriptor\.yaml: qec\.decoders: Field required$"):
        load_descriptor(write(tmp_path, data))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "must hold fields by name, not list"),
        ("", "must hold fields by name, not NoneType"),
    ],
)
def test_what_is_no_descriptor(tmp_path, text, message):
    with pytest.raises(DescriptorError, match=message):
        load_descriptor(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DescriptorError, match=r"nowhere\.yaml: cannot be read"):
        load_descriptor(tmp_path / "nowhere.yaml")


def test_an_unknown_board_is_named():
    with pytest.raises(ValueError, match=r"no board named 'zcu999'; there are: .*\bsim\b"):
        descriptor_path("zcu999")
