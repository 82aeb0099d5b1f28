"""A line to the Docker engine of a machine that can be logged in to: the user's own `ssh`, which ends in time.

The SDK's own way to start `ssh` reads from a pipe, for ever if need be. Here `ssh` holds one end of a socket, and who
asks holds the other, with every limit in time that a socket can have.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess

CONNECT_S = 20  # to be let in; also how long a server may take to say that it is one
SILENT_S = 15  # after so long without a word the server is asked for one, up to three times
ENDS_WITHIN_S = 2.0
_PROGRAM = ("docker", "system", "dial-stdio")


class Line:
    """A connection to the engine at an `ssh://` URL, as `socket`. It is there at once; logging in takes its time.

    Nobody is asked anything: a key must let us in, and a server that is not known is refused.
    """

    def __init__(self, url: str) -> None:
        self.socket, end = socket.socketpair()
        options = (
            "BatchMode=yes",
            f"ConnectTimeout={CONNECT_S}",
            f"ServerAliveInterval={SILENT_S}",
            "ServerAliveCountMax=3",
        )
        command = ["ssh", *(word for option in options for word in ("-o", option)), "--", url.rstrip("/"), *_PROGRAM]
        with end:
            try:
                self._ssh = subprocess.Popen(  # noqa: S603 - the URL comes after the end of options
                    command, stdin=end.fileno(), stdout=end.fileno(), start_new_session=True
                )
            except BaseException:
                self.socket.close()
                raise

    def end(self) -> None:
        """Hang up. `ssh` is told, too: while it waits to be let in it does not look."""
        self.socket.close()
        self._ssh.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ssh.wait(ENDS_WITHIN_S)
            return
        self._ssh.kill()
        self._ssh.wait()
