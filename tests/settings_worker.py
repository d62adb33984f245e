"""The service's settings, with job types that only the cluster's tests know.

The database is the one that the running test uses: TEST_DATABASE holds it as JSON. Without it, it
is the embedded one of DATA_DIR.
"""

import json
import os

from novitai.settings import *  # noqa: F403
from novitai.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.jobs.sampleapp"]
if "TEST_DATABASE" in os.environ:
    DATABASES = {
        "default": {
            **DATABASES["default"],
            "ENGINE": "core.database.backend",
            **json.loads(os.environ["TEST_DATABASE"]),
        }
    }
