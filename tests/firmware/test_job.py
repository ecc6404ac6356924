# SPDX-License-Identifier: BSD-2-Clause
"""The state machine of the firmware, for all states and events, against rules written down independently."""

import pytest

from triplane.gateware.processor.layouts import Action, Event, State

STATES = [state for state in State if state is not State.BOOT]
COMMANDS = (Event.CHECK, Event.ARM, Event.START, Event.ABORT, Event.CLEAR, Event.MAKE_SAFE)
ACTIVE = (State.ARMED, State.RUNNING)


def expected(state, event):
    """What has to follow, in words: (next state, action)."""
    # Anything dangerous comes before anything useful.
    if event is Event.FAILED:
        return (State.FAULT, Action.NONE if state is State.FAULT else Action.STOP)
    if event is Event.MAKE_SAFE:
        return (State.FAULT if state is State.FAULT else State.SAFE, Action.STOP)
    if event is Event.BOARD_SAFE and state not in (State.SAFE, State.FAULT):
        return (State.SAFE, Action.ABORT if state in ACTIVE else Action.NONE)
    if event in (Event.LEASE_EXPIRED, Event.LIMIT_EXCEEDED, Event.DISTRUSTED) and state in ACTIVE:
        return (State.SAFE, Action.STOP)
    if event is Event.DISTRUSTED and state in (State.LOADED, State.DONE):
        return (State.IDLE, Action.NONE)
    if event is Event.BOARD_RELEASED and state is State.SAFE:
        return (State.IDLE, Action.NONE)
    if event is Event.FINISHED and state is State.RUNNING:
        return (State.DONE, Action.NONE)
    if event is Event.CLEAR and state not in ACTIVE:
        return (State.IDLE, Action.CLEAR)
    if event is Event.CHECK and state in (State.IDLE, State.LOADED, State.DONE):
        return (State.LOADED, Action.NONE)
    if event is Event.ARM and state in (State.LOADED, State.DONE):
        return (State.ARMED, Action.NONE)
    if event is Event.START and state is State.ARMED:
        return (State.RUNNING, Action.START)
    if event is Event.ABORT:
        where = {
            State.LOADED: State.IDLE,
            State.ARMED: State.LOADED,
            State.RUNNING: State.LOADED,
            State.DONE: State.LOADED,
        }
        if state in where:
            return (where[state], Action.ABORT if state is State.RUNNING else Action.NONE)
    return (state, Action.REFUSE if event in COMMANDS else Action.NONE)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_every_event(machine, state):
    for event in Event:
        found = machine.call(f"j {state:x} {event:x}")
        assert found == list(expected(state, event)), f"{state.name}, {event.name}"


@pytest.mark.parametrize(("state", "event"), [(State.BOOT, 0), (8, 0), (2**32 - 1, 0), (0, max(Event) + 1)])
def test_what_does_not_exist_is_a_fault(machine, state, event):
    assert machine.call(f"j {state:x} {event:x}") == [State.FAULT, Action.STOP]


def test_pulses_are_played_in_one_state_only(machine):
    """Whatever leads out of RUNNING stops the job, unless it has ended by itself."""
    for event in Event:
        following, action = machine.call(f"j {State.RUNNING:x} {event:x}")
        if following != State.RUNNING and event is not Event.FINISHED:
            assert action in (Action.ABORT, Action.STOP)
    for state in STATES:
        started = [e for e in Event if machine.call(f"j {state:x} {e:x}")[1] == Action.START]
        assert started == ([Event.START] if state is State.ARMED else [])


def test_safe_and_fault_are_left_by_nothing_but_a_host(machine):
    for state, ways in (
        (State.FAULT, {Event.CLEAR}),
        (State.SAFE, {Event.CLEAR, Event.BOARD_RELEASED, Event.FAILED}),
    ):
        assert {e for e in Event if machine.call(f"j {state:x} {e:x}")[0] != state} == ways
