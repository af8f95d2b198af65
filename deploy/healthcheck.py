"""The image's health check: exit code 0 where the mock answers on its port, in http or in https.

`http.client` goes past any proxy that an engine put into the environment; on loopback no certificate is checked.
"""

import http.client
import os
import ssl
import sys


def answers(connection: http.client.HTTPConnection) -> bool:
    """Whether health is told here."""
    try:
        connection.request("GET", "/_mock/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


HERE = "127.0.0.1", int(os.environ["GENSTUDIO_MOCK_PORT"])
plain = http.client.HTTPConnection(*HERE, timeout=1)
secure = http.client.HTTPSConnection(*HERE, timeout=1, context=ssl._create_unverified_context())  # noqa: S323, SLF001
sys.exit(not (answers(plain) or answers(secure)))
