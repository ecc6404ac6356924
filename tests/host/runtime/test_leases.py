# SPDX-License-Identifier: BSD-2-Clause
"""Leases: conflicts, renewal, expiry, and processes that see each other."""

import subprocess
import sys
import threading

import pytest

from triplane.host.runtime.leases import Lease, LeaseConflictError, LeaseError, LeaseLostError, Leases

BOARD = "udp://192.0.2.1:1234"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def leases(tmp_path, clock):
    return Leases(tmp_path, clock)


def test_a_conflict_names_holder_and_remaining_time(leases, clock):
    leases.take(BOARD, [1, 2], holder="ann", ttl_s=60)
    clock.now += 18
    with pytest.raises(
        LeaseConflictError, match=f"qubits 2 of {BOARD} are held by ann for another 42 s"
    ) as told:
        leases.take(BOARD, [2, 3], holder="ben")
    assert told.value.lease.holder == "ann"
    assert told.value.remaining_s == 42


def test_other_qubits_and_other_boards_are_free(leases):
    leases.take(BOARD, [0, 1], holder="ann", ttl_s=60)
    leases.take(BOARD, [2], holder="ben", ttl_s=10)
    leases.take("uart:/dev/ttyUSB0", [0], holder="cem")
    assert [(each.holder, each.qubits) for each in leases.held(BOARD)] == [("ben", (2,)), ("ann", (0, 1))]


def test_a_lease_ends_and_is_renewed(leases, clock):
    lease = leases.take(BOARD, [0], holder="ann", ttl_s=10)
    clock.now += 9
    assert leases.renew(lease).until == clock.now + 10
    clock.now += 9
    assert leases.held() != []
    clock.now += 1
    assert leases.held() == []
    leases.take(BOARD, [0], holder="ben", ttl_s=10)
    with pytest.raises(LeaseLostError, match="the lease of ann on qubits 0 .* has ended"):
        leases.renew(lease)
    leases.release(lease)
    assert [each.holder for each in leases.held()] == ["ben"]


def test_one_that_ended_is_lost_even_if_nobody_took_it(leases, clock):
    lease = leases.take(BOARD, [0], holder="ann", ttl_s=10)
    clock.now += 11
    with pytest.raises(LeaseLostError):
        leases.renew(lease)


@pytest.mark.parametrize(("qubits", "holder", "ttl_s"), [([], "ann", 1), ([0], "", 1), ([0], "ann", 0)])
def test_what_is_no_lease(leases, qubits, holder, ttl_s):
    with pytest.raises(ValueError):
        leases.take(BOARD, qubits, holder=holder, ttl_s=ttl_s)
    assert leases.held() == []


def test_a_holder_that_lives_keeps_its_qubits(tmp_path):
    """Longer than the time to live."""
    leases = Leases(tmp_path)
    with leases.holding(BOARD, [0], holder="ann", ttl_s=0.3) as check:
        threading.Event().wait(0.9)
        check()
        with pytest.raises(LeaseConflictError, match="held by ann"):
            leases.take(BOARD, [0], holder="ben")
    assert leases.held() == []


def test_a_holder_is_told_that_its_lease_is_lost(tmp_path, clock):
    leases = Leases(tmp_path, clock)
    with leases.holding(BOARD, [0], holder="ann", ttl_s=0.1) as check:
        clock.now += 1
        threading.Event().wait(0.5)
        with pytest.raises(LeaseLostError):
            check()


def test_a_damaged_file_is_named(leases, tmp_path):
    (tmp_path / "leases.json").write_text("[{}]")
    with pytest.raises(LeaseError, match=r"leases.json is damaged; delete it"):
        leases.held()


CONTENDING = """
import sys
from pathlib import Path
from triplane.host.runtime.leases import LeaseConflictError, Leases
leases, board, number = Leases(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for own in range(20):
    leases.take(board, [100 * int(number) + own], holder=number, ttl_s=600)
try:
    leases.take(board, [0], holder=number, ttl_s=600)
    print("taken")
except LeaseConflictError:
    print("refused")
"""


def test_processes_see_each_other(tmp_path):
    """No lease of one is lost by another's, and of those who want the same qubit one has it."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDING, str(tmp_path), BOARD, str(1 + k)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for k in range(4)
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(said) == ["refused"] * 3 + ["taken"]
    held = Leases(tmp_path).held()
    assert len({each.qubits for each in held}) == len(held) == 4 * 20 + 1
    assert next(each.holder for each in held if each.qubits == (0,)) == str(1 + said.index("taken"))


HELD = """
import sys, time
from pathlib import Path
from triplane.host.runtime.leases import Leases
with Leases(Path(sys.argv[1])).holding(sys.argv[2], [0], holder="a process", ttl_s=1):
    print("held", flush=True)
    time.sleep(600)
"""


def test_qubits_of_a_process_that_was_killed_are_free_after_a_while(tmp_path):
    leases = Leases(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(tmp_path), BOARD], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(LeaseConflictError, match="held by a process") as told:
                leases.take(BOARD, [0], holder="ann")
        finally:
            process.kill()
    assert told.value.remaining_s <= 1
    threading.Event().wait(1.5)
    assert isinstance(leases.take(BOARD, [0], holder="ann"), Lease)
