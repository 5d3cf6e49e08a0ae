#!/usr/bin/env python3
"""Our ZooKeeper client against Apache's servers: every request, watches, killed servers, a session that expires.

    zookeeper_client_test.py --probe PATH [--bench] [unittest arguments]

Skipped, with a message, where Debian's zookeeper package or java is missing.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PROBE = None
BENCH = False
PATIENCE = 60  # seconds that anything may take on a busy machine
TIMEOUT_MS = 4000
JARS = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"]
CLASS_PATH = ":".join(["/etc/zookeeper/conf", *JARS])


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def until(condition, what):
    """What `condition` returns once that is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if got := condition():
            return got
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {PATIENCE} s")


class Server:
    """Apache's server, alone or as one of an ensemble."""

    def __init__(self, number=0, peers=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-zk-"))
        (self.directory / "data").mkdir()
        self.port = free_ports(1)[0]
        lines = ["tickTime=500", f"dataDir={self.directory}/data", "clientPortAddress=127.0.0.1",
                 f"clientPort={self.port}", "admin.enableServer=false", "maxClientCnxns=0", "4lw.commands.whitelist=*"]
        if peers:
            (self.directory / "data" / "myid").write_text(f"{number}\n")
            lines += ["initLimit=10", "syncLimit=4"]
            lines += [f"server.{i}=127.0.0.1:{a}:{b}" for i, (a, b) in enumerate(peers, 1)]
        (self.directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", CLASS_PATH, "-Xmx192m",
             "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self.directory / "zoo.cfg")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def ask(self, word):
        """The answer to a four-letter word; empty if there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                s.sendall(word.encode())
                s.settimeout(2)
                return b"".join(iter(lambda: s.recv(4096), b"")).decode()
        except OSError:
            return ""

    def await_serving(self):
        until(lambda: "Mode:" in self.ask("srvr"), "a ZooKeeper server that serves")
        return self

    def holds(self, session):
        return f"{session & 0xffffffffffffffff:x}" in self.ask("cons")

    def signal(self, how):
        self.process.send_signal(how)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.directory)


class Probe:
    """Our client, in a process of its own."""

    def __init__(self, servers, chroot="", in_flight=10):
        where = ",".join(f"127.0.0.1:{s.port}" for s in servers) + chroot
        self.process = subprocess.Popen([PROBE, where, str(TIMEOUT_MS), str(in_flight)], stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline().split()[1])
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.file = self.socket.makefile("rw")
        connected = self.do("connect")
        if connected != "OK":
            raise AssertionError(connected)

    def do(self, *words):
        self.file.write(" ".join(str(w) for w in words) + "\n")
        self.file.flush()
        return self.file.readline().rstrip("\n")

    def session(self):
        return int(self.do("session"))

    def events(self, expected):
        """Waits for as many events as are expected."""
        got = []

        def collect():
            got.extend(self.do("events").split())
            return len(got) >= len(expected)
        until(collect, f"events {expected}, not {got},")
        return got

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.file.close()
        self.socket.close()


class StandaloneTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start().await_serving()

    @classmethod
    def tearDownClass(cls):
        cls.server.remove()

    def setUp(self):
        self.probe = Probe([self.server])
        self.addCleanup(self.probe.end)

    def test_every_request(self):
        do = self.probe.do
        self.assertEqual(do("create", "/r", "one"), "OK /r")
        self.assertEqual(do("create", "/r", "one"), "NODEEXISTS")
        self.assertEqual(do("get", "/r"), "OK one version 0")
        self.assertEqual(do("set", "/r", "two", 0), "OK version 1 owner 0")
        self.assertEqual(do("set", "/r", "three", 0), "BADVERSION")
        self.assertEqual(do("create", "/r/s-", "x", "sequential"), "OK /r/s-0000000000")
        self.assertEqual(do("children", "/r"), "OK [s-0000000000]")
        self.assertEqual(do("delete", "/r", -1), "NOTEMPTY")
        self.assertEqual(do("multi", "/r", 1, "/r/s-0000000000", "y"), "OK")
        self.assertEqual(do("get", "/r/s-0000000000"), "OK y version 1")
        self.assertEqual(do("multi", "/r", 7, "/r/s-0000000000", "z"), "BADVERSION")
        self.assertEqual(do("delete", "/r/s-0000000000", 1), "OK")
        self.assertEqual(do("delete", "/r", -1), "OK")
        self.assertEqual(do("exists", "/r"), "NONODE")

    def test_watches(self):
        other = Probe([self.server])
        self.addCleanup(other.end)
        self.assertEqual(self.probe.do("watch", "/w"), "NONODE")
        other.do("create", "/w", "1")
        self.assertEqual(self.probe.events(["x"]), ["created:/w"])
        self.probe.do("get", "/w")
        self.probe.do("watch-children", "/w")
        other.do("create", "/w/c", "1")
        self.assertEqual(self.probe.events(["x"]), ["children:/w"])
        other.do("set", "/w", "2", -1)
        self.assertEqual(self.probe.events(["x"]), ["data:/w"])

    def test_ephemerals_end_with_their_session(self):
        other = Probe([self.server])
        self.addCleanup(other.end)
        self.probe.do("create", "/e", "x", "ephemeral")
        owner = self.probe.session()
        self.assertEqual(other.do("watch", "/e"), f"OK version 0 owner {owner}")
        self.assertEqual(self.probe.do("close"), "closed")
        self.assertEqual(other.events(["x"]), ["deleted:/e"])

    def test_a_chroot(self):
        inside = Probe([self.server], "/clusters/one")
        self.addCleanup(inside.end)
        self.assertEqual(inside.do("create", "/a", "x"), "OK /a")
        self.assertEqual(self.probe.do("get", "/clusters/one/a"), "OK x version 0")

    def test_the_same_session_after_a_restart_of_the_server(self):
        session = self.probe.session()
        self.probe.do("create", "/kept", "x", "ephemeral")
        self.probe.do("watch", "/kept")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.probe.do("set", "/kept", "y", 0), f"OK version 1 owner {session}")
        self.assertEqual(self.probe.session(), session)
        self.assertEqual(self.probe.events(["x"]), ["data:/kept"])

    def test_a_stopped_client_learns_of_its_expiry(self):
        other = Probe([self.server])
        self.addCleanup(other.end)
        session = self.probe.session()
        self.probe.do("create", "/stopped", "x", "ephemeral")
        other.do("watch", "/stopped")
        self.probe.process.send_signal(signal.SIGSTOP)
        other.events(["deleted:/stopped"])
        self.probe.process.send_signal(signal.SIGCONT)
        self.assertEqual(self.probe.events(["before", "after"]), ["before", "after"])
        until(lambda: self.probe.session() not in (0, session), "a new session")
        self.assertEqual(self.probe.do("create", "/stopped", "x", "ephemeral"), "OK /stopped")

    def test_throughput(self):
        if not BENCH:
            self.skipTest("only with --bench")
        for in_flight in (10, 100, 1000):
            probe = Probe([self.server], in_flight=in_flight)
            self.addCleanup(probe.end)
            probe.do("create", "/bench", "x" * 100)
            for op, count in (("get", 50000), ("set", 5000)):
                for _ in range(2):
                    before = pathlib.Path(f"/proc/{probe.process.pid}/stat").read_text().split()
                    ok, seconds = probe.do("bench", op, count).split()
                    after = pathlib.Path(f"/proc/{probe.process.pid}/stat").read_text().split()
                    cpu = sum(int(after[i]) - int(before[i]) for i in (13, 14)) / os.sysconf("SC_CLK_TCK")
                    self.assertEqual(int(ok), count)
                print(f"{op}, {in_flight} in flight: {count / float(seconds):.0f}/s, {cpu / count * 1e6:.1f} us of CPU each", flush=True)


class EnsembleTest(unittest.TestCase):
    def setUp(self):
        peers = [free_ports(2) for _ in range(3)]
        self.servers = [Server(i, peers).start() for i in (1, 2, 3)]
        for server in self.servers:
            self.addCleanup(server.remove)
        for server in self.servers:
            server.await_serving()
        self.probe = Probe(self.servers)
        self.addCleanup(self.probe.end)

    def attached(self):
        session = self.probe.session()
        return until(lambda: next((s for s in self.servers if s.process.poll() is None and s.holds(session)), None),
                     "a server that holds the session")

    def test_a_killed_server_costs_neither_session_nor_watches(self):
        self.probe.do("create", "/a", "0")
        self.probe.do("create", "/e", "x", "ephemeral")
        self.probe.do("watch", "/a")
        session = self.probe.session()
        for version in range(3):
            victim = self.attached()
            victim.kill()
            others = [s for s in self.servers if s is not victim]
            for server in others:
                server.await_serving()
            writer = Probe(others)
            self.assertEqual(writer.do("set", "/a", version, version), f"OK version {version + 1} owner 0")
            writer.end()
            self.assertEqual(self.probe.events(["x"]), ["data:/a"])
            self.assertEqual(self.probe.session(), session)
            # Reading sets the watch again.
            self.assertEqual(self.probe.do("get", "/a"), f"OK {version} version {version + 1}")
            self.assertEqual(self.probe.do("exists", "/e"), f"OK version 0 owner {session}")
            victim.start().await_serving()

    def test_a_stopped_server_is_left_for_another(self):
        session = self.probe.session()
        self.probe.do("create", "/a", "0")
        victim = self.attached()
        victim.signal(signal.SIGSTOP)
        self.assertEqual(self.probe.do("set", "/a", "1", -1).split()[0], "OK")
        self.assertEqual(self.probe.session(), session)
        self.assertEqual(self.probe.do("events"), "")
        victim.signal(signal.SIGCONT)


if __name__ == "__main__":
    if "--probe" in sys.argv:
        at = sys.argv.index("--probe")
        PROBE = os.path.abspath(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    if "--bench" in sys.argv:
        BENCH = True
        sys.argv.remove("--bench")
    if PROBE is None:
        sys.exit("needs --probe PATH")
    if shutil.which("java") is None or not all(os.path.exists(jar) for jar in JARS):
        print("skipped: needs java, and Debian's packages zookeeper and libslf4j-java")
        sys.exit(77)
    unittest.main(verbosity=2)
