"""Connects as vfkit connects to its network, tells how that went, and becomes the program that it is told to become.

Words: the socket's own name (empty: no network), the peer's, and whether the four bytes are sent. Descriptor 4 is the way to whoever
started it: an errno (0: all is well) and an end of line from here; then from there the argv to become, with NULs between its words,
and an end of line. The card is descriptor 9 then.
"""

import os
import socket
import sys

own, peer, magic = sys.argv[1:4]


def tell(errno):
    os.write(4, b"%d\n" % errno)


if own:
    card = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        card.bind(own)
        card.connect(peer)
        card.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        card.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if magic == "on":
            card.send(b"VFKT")
    except OSError as error:
        tell(error.errno)
        sys.exit(1)
    os.dup2(card.fileno(), 9, inheritable=True)
tell(0)
words = b""
while not words.endswith(b"\n"):
    more = os.read(4, 65536)
    if not more:
        sys.exit(1)
    words += more
argv = words[:-1].split(b"\0")
os.execvp(argv[0], argv)
