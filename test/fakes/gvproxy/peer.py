"""gvproxy's vfkit mode on a unix datagram socket, in front of a gvproxy that takes its frames on stdin.

Words: the socket, whether the first datagram must be VFKT (gvproxy up to 0.8.7), and the command of the real one. Its ends are those
of gvproxy: a peer that is gone is noticed by the first frame for it, with exit code 0; a second VFKT is taken for a frame, by which
the receiver dies with a lock held, so that nothing goes through any more and SIGTERM is not heard.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading

path, strict, *command = sys.argv[1:]


def end(code, words=""):
    if words:
        print(words, file=sys.stderr, flush=True)
    real.kill()
    os._exit(code)


if os.path.lexists(path):
    print(f"listen unixgram {path}: already exists", file=sys.stderr)
    sys.exit(1)
if len(os.fsencode(path)) > 103:
    print(f"listen unixgram {path}: bind: invalid argument", file=sys.stderr)
    sys.exit(0)
card = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
card.bind(path)
card.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
card.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
real = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
is_deadlocked = False


def on_signal(number, _):
    if is_deadlocked:
        return
    os.unlink(path)
    end(0)


signal.signal(signal.SIGTERM, on_signal)
signal.signal(signal.SIGINT, on_signal)


def from_guest(first):
    """Frames of whoever sends, to the real one."""
    global is_deadlocked
    if first != b"VFKT":
        forward(first)
    while True:
        # Whoever sees that it was taken finds what came of it.
        is_deadlocked = len(card.recv(65536, socket.MSG_PEEK)) < 6
        frame = card.recv(65536)
        if is_deadlocked:
            return
        forward(frame)


def forward(frame):
    try:
        real.stdin.write(struct.pack("<H", len(frame)) + frame)
        real.stdin.flush()
    except OSError:
        end(1, "the real gvproxy is gone")


def to_guest(peer):
    """Frames of the real one, to the name that came first."""
    while True:
        head = real.stdout.read(2)
        if len(head) < 2:
            end(1, "the real gvproxy is gone")
        frame = real.stdout.read(struct.unpack("<H", head)[0])
        if is_deadlocked:
            continue
        try:
            card.sendto(frame, peer)
        except OSError as error:
            end(0, f"write unixgram {path}->{peer}: sendto: {error.strerror}")


def serve():
    first, peer = card.recvfrom(65536)
    if not peer:
        end(0, "cannot accept a peer without a name")
    if strict == "yes" and first != b"VFKT":
        end(0, "invalid magic number")
    threading.Thread(target=to_guest, args=(peer,), daemon=True).start()
    from_guest(first)


threading.Thread(target=serve, daemon=True).start()
while True:
    signal.pause()
