# SPDX-License-Identifier: BSD-2-Clause
"""Files that commands write: whole, in the right place, or refused before the run."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from triplane.host.outputs import (
    OutputError,
    check_distinct,
    check_figure,
    explain,
    resolve_output,
    write_json,
    write_whole,
)


def test_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"shots": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"rate": float("nan")})
    assert json.loads(path.read_text()) == {"shots": 1}
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o444 == 0o444


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"absent/out.json: the directory .*absent does not exist"):
        write_whole(tmp_path / "absent" / "out.json", b"")
    with pytest.raises(OutputError, match="is a directory"):
        write_whole(tmp_path, b"")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/out.json: the directory .*file does not exist"):
        write_whole(tmp_path / "file" / "out.json", b"")


def test_a_folder_that_takes_no_file() -> None:
    with pytest.raises(
        OutputError, match="/proc/x.json: the directory /proc takes no file .*; choose another"
    ):
        resolve_output(Path("/proc/x.json"))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "out.json"
    link.symlink_to("there/real.json")
    for content in (b"new", b"again"):
        write_whole(link, content)
        assert link.is_symlink()
        assert (tmp_path / "there" / "real.json").read_bytes() == content
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["real.json"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="a: symbolic links lead in a circle"):
        resolve_output(tmp_path / "a")


def test_pipes_and_devices_are_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"x" * 200_000)
    reader.join(timeout=30)
    assert seen == [b"x" * 200_000]
    assert pipe.is_fifo()
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_whole(link, b"gone")
    assert link.is_symlink()
    assert not Path("/dev/null").is_file()


def test_standard_output_in_a_file_is_not_overwritten(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from triplane.host.outputs import write_whole\n"
        "print('before'); write_whole(Path('/dev/stdout'), b'result\\n'); print('after')"
    )
    with (tmp_path / "log").open("wb") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "before\nresult\nafter\n"
    with pytest.raises(OutputError, match="/dev/full: No space left on device; free space there"):
        write_whole(Path("/dev/full"), b"x")


def test_one_file_for_two_options(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("out.json")
    one, two = (resolve_output(tmp_path / name) for name in ("out.json", "link"))
    with pytest.raises(OutputError, match="is named by --json and by --vcd"):
        check_distinct([("--json", one), ("--vcd", two)])
    null = resolve_output(Path("/dev/null"))
    check_distinct([("--json", null), ("--vcd", null)])


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "m.dem").touch()
    (tmp_path / "link").symlink_to("m.dem")
    with pytest.raises(OutputError, match="m.dem: --json would overwrite an input"):
        check_distinct([("--json", resolve_output(tmp_path / "link"))], [tmp_path / "m.dem"])


def test_figures_are_png(tmp_path: Path) -> None:
    check_figure(tmp_path / "a.PNG")
    with pytest.raises(OutputError, match="a.pdf: figures are PNG; name it a.png"):
        check_figure(tmp_path / "a.pdf")


def test_errors_of_the_system_name_file_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("triplane.host.outputs.os.fsync", full)
    with pytest.raises(OutputError, match=r"out.json: No space left on device; free space there"):
        write_whole(tmp_path / "out.json", b"")
    assert not list(tmp_path.iterdir())
    assert explain(NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b")) == (
        "a/b: Not a directory; a part of the path is a file, not a directory; correct the path"
    )
