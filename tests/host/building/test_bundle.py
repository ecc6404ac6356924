# SPDX-License-Identifier: BSD-2-Clause
"""Bundles: whole or refused, every byte of them."""

from __future__ import annotations

import hashlib
import json

import pytest

from triplane.host.building.bundle import MANIFEST, BundleError, check_output, load_bundle, write_bundle


def test_manifest_names_every_file(make_bundle):
    bundle = make_bundle()
    content = json.loads((bundle.folder / MANIFEST).read_text())
    there = {path.name for path in bundle.folder.iterdir()} - {MANIFEST}
    assert (
        set(content["files"])
        == there
        == {"registers.json", "descriptor.yaml", "triplane.bit", "triplane.hwh"}
    )
    for name, entry in content["files"].items():
        data = (bundle.folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def test_loads_as_it_was_written(make_bundle):
    bundle = make_bundle()
    found = load_bundle(bundle.folder)
    assert found.manifest == bundle.manifest
    assert found.gateware().build_hash == bundle.manifest.build_hash
    assert found.descriptor.name == "zcu216"
    assert found.registers["identification_version"].address == 0x10


def test_altered_byte(make_bundle):
    bundle = make_bundle()
    path = bundle.path("triplane.bit")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(
        BundleError, match=r"triplane.bit: was altered: its SHA-256 is .* build the bundle anew"
    ):
        load_bundle(bundle.folder)


def test_missing_file(make_bundle):
    bundle = make_bundle()
    bundle.path("triplane.hwh").unlink()
    with pytest.raises(BundleError, match=r"triplane.hwh is missing"):
        load_bundle(bundle.folder)


def test_stranger(make_bundle):
    bundle = make_bundle()
    (bundle.folder / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes.txt is not in the manifest"):
        load_bundle(bundle.folder)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"build_hash": "short"}, "build_hash: String should match"),
        ({"schema_version": 2}, "schema_version"),
        ({"surprise": 1}, "surprise"),
        ({"bitstream": "other.bit"}, "other.bit is not among its files"),
    ],
)
def test_damaged_manifest(make_bundle, change, text):
    bundle = make_bundle()
    path = bundle.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match=text):
        load_bundle(bundle.folder)


def test_manifest_that_names_files_elsewhere(make_bundle):
    bundle = make_bundle()
    path = bundle.folder / MANIFEST
    content = json.loads(path.read_text())
    content["files"]["../secret"] = content["files"]["triplane.bit"]
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"'../secret', outside of the bundle"):
        load_bundle(bundle.folder)


def test_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"is no bundle.*triplane build"):
        load_bundle(tmp_path)


def test_newer_bundle_replaces_older_whole(make_bundle):
    make_bundle()
    bundle = make_bundle("ecpix5", bitstream="board.bit")
    assert bundle.manifest.board == "ecpix5"
    assert not bundle.path("triplane.hwh").exists()
    assert [path.name for path in bundle.folder.parent.iterdir() if path.name.startswith(".")] == []


def test_failed_write_leaves_the_older_one(make_bundle, tmp_path):
    bundle = make_bundle()
    with pytest.raises(FileNotFoundError):
        write_bundle(bundle.folder, {"lost": tmp_path / "nowhere"}, bundle.manifest)
    assert load_bundle(bundle.folder).manifest == bundle.manifest


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("...")
    with pytest.raises(BundleError, match=r"holds files and is no bundle; choose another --output"):
        check_output(tmp_path / "thesis")
    with pytest.raises(BundleError, match=r"the folder around it is missing"):
        check_output(tmp_path / "not" / "there")
    with pytest.raises(BundleError, match=r"is a file"):
        check_output(tmp_path / "thesis" / "chapter1.tex")


def test_target_of_another_version(make_bundle):
    with pytest.raises(BundleError, match=r"was built for window 000000000000, and this version"):
        make_bundle().target()
