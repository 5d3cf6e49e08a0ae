#!/usr/bin/env python3
"""A real client against the real broker: kcat produces, consumes, seeks and waits; the broker is killed and stopped.

    kcat_test.py --broker PATH [unittest arguments]
"""

import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kafka_wire import Connection  # noqa: E402

BROKER = None
PATIENCE = 120  # seconds that anything may take on a busy machine
RECORDS = 100_000
DELIMITER = b"\x1e"
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class Broker:
    """A broker on a directory of its own."""

    def __init__(self, **settings):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-kcat-"))
        self.settings = {"broker.id": 1, "log.dirs": self.directory / "data", **settings}
        self.port = 0
        self.process = None
        self.log = ""

    def start(self):
        config = self.directory / "server.properties"
        self.settings["listeners"] = f"PLAINTEXT://127.0.0.1:{self.port}"
        config.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        self.process = subprocess.Popen([BROKER, "--config", str(config)], stderr=subprocess.PIPE, text=True)
        self.log = ""
        for line in self.process.stderr:
            self.log += line
            if match := re.search(r"listening on \S+:(\d+)", line):
                self.port = int(match.group(1))
                # Whoever does not read a pipe stops its writer.
                self.reader = threading.Thread(target=self.process.stderr.read, daemon=True)
                self.reader.start()
                return self
        self.process.stderr.close()
        raise AssertionError(f"the broker did not start:\n{self.log}")

    def end(self, how):
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        return code

    def remove(self):
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.directory)

    def kcat(self, *arguments, data=None):
        """kcat's output; its failure is the test's."""
        done = subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", *arguments], input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"kcat {arguments} failed: {done.stderr.decode()}")
        return done.stdout

    def produce(self, topic, records, *arguments):
        # kcat would send an empty last record for a delimiter at the end.
        self.kcat("-P", "-t", topic, "-p", "0", "-D", DELIMITER.decode(), *arguments, data=DELIMITER.join(records))

    def consume(self, topic, *arguments):
        output = self.kcat("-C", "-t", topic, "-p", "0", "-q", "-D", DELIMITER.decode(), *arguments)
        return output.split(DELIMITER)[:-1]

    def stored_codecs(self, topic):
        """The codecs of the batches in the log files; of small ones librdkafka sends those as they are that do not shrink."""
        codecs = set()
        for segment in sorted((self.directory / "data" / f"{topic}-0").glob("*.log")):
            data = segment.read_bytes()
            at = 0
            while at + 61 <= len(data):
                if int.from_bytes(data[at + 57:at + 61], "big") >= 100:
                    codecs.add(data[at + 22] & 7)
                at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
        return codecs


def make_records(count, seed):
    """Records of all bytes but the delimiter, mostly few of them, so that they shrink; the number in front makes each one unique."""
    chance = random.Random(seed)
    alphabet = bytes(b for b in range(256) if b != DELIMITER[0])
    noise = bytes(chance.choices(alphabet, [100 if b < 8 else 1 for b in alphabet], k=1 << 16))
    records = []
    for i in range(count):
        at = chance.randrange(len(noise) - 100)
        records.append(b"%d:" % i + noise[at:at + chance.randrange(100)])
    return records


class KcatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().start()
        cls.records = make_records(RECORDS, 1)

    @classmethod
    def tearDownClass(cls):
        cls.broker.remove()

    def test_lists_metadata_and_creates_a_topic_by_producing(self):
        self.assertIn(b"broker 1 at 127.0.0.1", self.broker.kcat("-L"))
        self.broker.produce("made-by-producing", [b"x"])
        self.assertIn(b'topic "made-by-producing" with 1 partitions', self.broker.kcat("-L"))

    def test_topics_come_and_go_by_the_admin_api(self):
        with Connection(self.broker.port) as admin:
            self.assertEqual(admin.create_topic("admin", 3, [("retention.ms", "1000000")]), 0)
            self.assertEqual(admin.create_topic("admin", 3), 36, "TOPIC_ALREADY_EXISTS")
            self.assertEqual(admin.create_topic("bad name", 1), 17, "INVALID_TOPIC_EXCEPTION")
            self.assertEqual(admin.create_topic("none", 0), 37, "INVALID_PARTITIONS")
            self.assertEqual(admin.create_topic("wrong", 1, [("retention.mss", "1")]), 40, "INVALID_CONFIG")
            self.assertIn(b'topic "admin" with 3 partitions', self.broker.kcat("-L", "-t", "admin"))
            self.assertEqual(admin.delete_topic("admin"), 0)
            self.assertEqual(admin.delete_topic("admin"), 3, "UNKNOWN_TOPIC_OR_PARTITION")
        self.assertNotIn(b'"admin"', self.broker.kcat("-L"))

    def test_round_trip_of_each_codec_with_idempotence(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = f"idempotent-{codec}"
                self.broker.produce(topic, self.records, "-z", codec, "-X", "enable.idempotence=true")
                got = self.broker.consume(topic, "-o", "beginning", "-c", str(RECORDS))
                self.assertTrue(got == self.records, "a record is not what was produced")

    def check_round_trip(self, codec, acks):
        topic = f"records-{codec}-{acks.replace('-', 'm')}"
        self.broker.produce(topic, self.records, "-z", codec, "-X", f"acks={acks}")
        # With acks=0 kcat may be gone before the broker has taken everything: wait for the count.
        got = self.broker.consume(topic, "-o", "beginning", "-c", str(RECORDS))
        self.assertEqual(len(got), RECORDS)
        self.assertTrue(got == self.records, "a record is not what was produced")
        self.assertEqual(self.broker.stored_codecs(topic), {CODECS[codec]})

    def test_round_trip_of_each_codec_with_acks_all(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                self.check_round_trip(codec, "-1")

    def test_round_trip_of_each_codec_with_acks_one(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                self.check_round_trip(codec, "1")

    def test_round_trip_of_each_codec_with_acks_zero(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                self.check_round_trip(codec, "0")

    def test_consumes_from_an_offset(self):
        self.broker.produce("offsets", self.records[:5000])
        self.assertEqual(self.broker.consume("offsets", "-o", "4321", "-e"), self.records[4321:5000])
        self.assertEqual(self.broker.consume("offsets", "-o", "-7", "-e"), self.records[4993:5000])

    def test_consumes_from_a_timestamp(self):
        self.broker.produce("times", self.records[:300])
        time.sleep(0.05)  # so that the two halves have different times; nothing is measured
        middle = int(time.time() * 1000)
        time.sleep(0.05)
        self.broker.produce("times", self.records[300:500])
        self.assertEqual(self.broker.consume("times", "-o", f"s@{middle}", "-e"), self.records[300:500])
        self.assertEqual(self.broker.consume("times", "-o", "s@1", "-e"), self.records[:500])

    def test_waits_at_the_end_for_more(self):
        self.broker.produce("waiting", [b"first"])
        consumer = subprocess.Popen(
            ["kcat", "-b", f"127.0.0.1:{self.broker.port}", "-C", "-t", "waiting", "-p", "0", "-o", "end", "-c", "1",
             "-u", "-X", "fetch.wait.max.ms=60000", "-X", "socket.timeout.ms=120000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in consumer.stderr:
            if b"Reached end of topic" in line:
                break
        self.broker.produce("waiting", [b"second"])
        # Long before the fetch's own minute is over: the append wakes it.
        output, _ = consumer.communicate(timeout=50)
        self.assertEqual(output, b"second\n")


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.broker.start()

    def tearDown(self):
        self.broker.remove()

    def load(self, topic, acks, acknowledged):
        """Produces until the broker is gone; keeps what it acknowledged as {offset: value}."""
        count = 0
        try:
            with Connection(self.broker.port) as client:
                while True:
                    values = [b"%s %d" % (topic.encode(), count + i) for i in range(5)]
                    error, base = client.produce(topic, values, acks)
                    if error != 0:
                        raise AssertionError(f"produce failed with {error}")
                    acknowledged.update({base + i: value for i, value in enumerate(values)})
                    count += 5
        except OSError:
            pass

    def test_a_kill_in_mid_load_loses_nothing_that_was_acknowledged(self):
        loads = [("crash-one", 1), ("crash-all", -1)]
        with Connection(self.broker.port) as admin:
            for topic, _ in loads:
                self.assertEqual(admin.create_topic(topic, 1), 0)
        for round_number in range(3):
            acknowledged = {topic: {} for topic, _ in loads}
            threads = [threading.Thread(target=self.load, args=(topic, acks, acknowledged[topic]))
                       for topic, acks in loads]
            for thread in threads:
                thread.start()
            while any(len(kept) < 500 for kept in acknowledged.values()):
                self.assertTrue(any(thread.is_alive() for thread in threads), "the load ended by itself")
                time.sleep(0.01)
            self.broker.end(signal.SIGKILL)
            for thread in threads:
                thread.join(PATIENCE)
            self.broker.start()
            self.assertIn("after an unclean stop", self.broker.log)
            for topic, _ in loads:
                self.check_acknowledged(topic, acknowledged[topic], round_number)

    def check_acknowledged(self, topic, acknowledged, round_number):
        output = self.broker.kcat("-C", "-t", topic, "-p", "0", "-q", "-e", "-o", "beginning", "-f", "%o %s\n")
        stored = {}
        for line in output.splitlines():
            offset, value = line.split(b" ", 1)
            stored[int(offset)] = value
        for offset, value in acknowledged.items():
            self.assertEqual(stored.get(offset), value, f"{topic} round {round_number}: offset {offset} was acknowledged")

    def stored_bytes(self, topic):
        return sum(path.stat().st_size for path in (self.broker.directory / "data" / f"{topic}-0").glob("*.log"))

    def produce_over_kills(self, topic, idempotence, kills):
        """Pours numbered records into one kcat while the broker is killed; returns what was poured and what is stored."""
        with Connection(self.broker.port) as admin:
            self.assertEqual(admin.create_topic(topic, 1, [("segment.bytes", "300000")]), 0)
        producer = subprocess.Popen(
            ["kcat", "-b", f"127.0.0.1:{self.broker.port}", "-P", "-E", "-t", topic, "-p", "0", "-q",
             "-X", f"enable.idempotence={idempotence}", "-X", "batch.num.messages=50", "-X", "linger.ms=1",
             "-X", "acks=all", "-X", "message.timeout.ms=120000", "-X", "reconnect.backoff.max.ms=200"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        poured = []

        def pour_until(enough):
            while not enough():
                self.assertIsNone(producer.poll(), "kcat ended by itself")
                lines = [b"%d" % (len(poured) + i) for i in range(500)]
                poured.extend(lines)
                producer.stdin.write(b"\n".join(lines) + b"\n")
                producer.stdin.flush()
        for _ in range(kills):
            aim = self.stored_bytes(topic) + 400_000
            pour_until(lambda: self.stored_bytes(topic) >= aim)
            self.broker.end(signal.SIGKILL)
            self.broker.start()
        aim = self.stored_bytes(topic) + 100_000
        pour_until(lambda: self.stored_bytes(topic) >= aim)
        producer.stdin.close()
        self.assertEqual(producer.wait(PATIENCE), 0)
        stored = self.broker.kcat("-C", "-t", topic, "-p", "0", "-q", "-e", "-o", "beginning").split()
        return poured, stored

    def test_an_idempotent_producer_writes_each_record_once_and_in_order_over_kills(self):
        poured, stored = self.produce_over_kills("once", "true", 5)
        self.assertEqual(len(stored), len(poured))
        self.assertTrue(stored == poured, "a record is missing, doubled or in another place")

    def test_idempotent_producers_get_ids_of_their_own_over_kills(self):
        with Connection(self.broker.port) as admin:
            self.assertEqual(admin.create_topic("ids", 1), 0)
        for i in range(6):
            self.broker.produce("ids", [b"%d" % i], "-X", "enable.idempotence=true")
            if i % 2:
                self.broker.end(signal.SIGKILL)
                self.broker.start()
        producers = set()
        for segment in (self.broker.directory / "data" / "ids-0").glob("*.log"):
            data = segment.read_bytes()
            at = 0
            while at + 61 <= len(data):
                producers.add(int.from_bytes(data[at + 43:at + 51], "big", signed=True))
                at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
        self.assertEqual(len(producers), 6)
        self.assertNotIn(-1, producers)

    def test_a_stop_in_mid_load_is_clean(self):
        with Connection(self.broker.port) as admin:
            self.assertEqual(admin.create_topic("stopped", 1), 0)
        acknowledged = {}
        thread = threading.Thread(target=self.load, args=("stopped", -1, acknowledged))
        thread.start()
        while len(acknowledged) < 500:
            time.sleep(0.01)
        self.assertEqual(self.broker.end(signal.SIGTERM), 0)
        thread.join(PATIENCE)
        self.assertTrue((self.broker.directory / "data" / ".kafka_cleanshutdown").exists())
        self.broker.start()
        self.assertIn("after a clean stop", self.broker.log)
        self.check_acknowledged("stopped", acknowledged, 0)

    def test_topics_and_their_settings_survive_a_kill(self):
        with Connection(self.broker.port) as admin:
            self.assertEqual(admin.create_topic("kept", 2, [("max.message.bytes", "200")]), 0)
            self.assertEqual(admin.create_topic("deleted", 1), 0)
            self.assertEqual(admin.delete_topic("deleted"), 0)
        self.broker.end(signal.SIGKILL)
        self.broker.start()
        listing = self.broker.kcat("-L")
        self.assertIn(b'topic "kept" with 2 partitions', listing)
        self.assertNotIn(b"deleted", listing)
        with Connection(self.broker.port) as client:
            self.assertEqual(client.produce("kept", [b"x" * 300], 1)[0], 10, "MESSAGE_TOO_LARGE")
            self.assertEqual(client.produce("kept", [b"x"], 1)[0], 0)


class ProgramTest(unittest.TestCase):
    def run_broker(self, *arguments):
        return subprocess.run([BROKER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)

    def test_a_bad_setting_is_named_with_its_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as config:
            config.write("broker.id=1\nlog.retention.hour=3\n")
            config.flush()
            done = self.run_broker("--config", config.name)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{config.name}:2: unknown property", done.stderr)
        self.assertIn('did you mean "log.retention.hours"?', done.stderr)

    def test_prints_its_settings(self):
        done = self.run_broker("--print-config")
        self.assertEqual(done.returncode, 0)
        self.assertIn("num.partitions=1", done.stdout)

    def test_a_taken_port_is_an_error(self):
        broker = Broker().start()
        try:
            other = Broker()
            other.port = broker.port
            with self.assertRaises(AssertionError) as failed:
                other.start()
            self.assertIn("listeners", str(failed.exception))
            self.assertEqual(other.process.wait(PATIENCE), 1)
            other.remove()
        finally:
            broker.remove()


if __name__ == "__main__":
    if "--broker" in sys.argv:
        at = sys.argv.index("--broker")
        BROKER = os.path.abspath(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    if BROKER is None or shutil.which("kcat") is None:
        sys.exit("needs --broker PATH and kcat")
    unittest.main(verbosity=2)
