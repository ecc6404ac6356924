# SPDX-License-Identifier: BSD-2-Clause
"""The commands in processes of their own, an agent that is killed, a server that comes back."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from triplane.host.cli import app
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Request, State
from triplane.host.scheduler.credentials import read_credentials
from triplane.host.scheduler.errors import ServiceError
from triplane.host.scheduler.server import serving, start_server

TIMEOUT_S = 90
LONG = b"set r1, 20000\nagain: loop r1, again\nhalt 5\n"
"""On the golden model it lasts long enough to be killed in between."""


@pytest.fixture
def service(tmp_path, port):
    """`triplane serve` and agents as processes; gives a function that starts, one that asks, and the URL."""
    url, running = f"nats://127.0.0.1:{port}", []
    environment = {**os.environ, "TRIPLANE_HOME": str(tmp_path / "home"), "TRIPLANE_JOBS": url}

    def command(*arguments):
        return [sys.executable, "-m", "triplane.host", *arguments]

    def start(*arguments):
        running.append(subprocess.Popen(command(*arguments), env=environment))
        return running[-1]

    def ask(*arguments):
        done = subprocess.run(
            command(*arguments), env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        return done.returncode, done.stdout, done.stderr

    start("serve", "--port", str(port), "--folder", str(tmp_path / "nats"))
    asyncio.run(answers(url))
    yield start, ask, url
    for process in reversed(running):
        process.terminate()
        process.wait(30)


async def answers(url, credentials=None):
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            with contextlib.suppress(ServiceError):
                return await (await Bus.connect(url, credentials=credentials)).close()
            await asyncio.sleep(0.1)


def test_submit_look_and_fetch(service, tmp_path):
    start, ask, url = service
    start("agent", "--board", "model", "--name", "bench")
    file = tmp_path / "halt.tasm"
    file.write_text("emit r0\nhalt 9\n")
    code, output, error = ask("submit", str(file), "--wait", "--json", "--user", "ada", "--id", "first")
    assert code == 0, error
    assert error == "job first\n"
    assert json.loads(output) == {"id": "first", "result": {"exit_code": 9, "outcomes": [0]}}
    code, output, _ = ask("jobs", "--json")
    (listed,) = json.loads(output)
    assert (listed["id"], listed["user"], listed["state"], listed["board"]) == (
        "first",
        "ada",
        "done",
        "bench",
    )
    code, output, _ = ask("jobs", "why", "first", "--json")
    assert [each["state"] for each in json.loads(output)["decisions"]] == [
        "queued",
        "leased",
        "running",
        "done",
    ]
    code, output, _ = ask("results", "first", "--json")
    assert json.loads(output)["manifest"]["job"] == "first"
    run = json.loads(output)["run"]
    code, output, error = ask("report", run[:12], "--server", url, "--json")
    assert code == 0, error
    told = json.loads(output)
    assert (told["run"], told["verified"], told["signature"]["signer"]) == (run, True, "this store")
    code, output, error = ask("rerun", run, "--server", url)
    assert code == 0, error
    assert output.startswith("same ")
    code, output, _ = ask("logs", "-f", "first")
    assert "estimated fidelity" in output
    code, _, error = ask("cancel", "first")
    assert (code, error) == (1, "error: job first: it has ended already\n")
    code, _, error = ask("results", "second")
    assert code == 1
    assert "there is no job 'second'" in error


def test_hold_release_and_refusals(service, tmp_path):
    _, ask, url = service
    file = tmp_path / "halt.tasm"
    file.write_text("halt 9\n")
    assert ask("submit", str(file), "--hold", "--id", "a")[1] == "a\n"
    assert ask("jobs", "release", "a")[1] == "a is queued\n"
    assert ask("jobs", "hold", "a")[1] == "a is held\n"
    assert ask("cancel", "a")[1] == "a is cancelled\n"
    code, _, error = ask("submit", str(file), "--user", "a.b")
    assert code == 1
    assert "user" in error
    code, _, error = ask("submit", str(file), "--session", "a b")
    assert (code, error.startswith("error: request: session.name: ")) == (1, True)
    file.write_text("nonsense\n")
    assert ask("submit", str(file))[0] == 1
    code, _, error = ask("jobs", "--url", "nats://127.0.0.1:1")
    assert code == 1
    assert "triplane serve" in error
    code, _, error = ask("serve", "--port", url.rsplit(":", 1)[1])
    assert code == 1
    assert "is taken" in error


def test_a_killed_agents_job_ends_once_elsewhere(service):
    start, _, url = service

    async def body():
        async with asyncio.timeout(TIMEOUT_S), await Bus.connect(url) as bus:
            jobs = Jobs(bus, "ada")
            request = Request(user="ada", kind="control", payload=await bus.put(LONG))
            agent = start("agent", "--board", "model", "--name", "first")
            job = await jobs.submit(request)
            while (await jobs.get(job)).record.state is not State.RUNNING:
                await asyncio.sleep(0.01)
            agent.kill()
            start("agent", "--board", "model", "--name", "second")
            result = json.loads(await jobs.result(job))
            return result["exit_code"], await jobs.history(job)

    exit_code, history = asyncio.run(body())
    assert exit_code == 5
    assert [each.state.value for each in history] == [
        *("queued", "leased", "running"),
        *("queued", "leased", "running", "done"),
    ]
    assert "nothing was heard of its agent" in history[3].reason
    assert history[-1].attempts == 2
    assert history[-1].board == "second"


def test_a_service_whose_server_is_killed_ends_and_goes_on_when_it_is_started_again(tmp_path, port):
    url, folder = f"nats://127.0.0.1:{port}", tmp_path / "nats"
    environment = {**os.environ, "TRIPLANE_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "triplane.host"]
    serve = [*command, "serve", "--port", str(port), "--folder", str(folder)]

    async def played(job):
        async with asyncio.timeout(TIMEOUT_S), await Bus.connect(url) as bus:
            jobs = Jobs(bus, "ada")
            request = Request(user="ada", kind="control", payload=await bus.put(b"halt 5\n"))
            await jobs.result(await jobs.submit(request, job=job))
            return [each.job for each in await jobs.all()]

    with subprocess.Popen(serve, env=environment, stderr=subprocess.PIPE, text=True) as first:
        asyncio.run(answers(url))
        agent = subprocess.Popen([*command, "agent", "--board", "model", "--url", url], env=environment)
        assert asyncio.run(played("before")) == ["before"]
        (server,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        os.kill(int(server), signal.SIGKILL)
        _, error = first.communicate(timeout=TIMEOUT_S)
    second = subprocess.Popen(serve, env=environment)
    try:
        asyncio.run(answers(url))
        assert asyncio.run(played("after")) == ["before", "after"]  # by the same agent
    finally:
        for process in (agent, second):
            process.terminate()
            process.wait(30)
    assert first.returncode == 1
    assert "nats-server was ended by SIGKILL" in error
    assert "start again" in error
    assert "Traceback" not in error


def test_what_was_accepted_outlives_the_server(tmp_path, port):
    folder = tmp_path / "nats"

    async def submit(url):
        async with await Bus.connect(url) as bus:
            jobs = Jobs(bus, "ada")
            request = Request(user="ada", kind="control", payload=await bus.put(b"halt 1\n"))
            return [await jobs.submit(request) for _ in range(20)]

    async def names(url):
        async with await Bus.connect(url) as bus:
            return [each.job for each in await Jobs(bus, "ada").all()]

    server = start_server(folder, port)
    submitted = asyncio.run(submit(f"nats://127.0.0.1:{port}"))
    server.kill()
    server.wait()
    with serving(folder, port) as url:
        assert asyncio.run(names(url)) == submitted


def test_a_folder_has_one_server(tmp_path, port):
    """Two servers on the same files would destroy them; one whose service was killed lives on and has them."""
    with serving(tmp_path / "nats", port), pytest.raises(ServiceError, match="is served already"):
        start_server(tmp_path / "nats", port + 1)


def test_keys_once_given_are_asked_for(tmp_path, port):
    def access(*arguments):
        return CliRunner().invoke(app, ["access", *arguments, "--folder", str(tmp_path)])

    assert access("list").exit_code == 1
    assert not list(tmp_path.iterdir())
    assert access("add", "user", "ada", "--output", str(tmp_path / "nowhere" / "ada")).exit_code == 1
    assert access("add", "user", "ada", "--output", str(tmp_path / "ada")).exit_code == 0
    command = [sys.executable, "-m", "triplane.host", "serve", "--port", str(port), "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serve:
        serve.stdout.readline()
        with pytest.raises(ServiceError, match="give --credentials"):
            asyncio.run(Bus.connect(f"nats://127.0.0.1:{port}"))
        serve.terminate()


def test_followers_and_writers_go_on_when_the_server_comes_back(tmp_path, port):
    folder = tmp_path / "nats"
    server = start_server(folder, port)

    async def body():
        nonlocal server
        found = []
        async with asyncio.timeout(TIMEOUT_S), await Bus.connect(f"nats://127.0.0.1:{port}") as bus:

            async def follow():
                async for change in bus.follow(bus.jobs):
                    if change:
                        found.append((change.key, change.value))
                    if len(found) == 3:
                        return

            following = asyncio.create_task(follow())
            first = await bus.create("a", b"1")
            while not found:  # a follower that has seen nothing yet begins with the newest
                await asyncio.sleep(0.02)
            server.kill()
            server.wait()
            writing = asyncio.create_task(bus.swap("a", b"2", first))
            await asyncio.sleep(0.5)
            server = await asyncio.to_thread(start_server, folder, port)
            await bus.swap("a", b"3", await writing)
            await following
        return found

    try:
        assert asyncio.run(body()) == [("a", b"1"), ("a", b"2"), ("a", b"3")]
    finally:
        server.kill()
        server.wait()


def test_people_and_boards_of_a_secured_service(tmp_path, port, monkeypatch):
    url, folder, running = f"nats://127.0.0.1:{port}", str(tmp_path / "nats"), []
    environment = {
        **os.environ,
        "TRIPLANE_HOME": str(tmp_path / "home"),
        "TRIPLANE_JOBS": url,
        "COLUMNS": "200",
    }
    monkeypatch.chdir(tmp_path)

    def ask(*arguments, credentials=None):
        named = {"TRIPLANE_CREDENTIALS": str(tmp_path / credentials)} if credentials else {}
        done = CliRunner().invoke(app, arguments, env={**environment, **named})
        return done.exit_code, done.stdout, done.stderr

    def start(*arguments):
        command = [sys.executable, "-m", "triplane.host", *arguments]
        running.append(subprocess.Popen(command, env=environment, cwd=tmp_path))

    (tmp_path / "halt.tasm").write_text("halt 9\n")
    for kind, name in (("user", "ada"), ("user", "bob"), ("board", "fridge")):
        assert ask("access", "add", kind, name, "--folder", folder) == (0, f"{name}.credentials\n", "")
    assert "has a key" in ask("access", "add", "user", "ada", "-o", "again", "--folder", folder)[2]
    assert "is no name" in ask("access", "add", "user", "a.b", "-o", "again", "--folder", folder)[2]
    try:
        start("serve", "--secure", "--port", str(port), "--folder", folder)
        start("agent", "--board", "model", "--credentials", "fridge.credentials")
        asyncio.run(answers(url, read_credentials(tmp_path / "ada.credentials")))
        code, output, error = ask("submit", "halt.tasm", "--wait", "--id", "a", credentials="ada.credentials")
        assert (code, json.loads(output)) == (0, {"exit_code": 9, "outcomes": []}), error
        assert "ada.a  done" in ask("jobs", credentials="ada.credentials")[1]
        assert ask("results", "ada.a", credentials="bob.credentials") == (
            1,
            "",
            "error: refused: job ada.a is another's\n",
        )
        assert "--credentials" in ask("jobs")[2]
        run = json.loads(ask("results", "ada.a", "--json", credentials="ada.credentials")[1])["run"]
        code, output, error = ask("report", run, "--server", url, credentials="nats/access/service.json")
        assert (code, "signed by the key of board fridge" in output) == (0, True), error
        code, output, error = ask("report", run)  # from the copy, without the service
        assert (code, "signed by the key of board fridge" in output) == (0, True), error
        (tmp_path / "home" / "signatures" / f"{run}.json").unlink()
        code, output, error = ask("report", run)
        assert (code, "DAMAGED" in output, "its signature is gone" in error) == (1, True, True)
        assert ask("rerun", run)[0] == 1
        (tmp_path / "ada.credentials").chmod(0o644)
        assert "chmod 600" in ask("jobs", credentials="ada.credentials")[2]
        assert (
            "not of board"
            in ask("agent", "--board", "model", "--name", "x", credentials="bob.credentials")[2]
        )
        assert ask("access", "revoke", "user", "bob", "--folder", folder)[0] == 0
        asyncio.run(asyncio.sleep(1))
        assert "does not take these credentials" in ask("jobs", credentials="bob.credentials")[2]
        log = ask("access", "log", "--folder", folder)[1]
        for text in ("user ada: submitted ada.a", "another's", "admin: revoked user bob"):
            assert text in log
        assert json.loads(ask("access", "list", "--json", "--folder", folder)[1])[2]["revoked"]
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)
