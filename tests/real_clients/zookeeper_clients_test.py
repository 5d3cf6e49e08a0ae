#!/usr/bin/env python3
"""Real ZooKeeper clients against our server: Apache's command line (Java), the C library's, kazoo and node's.

    zookeeper_clients_test.py --server PATH [unittest arguments]

A client that is not installed is skipped, and named; exits with 77 where none is. The Java and C clients and kazoo come
from Debian's packages zookeeper, zookeeper-bin and python3-kazoo; node-zookeeper-client from npm, where npm reaches it.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from zookeeper_servers import PATIENCE, ApacheServer, OurServer, missing_apache  # noqa: E402

SKIPPED = 77
ZKCLI = pathlib.Path("/usr/share/zookeeper/bin/zkCli.sh")
CLI_MT = pathlib.Path("/usr/lib/zookeeper/bin/cli_mt")
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's kazoo is for it
NODE_CLIENT = "node-zookeeper-client@1.1.3"


def missing_java():
    return None if ZKCLI.exists() and shutil.which("java") else "Debian's package zookeeper, or java, is not installed"


def missing_c():
    return None if CLI_MT.exists() else "Debian's package zookeeper-bin is not installed"


def missing_kazoo():
    done = subprocess.run([SYSTEM_PYTHON, "-c", "import kazoo"], stderr=subprocess.DEVNULL, check=False)
    return None if done.returncode == 0 else "Debian's package python3-kazoo is not installed"


def needs(missing):
    reason = missing()
    return unittest.skipIf(reason, f"skipped: {reason}")


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come")


class WithServer(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.server = OurServer(**self.settings).start()
        self.addCleanup(self.server.remove)


@needs(missing_java)
class ZkCliTest(WithServer):
    """The Java client: create2, getChildren2, setWatches2, containers, whoami."""

    def zkcli(self, *commands, server=None):
        script = "".join(command + "\n" for command in (*commands, "quit"))
        done = subprocess.run([str(ZKCLI), "-server", (server or self.server).hosts], input=script, timeout=PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout

    def test_nodes_and_watches(self):
        output = self.zkcli("create /hw hello", "get -s /hw", "set /hw world", "get -w /hw", "set /hw again",
                            "create -e /hw/e x", "create -s /hw/s- x", "create -c /hw/c", "ls /hw", "stat /none",
                            "create /hw twice", "delete /hw", "set -v 7 /hw y", "sync /hw", "whoami", "getEphemerals",
                            "setAcl /hw/c world:anyone:r", "getAcl /hw/c", "getAllChildrenNumber /hw", "addWatch /hw",
                            "set /hw told", "removewatches /hw", "deleteall /hw", "ls /")
        for wanted in ("Created /hw", "hello", "dataVersion = 0", "type:NodeDataChanged path:/hw", "Created /hw/e",
                       "Created /hw/s-0000000001", "[c, e, s-0000000001]", "Node does not exist: /none",
                       "Node already exists: /hw", "Node not empty: /hw", "version No is not valid : /hw", "Sync is OK",
                       "[/hw/e]", "'world,'anyone\n: r", "[zookeeper]"):
            self.assertIn(wanted, output)

    def test_an_acl_keeps_others_out(self):
        self.zkcli("addauth digest bob:secret", "create /mine x auth::cdrwa")
        self.assertIn("Insufficient permission : /mine", self.zkcli("get /mine"))
        self.assertIn("x", self.zkcli("addauth digest bob:secret", "get /mine"))

    def test_it_reads_our_files_and_we_read_its(self):
        """The same tree from the same directory: ours, then Apache's, then ours again."""
        self.zkcli("create /ours 1", "create /ours/child 2", "set /ours changed", "create /ours/acl x world:anyone:r")
        self.server.end(signal.SIGKILL)
        apache = ApacheServer(self.server.directory).start()
        try:
            output = self.zkcli("get -s /ours", "ls /ours", "getAcl /ours/acl", "create /theirs 3", server=apache)
            for wanted in ("changed", "dataVersion = 1", "[acl, child]", "'world,'anyone\n: r", "Created /theirs"):
                self.assertIn(wanted, output)
        finally:
            apache.end(signal.SIGKILL)
        self.server.start()
        output = self.zkcli("get /theirs", "get /ours/child", "ls /")
        for wanted in ("\n3\n", "\n2\n", "[ours, theirs, zookeeper]"):
            self.assertIn(wanted, output)


@needs(missing_c)
class CliMtTest(WithServer):
    """The C client. It is asynchronous: a command is given when the one before has answered."""

    def test_a_conversation(self):
        with tempfile.TemporaryFile("w+") as output:
            client = subprocess.Popen([str(CLI_MT), "-h", self.server.hosts], stdin=subprocess.PIPE, stdout=output,
                                      stderr=output, text=True)

            self.addCleanup(client.stdin.close)
            self.addCleanup(client.kill)

            def said():
                # Through another descriptor: a seek of this one would move the client's.
                with open(f"/proc/self/fd/{output.fileno()}", errors="replace") as copy:
                    return copy.read()

            def give(command, answer):
                client.stdin.write(command + "\n")
                client.stdin.flush()
                wait_for(lambda: answer in said(), f"{answer!r} after {command!r}; it said {said()[-2000:]}")

            wait_for(lambda: "CONNECTED_STATE" in said(), "a connection")
            give("create /cm", "[/cm]: rc = 0")
            give("create +e /cm/e", "name = /cm/e")
            give("create +s /cm/s-", "name = /cm/s-0000000001")
            give("set /cm value", "version=1")
            give("get /cm", "value")
            give("delete /none", "/none: rc = -101")
            give("wexists /seen", "Error -101 for /seen")
            give("create /seen", "CREATED_EVENT")
            # Over a restart: the same session, and its watches set again.
            give("wexists /later", "Error -101 for /later")
            self.server.end(signal.SIGKILL)
            self.server.start()
            wait_for(lambda: said().count("CONNECTED_STATE\n") >= 2, "the connection again")
            give("create /later", "CREATED_EVENT state = CONNECTED_STATE for path /later")
            client.stdin.write("quit\n")
            client.stdin.flush()
            client.wait(PATIENCE)


KAZOO = r"""
import json, logging, sys, time
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError, RolledBackError, SessionExpiredError
from kazoo.security import make_digest_acl
hosts = sys.argv[1]
def client(timeout=10.0, **more):
    zk = KazooClient(hosts=hosts, timeout=timeout, **more)
    zk.start(timeout=60)
    return zk
"""


@needs(missing_kazoo)
class KazooTest(WithServer):
    def run_kazoo(self, script):
        done = subprocess.run([SYSTEM_PYTHON, "-c", KAZOO + script, self.server.hosts], timeout=PATIENCE, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_nodes_versions_watches_and_transactions(self):
        self.run_kazoo(r"""
zk = client()
events = []
zk.ensure_path("/k")
assert zk.create("/k/q-", b"", ephemeral=True, sequence=True) == "/k/q-0000000000"
data, stat = zk.get("/k", watch=events.append)
assert (data, stat.version) == (b"", 0)
assert zk.set("/k", b"1", version=0).version == 1
try:
    zk.set("/k", b"2", version=0)
    raise SystemExit("a stale version was taken")
except BadVersionError:
    pass
t = zk.transaction()
t.check("/k", 99)
t.create("/k/x")
results = t.commit()
assert isinstance(results[0], BadVersionError), results
assert zk.exists("/k/x") is None
t = zk.transaction()
t.check("/k", 1)
t.create("/k/x", b"x")
t.set_data("/k/x", b"y", version=0)
t.delete("/k/x", version=1)
t.create("/k/y", b"y", ephemeral=True)
results = t.commit()
assert results[0] and results[1] == "/k/x" and results[2].version == 1, results
assert zk.get_children("/k") == ["q-0000000000", "y"]
# Watchers are called on a thread of their own.
deadline = time.monotonic() + 30
while not events and time.monotonic() < deadline:
    time.sleep(0.01)
assert [(e.type, e.path) for e in events] == [("CHANGED", "/k")], events
zk.add_auth("digest", "bob:secret")
zk.create("/mine", b"m", acl=[make_digest_acl("bob", "secret", all=True)])
other = client()
try:
    other.get("/mine")
    raise SystemExit("read without permission")
except Exception as error:
    assert type(error).__name__ == "NoAuthError", error
assert zk.get("/mine")[0] == b"m"
with zk.Lock("/lock", "me"):
    assert not other.Lock("/lock", "you").acquire(blocking=False)
zk.delete("/k", recursive=True)
zk.stop(); zk.close()
""")

    def test_an_ephemeral_goes_with_its_session_and_not_before(self):
        self.run_kazoo(r"""
import os, signal, subprocess
watcher = client()
child = os.fork()
if child == 0:
    zk = client(timeout=4.0)
    zk.create("/alive", b"", ephemeral=True)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
gone = watcher.handler.event_object()
assert watcher.exists("/alive", watch=lambda event: gone.set()) is not None
began = time.monotonic()
assert gone.wait(30), "it never went"
assert time.monotonic() - began > 2, "it went before its session could have expired"
assert watcher.exists("/alive") is None
""")

    def test_a_session_outlives_a_kill_of_the_server(self):
        """The client reconnects: the same session, its ephemeral kept. (Kazoo sets no watch again by itself; zkCli and
        cli_mt do, and the differential test shows that requests of theirs are answered as Apache's server does.)"""
        client = subprocess.Popen([SYSTEM_PYTHON, "-c", KAZOO + r"""
zk = client(timeout=20.0)
states = []
zk.add_listener(states.append)
session = zk.client_id[0]
zk.create("/here", b"1", ephemeral=True)
seen = zk.handler.event_object()
zk.DataWatch("/here", lambda data, stat: seen.set() if data == b"2" else None)
print("ready", flush=True)
sys.stdin.readline()
other = client()
other.set("/here", b"2")
assert seen.wait(30), "the watch was lost"
assert zk.client_id[0] == session, "another session"
assert zk.get("/here")[1].ephemeralOwner == session
assert "LOST" not in states, states
print("done", flush=True)
""", self.server.hosts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(client.stdout.readline(), "ready\n")
        self.server.end(signal.SIGKILL)
        self.server.start()
        output, _ = client.communicate("go\n", timeout=PATIENCE)
        self.assertEqual((client.returncode, output), (0, "done\n"))


@needs(missing_kazoo)
class CrashTest(WithServer):
    settings = {"snapCount": 50, "autopurge.purgeInterval": 1}  # so that snapshots are written under the load too

    LOAD = KAZOO + r"""
name, count = sys.argv[2], 0
zk = client(timeout=20.0)
while True:
    path = "/load/%s-%d" % (name, count)
    zk.create(path, b"x" * (count % 300))
    if count % 3 == 0:
        zk.set(path, b"set")
    print(count, flush=True)      # acknowledged
    count += 1
"""

    def test_kills_in_mid_load_lose_nothing_that_was_acknowledged(self):
        self.run_python(r"client().create('/load')")
        acknowledged = {}
        for round_number in range(4):
            names = [f"{round_number}-{i}" for i in range(3)]
            loads = {name: subprocess.Popen([SYSTEM_PYTHON, "-c", self.LOAD, self.server.hosts, name], stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True) for name in names}
            lines = {name: [] for name in names}
            readers = [threading.Thread(target=lambda n=name: lines[n].extend(loads[n].stdout)) for name in names]
            for reader in readers:
                reader.start()
            kill_at = random.Random(round_number).randrange(50, 150)
            wait_for(lambda: self.last_zxid() > (round_number + 1) * 300 + kill_at, "the load")
            self.server.end(signal.SIGKILL)
            for name in names:
                loads[name].kill()
            for reader in readers:
                reader.join(PATIENCE)
            for name in names:
                loads[name].stdout.close()
                loads[name].wait(PATIENCE)
                acknowledged[name] = len([line for line in lines[name] if line.endswith("\n")])
            self.server.start()
            self.assertGreater(sum(acknowledged[name] for name in names), 0)
            stored = json.loads(self.run_python(r"""
zk = client()
print(json.dumps({c: len(zk.get('/load/' + c)[0]) for c in zk.get_children('/load')}))"""))
            for name, count in acknowledged.items():
                for i in range(count):
                    wanted = 3 if i % 3 == 0 else i % 300
                    self.assertEqual(stored.get(f"{name}-{i}"), wanted, f"{name}-{i} was acknowledged")
        self.assertGreater(len(list((self.server.data / "version-2").glob("snapshot.*"))), 1)

    def last_zxid(self):
        from zookeeper_servers import ask
        for line in ask(self.server.port, "srvr").splitlines():
            if line.startswith("Zxid: "):
                return int(line.split()[1], 16)
        return 0

    def run_python(self, script):
        done = subprocess.run([SYSTEM_PYTHON, "-c", KAZOO + script, self.server.hosts], timeout=PATIENCE, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


NODE = r"""
const zookeeper = require('node-zookeeper-client');
const assert = require('assert');
const client = zookeeper.createClient(process.argv[2], {sessionTimeout: 10000});
const call = (f, ...a) => new Promise((ok, no) => client[f](...a, (error, ...r) => error ? no(error) : ok(r)));
client.once('connected', async () => {
  try {
    assert.equal((await call('create', '/n', Buffer.from('1')))[0], '/n');
    let told; const event = new Promise(ok => told = ok);
    const [data, stat] = await call('getData', '/n', told);
    assert.equal(data.toString(), '1'); assert.equal(stat.version, 0);
    await call('setData', '/n', Buffer.from('2'), 0);
    assert.equal((await event).getName(), 'NODE_DATA_CHANGED');
    await call('create', '/n/e-', Buffer.from(''), zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL);
    assert.deepEqual((await call('getChildren', '/n'))[0], ['e-0000000000']);
    const t = client.transaction().check('/n', 9).create('/n/x', Buffer.from(''));
    await new Promise(ok => t.commit((error) => { assert.equal(error.getName(), 'BAD_VERSION'); ok(); }));
    client.close(); console.log('done');
  } catch (error) { console.error(error); process.exit(1); }
});
client.connect();
"""


class NodeTest(WithServer):
    def test_a_conversation(self):
        if shutil.which("npm") is None or shutil.which("node") is None:
            self.skipTest("skipped: there is no npm or node")
        with tempfile.TemporaryDirectory(prefix="highwater-node-") as folder:
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, NODE_CLIENT], timeout=180,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                self.skipTest(f"skipped: npm can not install {NODE_CLIENT}: {done.stdout.strip().splitlines()[-1:]}")
            (pathlib.Path(folder) / "talk.js").write_text(NODE)
            done = subprocess.run(["node", "talk.js", self.server.hosts], cwd=folder, timeout=PATIENCE, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr)


class ProgramTest(unittest.TestCase):
    """What the program says for itself; needs no client."""

    def run_program(self, *arguments):
        return subprocess.run([OurServer.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE, check=False)

    def test_a_bad_setting_is_named_with_its_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
            config.write("dataDir=/tmp/x\nclientPort=no\n")
            config.flush()
            done = self.run_program(config.name)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{config.name}:2: clientPort: expected a whole number", done.stderr)

    def test_help_version_and_usage(self):
        self.assertIn("ZOO_CFG", self.run_program("--help").stdout)
        self.assertIn("highwater-zookeeper 3.8", self.run_program("--version").stdout)
        self.assertEqual(self.run_program().returncode, 2)
        done = self.run_program("/none/zoo.cfg")
        self.assertEqual((done.returncode, done.stderr), (2, "/none/zoo.cfg: cannot be read\n"))

    def test_one_of_an_ensemble_must_know_which(self):
        with tempfile.TemporaryDirectory(prefix="highwater-zookeeper-") as folder:
            config = pathlib.Path(folder) / "zoo.cfg"
            config.write_text(
                f"dataDir={folder}\nclientPort=1\ninitLimit=5\nsyncLimit=2\nserver.1=a:1:2\nserver.2=b:1:2\n"
            )
            done = self.run_program(str(config))
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{folder}/myid: cannot be read", done.stderr)

    def test_a_directory_and_a_port_belong_to_one_server(self):
        server = OurServer().start()
        try:
            done = self.run_program(str(server.directory / "zoo.cfg"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("does another server use it?", done.stderr)
            with tempfile.TemporaryDirectory(prefix="highwater-zookeeper-") as folder:
                config = pathlib.Path(folder) / "zoo.cfg"
                config.write_text(f"dataDir={folder}/data\nclientPortAddress=127.0.0.1\nclientPort={server.port}\n")
                done = self.run_program(str(config))
            self.assertEqual(done.returncode, 1)
            self.assertIn("Address already in use", done.stderr)
        finally:
            server.remove()

    def test_a_stop_is_clean_and_a_damaged_log_is_refused(self):
        server = OurServer().start()
        try:
            from zookeeper_wire import Connection, create
            with Connection(server.port) as client:
                client.connect()
                for i in range(20):
                    self.assertEqual(client.call("create", create(f"/n{i}", b"x" * 100))["error"], 0)
            self.assertEqual(server.end(signal.SIGTERM), 0)
            self.assertIn("stopped", server.log())
            log = max((server.data / "version-2").glob("log.*"))
            content = bytearray(log.read_bytes())
            content[600] ^= 1
            log.write_bytes(content)
            with self.assertRaises(AssertionError) as failed:
                server.start()
            self.assertIn("is damaged", str(failed.exception))
        finally:
            server.remove()


if __name__ == "__main__":
    if "--server" in sys.argv:
        at = sys.argv.index("--server")
        OurServer.program = os.path.abspath(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    if OurServer.program is None:
        sys.exit("needs --server PATH")
    reasons = [reason for reason in (missing_java(), missing_c(), missing_kazoo()) if reason]
    if len(reasons) == 3:
        print("skipped: " + "; ".join(reasons))
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
