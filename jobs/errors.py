"""What can go wrong with jobs.

JobError
├── UnknownJobType   nothing is registered under that name
└── JobNotRedrivable the job is not failed, or the same work is live already
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
