# SPDX-License-Identifier: BSD-2-Clause
"""What may go wrong with jobs; each message says what to do next."""


class JobsError(RuntimeError):
    """Any failure of the service of jobs."""


class ContractError(JobsError, ValueError):
    """A message that is not what its contract says, or is too large."""


class UnknownJobError(JobsError, LookupError):
    """There is no such job."""


class ServiceError(JobsError):
    """The service cannot be reached, or a part of it cannot start."""


class FencedError(JobsError):
    """Somebody else has changed the job meanwhile: it is no longer ours."""


class UnfinishedError(JobsError):
    """The job has no result: it waits, runs, has failed or was cancelled."""
