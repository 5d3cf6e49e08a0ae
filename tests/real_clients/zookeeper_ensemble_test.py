#!/usr/bin/env python3
"""Three processes of highwater-zookeeper on loopback: they elect a leader, survive its kill -9, and keep what was answered.

    zookeeper_ensemble_test.py --server PATH
"""

import argparse
import pathlib
import signal
import tempfile
import time
import unittest

import zookeeper_servers as servers
from zookeeper_wire import Connection, boolean, create, string


def mode(server):
    """leader, follower, or None while it does not serve."""
    try:
        text = servers.ask(server.port, "srvr", timeout=1)
    except OSError:
        return None
    found = [line.split(": ")[1] for line in text.splitlines() if line.startswith("Mode: ")]
    return found[0] if found else None


def wait_for(what, condition):
    deadline = time.monotonic() + servers.PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")


class EnsembleTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="highwater-ensemble-")
        self.ensemble = servers.Ensemble(servers.OurServer, 3, pathlib.Path(self.directory.name), tickTime=500)
        self.ensemble.start()

    def tearDown(self):
        self.ensemble.end(signal.SIGKILL)
        self.directory.cleanup()

    def leader(self, among):
        return next((server for server in among if mode(server) == "leader"), None)

    def write(self, server, path):
        with Connection(server.port) as client:
            client.connect(timeout=9000)
            return client.call("create", create(path))

    def names(self, server):
        """The root's children, as this server tells them behind a sync."""
        with Connection(server.port) as client:
            client.connect(timeout=9000)
            client.call("sync", string("/"))
            return str(client.call("getChildren", string("/") + boolean(False)))

    def test_one_leads_and_all_have_what_was_written_anywhere(self):
        modes = sorted(mode(server) for server in self.ensemble.servers)
        self.assertEqual(modes, ["follower", "follower", "leader"])
        for i, server in enumerate(self.ensemble.servers):
            self.write(server, f"/from-{i}")
        for server in self.ensemble.servers:
            for i in range(3):
                self.assertIn(f"from-{i}", self.names(server))

    def test_kill_9_of_the_leader_costs_nothing_that_was_answered(self):
        for round_ in range(3):
            leader = wait_for("a leader", lambda: self.leader(self.ensemble.servers))
            self.assertIn(f"round-{round_}", str(self.write(leader, f"/round-{round_}")))
            leader.end(signal.SIGKILL)
            rest = [server for server in self.ensemble.servers if server is not leader]
            began = time.monotonic()
            wait_for("another leader", lambda: self.leader(rest))
            print(f"another leader after {time.monotonic() - began:.2f} s")
            for server in rest:
                wait_for("service", lambda server=server: mode(server))
                for i in range(round_ + 1):
                    self.assertIn(f"round-{i}", self.names(server))
            leader.launch()
            wait_for("the killed one", lambda: mode(leader) == "follower")

    def test_without_a_quorum_nobody_serves(self):
        self.write(self.ensemble.servers[0], "/kept")
        for server in self.ensemble.servers[:2]:
            server.end(signal.SIGKILL)
        last = self.ensemble.servers[2]
        wait_for("the end of service", lambda: mode(last) is None)
        self.assertIn("not currently serving", servers.ask(last.port, "srvr"))
        for server in self.ensemble.servers[:2]:
            server.launch()
        wait_for("service", lambda: all(mode(server) for server in self.ensemble.servers))
        self.assertIn("kept", self.names(last))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    arguments, rest = parser.parse_known_args()
    servers.OurServer.program = arguments.server
    unittest.main(argv=[__file__, *rest], verbosity=2)
