"""ZooKeeper servers on loopback for tests: ours and, where Debian's packages are installed, Apache's."""

import ctypes
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds that anything may take on a busy machine
APACHE_JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
APACHE_CLASSPATH = f"/etc/zookeeper/conf:{APACHE_JAR}:/usr/share/java/slf4j-simple.jar"


def missing_apache():
    """What Apache's server lacks here, or None."""
    if not APACHE_JAR.exists():
        return "Debian's package zookeeper is not installed"
    if shutil.which("java") is None:
        return "there is no java"
    return None


def end_with_parent():
    """For preexec_fn: a script that is killed leaves no server behind."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def ask(port, word, timeout=PATIENCE):
    """The answer to a four-letter word."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(word.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer.decode()


class Server:
    """A server on a directory of its own, on one port over all its starts."""

    def __init__(self, directory=None, port=None, **settings):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="highwater-zookeeper-"))
        self.port = port or free_port()
        self.settings = {"tickTime": 2000, "clientPortAddress": "127.0.0.1", "maxClientCnxns": 0,
                         "admin.enableServer": "false", "4lw.commands.whitelist": "*", **settings}
        self.process = None

    @property
    def hosts(self):
        return f"127.0.0.1:{self.port}"

    @property
    def data(self):
        return self.directory / "data"

    def log(self):
        return (self.directory / "out").read_text(errors="replace")

    def command(self, config):
        raise NotImplementedError

    def start(self):
        self.launch()
        return self.wait_until_it_serves()

    def launch(self):
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.directory / "zoo.cfg"
        settings = {**self.settings, "dataDir": self.data, "clientPort": self.port}
        config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        with open(self.directory / "out", "w") as out:
            self.process = subprocess.Popen(self.command(config), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            start_new_session=True, preexec_fn=end_with_parent)

    def wait_until_it_serves(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            try:
                # Asked too early, Apache's server forgets to close the connection.
                if "Mode:" in ask(self.port, "srvr", timeout=1):
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server does not serve:\n{self.log()}")

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.directory)


class Ensemble:
    """Servers that know each other; of one, a server on its own. Each in a directory of its own below `directory`."""

    def __init__(self, kind, count, directory, ports=None, **settings):
        ports = ports or [free_port() for _ in range(count)]
        self.servers = [kind(pathlib.Path(directory) / f"zookeeper-{i}", port, **settings)
                        for i, port in enumerate(ports, 1)]
        if count == 1:
            return
        # Ports for the quorum and for the election, which nobody else needs to know.
        peers = {f"server.{i}": f"127.0.0.1:{free_port()}:{free_port()}" for i in range(1, count + 1)}
        for i, server in enumerate(self.servers, 1):
            server.settings.update({"initLimit": 10, "syncLimit": 5, **peers})
            server.data.mkdir(parents=True, exist_ok=True)
            (server.data / "myid").write_text(f"{i}\n")

    @property
    def hosts(self):
        return ",".join(server.hosts for server in self.servers)

    def start(self):
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_it_serves()
        return self

    def end(self, how=signal.SIGTERM):
        for server in self.servers:
            if server.process and server.process.poll() is None:
                server.process.send_signal(how)
        for server in self.servers:
            if server.process:
                server.process.wait(PATIENCE)


class OurServer(Server):
    program = None  # set by the test's main

    def command(self, config):
        return [self.program, str(config)]


class ApacheServer(Server):
    def command(self, config):
        return ["java", "-cp", APACHE_CLASSPATH, "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
