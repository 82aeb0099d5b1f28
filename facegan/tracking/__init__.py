"""What the ledger has committed, copied to MLflow: the one home of MLflow in this program.

MLflow reads its settings when it is imported, which is always after this package: no usage reports, no
advertisement on standard output, and no minutes of patience with a server that is not there.
"""

import os
from types import MappingProxyType

SETTINGS = MappingProxyType(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    }
)
"""What is set unless the user has set it."""

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
