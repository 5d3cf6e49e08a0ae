#!/usr/bin/env python3
"""Measures a real broker on loopback beside plain copies of the same bytes, in one run: produce and consume with kcat, against
copying the file and sending it through a socket.

    throughput.py BUILD_DIR [--quick]
"""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

BUILD = pathlib.Path(sys.argv[1])
RECORDS = 100_000 if "--quick" in sys.argv else 1_000_000
RECORD = 1024


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def timed(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def copy_file(source, target):
    with open(source, "rb") as a, open(target, "wb") as b:
        while os.sendfile(b.fileno(), a.fileno(), None, 1 << 20):
            pass


def copy_through_socket(source):
    listener = socket.create_server(("127.0.0.1", 0))

    def receive():
        peer, _ = listener.accept()
        buffer = bytearray(1 << 20)
        while peer.recv_into(buffer):
            pass

    receiver = threading.Thread(target=receive)
    receiver.start()
    with socket.create_connection(listener.getsockname()) as out, open(source, "rb") as f:
        out.sendfile(f)
    receiver.join()
    listener.close()


def report(name, seconds):
    size = RECORDS * RECORD
    print(f"  {name:<34} {size / seconds / 1e6:8.0f} MB/s   {RECORDS / seconds:12,.0f} records/s")


def main():
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        source = directory / "records"
        line = b"x" * (RECORD - 1) + b"\n"
        with open(source, "wb") as f:
            for _ in range(RECORDS // 1000):
                f.write(line * 1000)
        port = free_port()
        config = directory / "server.properties"
        config.write_text(f"broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={directory}/data\n")
        broker = subprocess.Popen([BUILD / "programs/highwater-broker", "--config", config], stderr=subprocess.DEVNULL)
        try:
            server = f"127.0.0.1:{port}"
            for _ in range(100):
                if subprocess.run(["kcat", "-L", "-b", server, "-m", "1"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode == 0:
                    break
                time.sleep(0.1)
            report("plain copy of the file", timed(lambda: copy_file(source, directory / "copy")))
            report("plain copy through a socket", timed(lambda: copy_through_socket(source)))
            for acks in ("1", "all"):
                produce = ["kcat", "-P", "-b", server, "-t", f"bench-{acks}", "-p", "0", "-X", f"acks={acks}",
                           "-X", "queue.buffering.max.messages=1000000", "-X", "linger.ms=5", "-l", source]
                report(f"kcat produces, acks={acks}", timed(lambda: subprocess.run(produce, check=True)))
            consume = ["kcat", "-C", "-b", server, "-t", "bench-all", "-p", "0", "-o", "beginning", "-e", "-q"]
            report("kcat consumes", timed(lambda: subprocess.run(consume, check=True, stdout=subprocess.DEVNULL)))
        finally:
            broker.terminate()
            broker.wait(timeout=30)


main()
