#!/usr/bin/env python3
"""A real broker's metrics, scraped by curl while kcat writes and reads, and judged by promtool where there is one.

    metrics_test.py --broker PATH [unittest arguments]
"""

import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import kcat_test  # noqa: E402
from kcat_test import PATIENCE, Broker  # noqa: E402

TOPICS = "kafka_server_brokertopicmetrics_"
REPLICAS = "kafka_server_replicamanager_"
REQUESTS = "kafka_network_requestmetrics_"


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE)
    if done.returncode != 0:
        raise AssertionError(f"curl {arguments} failed: {done.stderr.decode()}")
    return done.stdout.decode()


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker(**{"highwater.metrics.listener": "http://127.0.0.1:0"}).start()
        self.addCleanup(self.broker.remove)
        self.url = re.search(r"metrics at (http://\S+)", self.broker.log).group(1)

    def scrape(self):
        series = {}
        for line in curl(self.url).splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                series[name] = float(value)
        return series

    def test_values_move_as_a_real_client_writes_and_reads(self):
        before = self.scrape()
        self.assertEqual(before["kafka_controller_kafkacontroller_activecontrollercount"], 1)
        self.assertEqual(before[REPLICAS + "leadercount"], 0)
        records = [b"record %d" % i for i in range(1000)]
        self.broker.produce("metered", records)
        self.assertEqual(self.broker.consume("metered", "-o", "beginning", "-e"), records)
        after = self.scrape()
        self.assertEqual(after[REPLICAS + "leadercount"], 1)
        self.assertEqual(after[REPLICAS + "underreplicatedpartitions"], 0)
        self.assertEqual(after[TOPICS + 'messagesin_total{topic="metered"}'], 1000)
        written = after[TOPICS + 'bytesin_total{topic="metered"}']
        self.assertGreater(written, sum(map(len, records)))
        # kcat may fetch the same batches again as it starts.
        self.assertGreaterEqual(after[TOPICS + 'bytesout_total{topic="metered"}'], written)
        produced = after[REQUESTS + 'totaltimems_count{request="Produce"}']
        self.assertGreaterEqual(produced, 1)
        self.assertEqual(after[REQUESTS + 'totaltimems_bucket{request="Produce",le="+Inf"}'], produced)
        self.assertGreater(after[REQUESTS + 'totaltimems_sum{request="Produce"}'], 0)
        self.assertGreater(after[REQUESTS + 'totaltimems_count{request="FetchConsumer"}'], 0)

    def test_is_what_prometheus_asks_for(self):
        head = curl("-I", self.url)
        self.assertIn("HTTP/1.1 200 OK", head)
        self.assertIn("text/plain; version=0.0.4", head)
        self.assertIn("404 Not Found", curl("-I", self.url.replace("/metrics", "/")))
        self.broker.produce("checked", [b"x"])
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed")
        done = subprocess.run(["promtool", "check", "metrics"], input=curl(self.url).encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE)
        self.assertEqual(done.stdout.decode(), "")
        self.assertEqual(done.returncode, 0)

    def test_a_broker_with_a_scraper_that_never_asks_still_stops_cleanly(self):
        import socket
        host, port = self.url.split("/")[2].rsplit(":", 1)
        with socket.create_connection((host, int(port))):
            self.assertEqual(self.broker.end(signal.SIGTERM), 0)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] != "--broker":
        sys.exit(__doc__)
    kcat_test.BROKER = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
