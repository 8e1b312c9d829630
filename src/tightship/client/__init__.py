"""For programs: jobs on a tightship server, over HTTP."""

from tightship.client.client import Client
from tightship.client.job import JobEvent, JobView

__all__ = ["Client", "JobEvent", "JobView"]
