# SPDX-License-Identifier: BSD-2-Clause
"""A real nats-server, and what runs beside it in one event loop."""

import asyncio
import contextlib
import socket

import pytest

from triplane.host.provenance.signing import Signer
from triplane.host.scheduler.access import Access
from triplane.host.scheduler.agent import Agent
from triplane.host.scheduler.asks import answered, header
from triplane.host.scheduler.audit import Audit, read_audit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.gate import Gate
from triplane.host.scheduler.register import Register
from triplane.host.scheduler.runners import ModelRunner
from triplane.host.scheduler.scheduler import Scheduler
from triplane.host.scheduler.server import Node, reload_server, running, serving
from triplane.host.scheduler.service import admitting

TIMEOUT_S, PATIENCE_S = 60, 30


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path, port):
    with serving(tmp_path / "nats", port) as url:
        yield url


class Service:
    """Clients, agents and a scheduler, each with a connection of its own."""

    def __init__(self, url, stack, signer):
        self.url, self.stack, self.signer = url, stack, signer
        self.credentials = {}

    async def bus(self, name=None):
        return await self.bus_of(self.credentials.get(name))

    async def bus_of(self, credentials):
        return await self.stack.enter_async_context(await Bus.connect(self.url, credentials=credentials))

    async def spawn(self, work):
        task = asyncio.create_task(work)

        async def stop():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self.stack.push_async_callback(stop)
        return stop

    async def scheduler(self):
        return await self.spawn(Scheduler(await self.bus("scheduler")).run())

    async def agent(self, name="board", runner=None):
        return await self.spawn((await self.agent_of(name, name, runner)).run())

    async def agent_of(self, name, credentials, runner=None):
        bus = await self.bus(credentials)
        known = self.credentials.get(credentials)
        signer = known.signer if known else self.signer
        return Agent(bus, runner or ModelRunner(), name=name, url="model", signer=signer)

    async def client(self, by="ada"):
        return Jobs(await self.bus(by), by)

    async def audited(self, text):
        """Waits until the audit log has a refusal with such a text."""
        async with asyncio.timeout(PATIENCE_S):
            bus = await self.bus("scheduler")
            while True:
                for each in await read_audit(bus):
                    if each.verdict == "refused" and text in f"{each.who}: {each.what}: {each.reason}":
                        return each
                await asyncio.sleep(0.1)

    @staticmethod
    async def raw(bus, ask, body=b""):
        """A question as somebody writes it who does not use our client."""
        text = ask if isinstance(ask, dict) else header(ask)
        message = await bus.client.request(bus.credentials.gate, body, timeout=8, headers=text)
        return answered(message), message.data


@pytest.fixture
def signer(tmp_path):
    return Signer.of_store(tmp_path / "home")


@pytest.fixture
def run_at(signer):
    """Runs a test's coroutine with a `Service` at a URL."""

    def run(url, body):
        async def running():
            async with asyncio.timeout(TIMEOUT_S), contextlib.AsyncExitStack() as stack:
                return await body(Service(url, stack, signer))

        return asyncio.run(running())

    return run


@pytest.fixture
def run(server, run_at):
    """Runs a test's coroutine with a `Service` that everybody may use."""
    return lambda body: run_at(server, body)


@pytest.fixture
def access(tmp_path):
    access = Access(tmp_path / "access")
    access.certify([])
    return access


@pytest.fixture
def keys(access):
    return {
        **{name: access.add("user", name) for name in ("ada", "bob")},
        **{name: access.add("board", name) for name in ("board", "other")},
    }


@pytest.fixture
def secured(tmp_path, port, access, keys, run_at):
    """Runs a test's coroutine with a secured `Service`, its scheduler and its gate."""
    node = Node(port, access=access)
    with running(tmp_path / "nats", node) as process:

        def run(body):
            async def with_gate(service):
                service.credentials = {"scheduler": access.service, **keys}
                bus = await service.bus("scheduler")
                audit, register = await Audit.made(bus), await Register.made(bus)
                for work in (
                    register.run(),
                    Gate(bus, audit, register).run(),
                    audit.follow_log(tmp_path / "nats" / "server.log"),
                    admitting(
                        access, register, audit, lambda: reload_server(tmp_path / "nats", node, process)
                    ),
                ):
                    await service.spawn(work)
                await service.scheduler()
                return await body(service)

            return run_at(f"nats://127.0.0.1:{port}", with_gate)

        yield run


@pytest.fixture
def large():
    """A program of three parts."""
    return ("; " + "x" * 70 + "\n").encode() * 5_000 + b"halt 3\n"


@pytest.fixture
def request_of():
    """A request for a program that halts with a number."""

    async def make(jobs, number=7, **fields):
        payload = await jobs.bus.put(f"halt {number}\n".encode())
        return Request(**{"user": "ada", "kind": "control", "payload": payload, **fields})

    return make


@pytest.fixture
def states():
    async def of(jobs, job):
        return [each.state.value for each in await jobs.history(job)]

    return of
