#!/usr/bin/env python3
"""A real cluster on loopback: ZooKeeper, ours or Apache's, and brokers, each a process with a directory and a log of its own.

    real_cluster.py [--build DIR] [--zookeeper ours|apache] [--zookeeper-servers N] [--brokers N] [--directory DIR] [--fresh]
                    [--port N] [--zookeeper-port N] [--restart-after SECONDS] [--set KEY=VALUE]...

Serves until Ctrl-C, then stops brokers and ZooKeeper cleanly; a second Ctrl-C kills them. Who is killed meanwhile is started again
after a while. What is in --directory is found again at the next start. ci/cluster builds what this needs and runs it.

Exit: 0 stopped cleanly, 1 something did not start or ended by itself, 2 bad usage, 77 a package is missing.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from zookeeper_servers import (PATIENCE, ApacheServer, Ensemble, OurServer, ask, end_with_parent,  # noqa: E402
                               free_port, missing_apache)

MISSING = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Kafka's names. Three copies and two acknowledgements are what production would say; the rest makes a cluster on one machine nimble.
SETTINGS = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "num.partitions": 3,
    "zookeeper.session.timeout.ms": 6000,
    "replica.lag.time.max.ms": 10000,
    "controlled.shutdown.retry.backoff.ms": 500,
}


def wait_until(what, happens, patience=PATIENCE):
    """The first true answer of `happens`."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := happens():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {patience} s: {what}")


class Broker:
    """One broker, on one port over all its starts."""

    def __init__(self, program, directory, broker_id, port, settings):
        self.program = program
        self.directory = pathlib.Path(directory)
        self.id = broker_id
        self.port = port
        self.settings = {"broker.id": broker_id, "broker.rack": f"az-{broker_id}",
                         "listeners": f"PLAINTEXT://127.0.0.1:{port}", "log.dirs": self.directory / "data", **settings}
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log_path(self):
        return self.directory / "broker.log"

    def launch(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        self.started_at = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "--config", config], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=end_with_parent)

    def serves(self):
        with open(self.log_path, "rb") as log:
            log.seek(self.started_at)
            text = log.read().decode(errors="replace")
        if self.process.poll() is not None:
            raise AssertionError(f"broker {self.id} ended with {self.process.returncode}:\n{text[-2000:]}")
        return "listening on" in text

    def wait_until_it_serves(self):
        wait_until(f"broker {self.id} serves (see {self.log_path})", self.serves)

    def start(self):
        self.launch()
        self.wait_until_it_serves()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, what):
        self.process.send_signal(what)

    def kill(self):
        """kill -9: returns when the process is gone."""
        self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


class Cluster:
    """`programs`: where highwater-broker and highwater-zookeeper are. `ports`, `zookeeper_ports`: None takes free ones."""

    def __init__(self, programs, directory, zookeeper="ours", zookeeper_servers=1, brokers=3, ports=None, zookeeper_ports=None,
                 settings=None, tick_ms=1000):
        programs = pathlib.Path(programs).resolve()
        self.directory = pathlib.Path(directory).resolve()
        OurServer.program = str(programs / "highwater-zookeeper")
        self.kind = zookeeper
        self.zookeeper = Ensemble(OurServer if zookeeper == "ours" else ApacheServer, zookeeper_servers, self.directory,
                                  zookeeper_ports, tickTime=tick_ms)
        settings = {**SETTINGS, "zookeeper.connect": self.zookeeper.hosts, **(settings or {})}
        ports = ports or [free_port() for _ in range(brokers)]
        self.brokers = {i: Broker(programs / "highwater-broker", self.directory / f"broker-{i}", i, port, settings)
                        for i, port in enumerate(ports, 1)}

    @property
    def bootstrap(self):
        return ",".join(broker.address for broker in self.brokers.values())

    def zookeeper_version(self):
        """What the server says of itself; of Apache's also its package's version, which tells its patches."""
        version = re.search(r"Zookeeper version: ([\w.]+)", ask(self.zookeeper.servers[0].port, "srvr"))
        said = version[1] if version else "unknown"
        if self.kind == "ours":
            return f"Highwater's (speaks as {said})"
        package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "zookeeper"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, check=False).stdout.decode()
        return f"Apache's {said}, package zookeeper {package or 'of unknown version'}"

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.zookeeper.start()
        for broker in self.brokers.values():
            broker.launch()
        for broker in self.brokers.values():
            broker.wait_until_it_serves()
        wait_until("every broker knows all brokers and the controller", self.is_complete)
        return self

    def is_complete(self):
        for broker in self.brokers.values():
            view = self.describe(bootstrap=broker.address)
            if view is None or len(view["brokers"]) < len(self.brokers) or view["controllerid"] not in self.brokers:
                return False
        return True

    def kcat(self, *arguments, data=None, bootstrap=None):
        """kcat's output; its failure is an AssertionError."""
        done = subprocess.run(["kcat", "-b", bootstrap or self.bootstrap, *arguments], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=4 * PATIENCE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"kcat {' '.join(arguments)} failed: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def describe(self, topic=None, bootstrap=None):
        """What kcat -L -J says, or None if no broker answers."""
        try:
            return json.loads(self.kcat("-L", "-J", "-m", "2", *(["-t", topic] if topic else []), bootstrap=bootstrap))
        except (AssertionError, ValueError):
            return None

    def controller(self):
        """The id of the controller that is alive, or None."""
        view = self.describe()
        found = view and view["controllerid"]
        return found if found in self.brokers and self.brokers[found].is_alive() else None

    def partition(self, topic, index=0):
        """(leader, in-sync replicas) of a partition, or None."""
        view = self.describe(topic)
        for entry in view["topics"] if view else []:
            for partition in entry["partitions"]:
                if entry["topic"] == topic and partition["partition"] == index:
                    return partition["leader"], [replica["id"] for replica in partition["isrs"]]
        return None

    def is_in_sync(self, topic, partitions=1):
        """Whether every partition has a leader and all its replicas in sync, and every broker that is alive says the same: one that
        was away may still believe what was true before."""
        views = []
        for broker in self.brokers.values():
            if not broker.is_alive():
                continue
            view = self.describe(topic, bootstrap=broker.address)
            found = [p for entry in view["topics"] if entry["topic"] == topic for p in entry["partitions"]] if view else []
            views.append([(p["partition"], p["leader"], p["isrs"]) for p in found])
            if len(found) != partitions or views[-1] != views[0] or any(
                    p["leader"] not in self.brokers or len(p["isrs"]) != len(p["replicas"]) for p in found):
                return False
        return bool(views)

    def stop(self):
        """Cleanly: brokers first, then ZooKeeper. The exit codes of the brokers."""
        for broker in self.brokers.values():
            if broker.is_alive():
                broker.signal(signal.SIGTERM)
        codes = [broker.process.wait(PATIENCE) for broker in self.brokers.values() if broker.process]
        self.zookeeper.end()
        return codes

    def kill(self):
        for broker in self.brokers.values():
            if broker.is_alive():
                broker.kill()
        self.zookeeper.end(signal.SIGKILL)

    def everybody(self):
        """{name: broker or ZooKeeper server}"""
        servers = {f"ZooKeeper server {i}": server for i, server in enumerate(self.zookeeper.servers, 1)}
        return servers | {f"broker {broker.id}": broker for broker in self.brokers.values()}


def what_is_missing(zookeeper):
    """A sentence about a package that is not installed, or None."""
    if shutil.which("kcat") is None:
        return "Debian's package kcat is not installed"
    return missing_apache() if zookeeper == "apache" else None


# ---- The command.

def taken(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def parse(arguments):
    parser = argparse.ArgumentParser(prog="ci/cluster", description="A real Highwater cluster on this machine, until Ctrl-C.",
                                     epilog="Exit: 0 stopped cleanly, 1 failed, 2 bad usage, 77 a package is missing.")
    parser.add_argument("--zookeeper", choices=["ours", "apache"], default="ours",
                        help="whose ZooKeeper server: highwater-zookeeper, or that of Debian's package (default: ours)")
    parser.add_argument("--zookeeper-servers", type=int, default=1, metavar="N", help="servers of the ensemble (default: 1)")
    parser.add_argument("--brokers", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--directory", type=pathlib.Path, metavar="DIR",
                        help="data, settings and logs; kept (default: build/cluster-ours or build/cluster-apache)")
    parser.add_argument("--fresh", action="store_true", help="empty that directory first")
    parser.add_argument("--port", type=int, default=9092, metavar="N", help="of broker 1; the others follow (default: 9092)")
    parser.add_argument("--zookeeper-port", type=int, default=2181, metavar="N", help="of the first server (default: 2181)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
                        help="a setting of all brokers, by Kafka's name; again for more")
    parser.add_argument("--restart-after", type=float, default=10, metavar="SECONDS",
                        help="start again who ended by itself or was killed; 0: never (default: 10)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", metavar="DIR",
                        help="a build that is there already: nothing is installed or built")
    options = parser.parse_args(arguments)
    if options.brokers < 1 or options.zookeeper_servers < 1:
        parser.error("a cluster has at least one broker and one ZooKeeper server")
    if not all("=" in setting for setting in options.settings):
        parser.error("--set takes KEY=VALUE")
    return options


def make_cluster(options):
    directory = options.directory or ROOT / "build" / f"cluster-{options.zookeeper}"
    if options.fresh and directory.exists():
        # Only what a cluster left there.
        for path in [*directory.glob("broker-*"), *directory.glob("zookeeper-*")]:
            shutil.rmtree(path)
    settings = dict(setting.split("=", 1) for setting in options.settings)
    settings.setdefault("default.replication.factor", min(3, options.brokers))
    settings.setdefault("min.insync.replicas", min(2, options.brokers))
    ports = [options.port + i for i in range(options.brokers)]
    zookeeper_ports = [options.zookeeper_port + i for i in range(options.zookeeper_servers)]
    for port in ports + zookeeper_ports:
        if taken(port):
            sys.exit(f"port {port} is taken; --port and --zookeeper-port choose others")
    return Cluster(options.build / "programs", directory, options.zookeeper, options.zookeeper_servers, options.brokers, ports,
                   zookeeper_ports, settings)


def introduce(cluster):
    settings = next(iter(cluster.brokers.values())).settings
    count = len(cluster.zookeeper.servers)
    first = next(iter(cluster.brokers.values()))
    print(f"""
brokers     {cluster.bootstrap}
zookeeper   {cluster.zookeeper.hosts}   {cluster.zookeeper_version()}, {count} server{'s' * (count > 1)}
controller  broker {cluster.controller()}
logs        {cluster.directory}/broker-*/broker.log
            {cluster.directory}/zookeeper-*/out
data        {cluster.directory}
settings    {', '.join(f'{key}={settings[key]}' for key in SETTINGS)}
processes   {', '.join(f'broker {b.id}: {b.process.pid}' for b in cluster.brokers.values())}; """
          f"""ZooKeeper: {', '.join(str(server.process.pid) for server in cluster.zookeeper.servers)}

try         echo hello | kcat -P -b {first.address} -t greetings -X acks=all
            kcat -C -b {first.address} -t greetings -e
            kcat -L -b {first.address}
            kill -9 {first.process.pid}      # broker {first.id}: look again after {settings['zookeeper.session.timeout.ms']} ms
stop        Ctrl-C""", flush=True)


def look_after(cluster, ended, restart_after):
    """One that was killed on purpose is news, not the end."""
    for name, process in cluster.everybody().items():
        if process.process.poll() is None:
            continue
        if name not in ended:
            ended[name] = time.monotonic()
            again = f", and is started again in {restart_after:g} s" if restart_after else ""
            print(f"{name} has ended with {process.process.returncode}{again}", flush=True)
        elif restart_after and time.monotonic() - ended[name] > restart_after:
            process.launch()
            del ended[name]
            print(f"{name} is started again: {process.process.pid}", flush=True)


def main(arguments):
    options = parse(arguments)
    if missing := what_is_missing(options.zookeeper):
        print(f"cannot run: {missing} (ci/install installs it)", file=sys.stderr)
        return MISSING
    cluster = make_cluster(options)
    interrupts = []

    def interrupt(*_):
        interrupts.append(1)
        if len(interrupts) > 1:
            cluster.kill()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, interrupt)
    try:
        cluster.start()
        introduce(cluster)
        ended = {}  # name: when it was seen
        while not interrupts:
            look_after(cluster, ended, options.restart_after)
            time.sleep(0.2)
        print("\nstopping", flush=True)
        codes = cluster.stop()
    except AssertionError as failure:
        cluster.kill()
        print(failure, file=sys.stderr)
        return 0 if interrupts else 1
    failed = [code for code in codes if code not in (0, -signal.SIGKILL)]
    print("stopped" if not failed else f"brokers ended with {codes}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
