"""Errors of the job queue.

JobError
├── UnknownJobType     no job type is registered under that name
├── JobNotRedrivable   the job is not failed, or a live job already does the same work
└── JobNotCancellable  the job has ended, or its type cannot be cancelled
"""


class JobError(Exception):
    """Base class. ``code`` is stable for programs."""

    code = "JOB_ERROR"


class UnknownJobType(JobError):
    """No job type is registered under that name."""

    code = "UNKNOWN_JOB_TYPE"


class JobNotRedrivable(JobError):
    """The job is not failed, or a live job already does the same work."""

    code = "JOB_NOT_REDRIVABLE"


class JobNotCancellable(JobError):
    """The job has ended, or its type cannot be cancelled."""

    code = "JOB_NOT_CANCELLABLE"
