"""What can go wrong with jobs.

JobError
├── UnknownJobType   nothing is registered under that name
├── JobNotRedrivable the job is not failed, or the same work is live already
└── JobNotCancellable the job has ended, or its type cannot be cancelled
"""


class JobError(Exception):
    """Base of this boundary. ``code`` is stable for programs."""

    code = "JOB_ERROR"


class UnknownJobType(JobError):
    """Nothing is registered under that name."""

    code = "UNKNOWN_JOB_TYPE"


class JobNotRedrivable(JobError):
    """The job is not failed, or the same work is live already."""

    code = "JOB_NOT_REDRIVABLE"


class JobNotCancellable(JobError):
    """The job has ended, or its type cannot be cancelled."""

    code = "JOB_NOT_CANCELLABLE"
