# SPDX-License-Identifier: BSD-2-Clause
"""Device descriptors: the shipped ones load, wrong ones say what is wrong and where."""

import pytest
import yaml

from triplane.hal import DescriptorError
from triplane.hal.device import DEVICES, dump_device, load_device

NAMES = ("line5", "one_qubit", "surface17", "surface49", "two_qubit")


def changed(tmp_path, field, value):
    content = yaml.safe_load((DEVICES / "two_qubit.yaml").read_text())
    *path, last = [int(part) if part.isdigit() else part for part in field.split(".")]
    part = content
    for name in path:
        part = part[name]
    part[last] = value
    file = tmp_path / "device.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize("name", NAMES)
def test_shipped_devices(name, tmp_path):
    device = load_device(name)
    assert device.name == name
    assert sorted(file.stem for file in DEVICES.glob("*.yaml")) == list(NAMES)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_device(device))
    assert load_device(copy) == device
    read = [tone.qubit for line in device.lines for tone in line.tones]
    assert sorted(read) == list(range(len(device.qubits)))
    assert [device.place(tone.qubit) for tone in device.lines[0].tones] == [
        (0, k) for k in range(len(device.lines[0].tones))
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("qubits.0.t1_us", 0, r"qubits\.0\.t1_us: .*greater than 0 \(it is 0\)"),
        ("qubits.1.t2_us", 500.0, r"qubits\.1: .*t2_us 500 is above twice t1_us 95"),
        (
            "qubits.0.anharmonicity_hz",
            3e8,
            r"qubits\.0\.anharmonicity_hz: .*less than 0 \(it is 300000000\.0\)",
        ),
        (
            "qubits.0.lo_hz",
            5.5e9,
            r"qubits\.0: .*frequency_hz 4\.9817e\+09 is more than 245\.76 MHz from lo_hz",
        ),
        ("qubits.1.channel", 0, r"device: .*qubits 0 and 1 share channel 0; give each its own"),
        ("qubits.0.flux", 1, r"qubits\.0\.flux: Extra inputs are not permitted \(it is 1\)"),
        ("couplings.0.target", 2, r"device: .*coupling 0 to 2 needs two different qubits of 0 to 1"),
        ("couplings.1.control", 0, r"device: .*coupling 0 to 0 needs"),
        ("couplings.0.zx_hz", -1.0, r"couplings\.0\.zx_hz: .*greater than 0"),
        ("lines.0.tones.1.qubit", 0, r"device: .*qubit 0 has two readout tones; give it one"),
        ("lines.0.tones.1.qubit", 5, r"device: .*readout of qubit 5: there are qubits 0 to 1"),
        (
            "lines.0.tones.0.frequency_hz",
            6.9e9,
            r"lines\.0: .*qubit 0 at 6\.9e\+09 Hz is more than 122\.88 MHz",
        ),
        ("lines.0.crosstalk", [[1.0]], r"lines\.0: .*must have 2 rows of 2 for 2 tones, not 1"),
        ("lines.0.crosstalk.0.0", 0.5, r"lines\.0: .*crosstalk of tone 0 to itself must be 1, not 0\.5"),
        ("schema_version", 2, r"schema_version: .*\(it is 2\)"),
    ],
)
def test_errors_name_file_field_and_value(tmp_path, field, value, message):
    file = changed(tmp_path, field, value)
    with pytest.raises(
        DescriptorError, match=rf"device\.yaml: {message}".replace("device: ", "descriptor: ")
    ):
        load_device(file)


def test_a_coupling_twice(tmp_path):
    content = yaml.safe_load((DEVICES / "two_qubit.yaml").read_text())
    file = changed(tmp_path, "couplings", [content["couplings"][0]] * 2)
    with pytest.raises(DescriptorError, match="coupling 0 to 1 is there twice"):
        load_device(file)


def test_an_unknown_device_is_named():
    with pytest.raises(
        DescriptorError, match="no device named 'surface9'; there are: line5, one_qubit, surface17"
    ):
        load_device("surface9")


def test_a_qubit_without_readout(tmp_path):
    file = changed(tmp_path, "lines", [])
    with pytest.raises(ValueError, match="qubit 1 of two_qubit has no readout tone"):
        load_device(file).place(1)
