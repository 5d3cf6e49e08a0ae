#!/usr/bin/env python3
"""A real cluster under kill -9: kcat produces with acks=all while the leader, the controller and ZooKeeper are killed in turn and
started again. Afterwards each acknowledged record is read back: none is missing, and of the idempotent producer's none is doubled
or out of order.

    cluster_kill_test.py --build DIR [--zookeeper ours|apache] [--rounds N] [--storm SECONDS] [--seed N] [--acks all|1]

--rounds: how often each of the three is killed (default 2). --storm: afterwards, anybody at any time, also several at once.
--acks 1 shows that the check can fail: followers are frozen, the leader answers alone and is killed; the test then fails.
Without it the same is done at the end, and the test fails unless the check finds the loss.

Exit: 0 nothing was lost, 1 something was, or the cluster did not come back, 77 a package is missing.
"""

import argparse
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

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kafka_wire import Connection  # noqa: E402
from real_cluster import MISSING, Cluster, wait_until, what_is_missing  # noqa: E402
from zookeeper_servers import PATIENCE  # noqa: E402

PARTITIONS = 3
# A broker that is started while ZooKeeper is away waits for it; frozen followers stay in the ISR, also on a slow machine.
SETTINGS = {"zookeeper.session.timeout.ms": 2500, "zookeeper.connection.timeout.ms": 60000, "replica.lag.time.max.ms": 30000}
MORE = 1000  # records that must be acknowledged before the next kill
BEGIN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGIN:6.1f}s  {text}", flush=True)


class Load:
    """One kcat into which numbered records are poured, and what it was told of them."""

    def __init__(self, cluster, topic, idempotent):
        self.topic = topic
        self.idempotent = idempotent
        self.poured = 0
        self.acknowledged = []  # (partition, offset)
        self.ended = threading.Event()
        # Each delivery is a line: kcat says them from the third -v on.
        self.kcat = subprocess.Popen(
            ["kcat", "-b", cluster.bootstrap, "-P", "-E", "-t", topic, "-vvv",
             "-X", "acks=all", "-X", f"enable.idempotence={str(idempotent).lower()}",
             "-X", "topic.produce.offset.report=true", "-X", "linger.ms=2", "-X", "batch.num.messages=100",
             "-X", "message.timeout.ms=300000", "-X", "reconnect.backoff.max.ms=500"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.errors = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.reader.start()
        self.writer.start()

    def read(self):
        delivered = re.compile(rb"Message delivered to partition (\d+) \(offset (\d+)\)")
        for line in self.kcat.stderr:
            if match := delivered.search(line):
                self.acknowledged.append((int(match[1]), int(match[2])))
            else:
                self.errors.append(line.decode(errors="replace").rstrip())

    def write(self):
        while not self.ended.is_set():
            # A trickle flows on whatever is unanswered: while kcat waits for input it hears of no delivery.
            count = 50 if self.poured - len(self.acknowledged) < 5000 else 1
            self.kcat.stdin.write(b"".join(b"%d\n" % (self.poured + i) for i in range(count)))
            self.kcat.stdin.flush()
            self.poured += count
            time.sleep(0.02)
        self.kcat.stdin.close()

    def finish(self):
        """Ends the load once all that was poured has been acknowledged."""
        self.ended.set()
        self.writer.join(PATIENCE)
        code = self.kcat.wait(4 * PATIENCE)
        self.reader.join(PATIENCE)
        if code != 0 or len(self.acknowledged) != self.poured:
            raise AssertionError(f"{self.topic}: kcat ended with {code}, {len(self.acknowledged)} of {self.poured} records "
                                 f"acknowledged:\n" + "\n".join(self.errors[-20:]))

    def progress(self):
        return len(self.acknowledged)


def judge(topic, poured, acknowledged, stored, exactly_once):
    """What is wrong with the stored records, in sentences. `acknowledged`: (partition, offset); `stored`: {partition: {offset:
    number of the record}}; the records of 0 .. poured - 1 were all acknowledged."""
    wrong = []
    gone = [(p, o) for p, o in acknowledged if o not in stored.get(p, {})]
    if gone:
        wrong.append(f"{topic}: {len(gone)} acknowledged offsets hold nothing, the first {gone[0]}")
    times = {}
    for records in stored.values():
        for number in records.values():
            times[number] = times.get(number, 0) + 1
    missing = [number for number in range(poured) if number not in times]
    if missing:
        wrong.append(f"{topic}: {len(missing)} acknowledged records are missing, the first {missing[0]}")
    if exactly_once:
        doubled = sorted(number for number, count in times.items() if count > 1)
        if doubled:
            wrong.append(f"{topic}: {len(doubled)} records are stored more than once, the first {doubled[0]}")
        for partition, records in sorted(stored.items()):
            numbers = [records[offset] for offset in sorted(records)]
            backwards = [b for a, b in zip(numbers, numbers[1:]) if b < a]
            if backwards:
                wrong.append(f"{topic}-{partition}: record {backwards[0]} and {len(backwards) - 1} more are out of order")
    return wrong


def check_the_judge():
    """The judge finds one record that is dropped, doubled or swapped in what is otherwise right."""
    acknowledged = [(0, offset) for offset in range(100)]
    right = {0: {offset: offset for offset in range(100)}}
    assert judge("t", 100, acknowledged, right, True) == []
    dropped = {0: {o: n for o, n in right[0].items() if o != 41}}
    assert judge("t", 100, acknowledged, dropped, False), "a dropped record is not seen"
    doubled = {0: {**right[0], 100: 7}}
    assert judge("t", 100, acknowledged, doubled, True), "a doubled record is not seen"
    assert not judge("t", 100, acknowledged, doubled, False)
    swapped = {0: {**right[0], 10: 11, 11: 10}}
    assert judge("t", 100, acknowledged, swapped, True), "records out of order are not seen"


def read_back(cluster, topic, partitions):
    stored = {}
    for partition in range(partitions):
        output = cluster.kcat("-C", "-t", topic, "-p", str(partition), "-o", "beginning", "-e", "-q", "-f", "%o %s\n")
        lines = (line.split() for line in output.splitlines())
        stored[partition] = {int(offset): int(value) for offset, value in lines}
    return stored


def create_topic(cluster, name, partitions):
    def create():
        controller = cluster.controller()
        if controller is None:
            return False
        with Connection(cluster.brokers[controller].port) as admin:
            return admin.create_topic(name, partitions, replicas=3) in (0, 36)
    wait_until(f"topic {name} is created", create)
    wait_until(f"{name} has leaders and all replicas in sync", lambda: cluster.is_in_sync(name, partitions))


class Killer:
    def __init__(self, cluster, loads):
        self.cluster = cluster
        self.loads = loads
        self.kills = 0

    def await_progress(self, what):
        aims = [load.progress() + MORE for load in self.loads]

        def reached():
            for load in self.loads:
                if load.kcat.poll() is not None:
                    raise AssertionError(f"kcat ended by itself with {load.kcat.returncode}: {load.errors[-5:]}")
            return all(load.progress() >= aim for load, aim in zip(self.loads, aims))
        try:
            wait_until(f"{MORE} more records of each producer are acknowledged {what}", reached)
        except AssertionError as failure:
            said = "".join(f"\n{load.topic}: {load.poured} poured, {load.progress()} acknowledged; kcat: {load.errors[-8:]}"
                           for load in self.loads)
            raise AssertionError(f"{failure}{said}") from None

    def await_in_sync(self):
        for load in self.loads:
            wait_until(f"{load.topic} is led and in sync", lambda topic=load.topic: self.cluster.is_in_sync(topic, PARTITIONS))

    def leader(self):
        known = self.cluster.partition(self.loads[0].topic)
        return known[0] if known and known[0] in self.cluster.brokers else None

    def kill_broker(self, what, victim):
        broker = self.cluster.brokers[victim]
        broker.kill()
        self.kills += 1
        at = time.monotonic()
        say(f"killed broker {victim}, the {what}")
        now = wait_until(f"another {what}", lambda: (found := getattr(self, what)()) not in (None, victim) and found)
        say(f"  broker {now} is the {what} after {time.monotonic() - at:.1f} s")
        self.await_progress("without it")
        broker.start()

    def controller(self):
        return self.cluster.controller()

    def kill_zookeeper(self):
        server = random.choice(self.cluster.zookeeper.servers)
        server.end(signal.SIGKILL)
        self.kills += 1
        say("killed a ZooKeeper server")
        self.await_progress("without it")
        server.start()

    def round(self):
        for what in ("leader", "controller"):
            self.await_in_sync()
            self.kill_broker(what, wait_until(f"a {what}", getattr(self, what)))
            self.await_in_sync()
            self.await_progress("with all replicas in sync")
        self.kill_zookeeper()
        self.await_progress("with ZooKeeper")

    def storm(self, seconds, chance):
        """Anybody at any time; all are alive in the end."""
        until = time.monotonic() + seconds
        servers = self.cluster.zookeeper.servers
        everybody = [*self.cluster.brokers.values(), *servers]
        down = {}
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.2, 5))
            for who, up_at in list(down.items()):
                if time.monotonic() >= up_at:
                    who.launch()
                    del down[who]
            victim = chance.choice(everybody)
            if victim in down:
                continue
            victim.process.kill()
            victim.process.wait(PATIENCE)
            down[victim] = time.monotonic() + chance.choice([0, 1, 3, 6])
            self.kills += 1
        for who in down:
            who.launch()
        for who in everybody:
            who.wait_until_it_serves()
        say(f"storm over after {self.kills} kills in all; {[load.progress() for load in self.loads]} records acknowledged")
        self.await_in_sync()
        self.await_progress("after the storm")


def lose_with_acks_one(cluster):
    """The check, on what acks=1 does not promise: followers that are frozen have not stored what the leader acknowledges alone.
    Returns what the judge says."""
    topic = "hasty"
    create_topic(cluster, topic, 1)
    leader = cluster.partition(topic)[0]
    followers = [broker for id_, broker in cluster.brokers.items() if id_ != leader]
    acknowledged = 0
    for follower in followers:
        follower.signal(signal.SIGSTOP)
    # What the first answers to waiting fetches brings along may survive; what comes later has gone nowhere.
    for _ in range(4):
        records = b"\n".join(b"%d" % (acknowledged + i) for i in range(10))
        cluster.kcat("-P", "-t", topic, "-p", "0", "-X", "acks=1", data=records, bootstrap=cluster.brokers[leader].address)
        acknowledged += 10
    cluster.brokers[leader].kill()
    say(f"broker {leader} alone has acknowledged {acknowledged} records of {topic} with acks=1, and was killed")
    for follower in followers:
        follower.signal(signal.SIGCONT)
    wait_until("another leader", lambda: (known := cluster.partition(topic)) and known[0] not in (leader, -1) and known[0] > 0)
    cluster.brokers[leader].start()
    wait_until(f"{topic} is in sync", lambda: cluster.is_in_sync(topic))
    stored = read_back(cluster, topic, 1)
    return judge(topic, acknowledged, [(0, offset) for offset in range(acknowledged)], stored, False)


def run(cluster, options):
    chance = random.Random(options.seed)
    random.seed(options.seed)
    cluster.start()
    say(f"three brokers, ZooKeeper: {cluster.zookeeper_version()}, session time-out "
        f"{SETTINGS['zookeeper.session.timeout.ms']} ms, in {cluster.directory}")
    if options.acks == "1":
        return lose_with_acks_one(cluster)
    topics = {"once": True, "often": False}
    for topic in topics:
        create_topic(cluster, topic, PARTITIONS)
    loads = [Load(cluster, topic, idempotent) for topic, idempotent in topics.items()]
    killer = Killer(cluster, loads)
    killer.await_progress("at all")
    for _ in range(options.rounds):
        killer.round()
    if options.storm:
        killer.storm(options.storm, chance)
    wrong = []
    for load in loads:
        load.finish()
    for load in loads:
        stored = read_back(cluster, load.topic, PARTITIONS)
        held = sum(len(records) for records in stored.values())
        say(f"{load.topic}: {load.poured} records acknowledged, {held} stored, after {killer.kills} kills")
        wrong += judge(load.topic, load.poured, load.acknowledged, stored, load.idempotent)
    found = lose_with_acks_one(cluster)
    say(f"the check can fail: {'; '.join(found) or 'NO'}")
    if not found:
        wrong.append("acks=1 should have lost records, and the check has not seen it")
    codes = cluster.stop()
    if any(codes):
        wrong.append(f"brokers did not stop cleanly: {codes}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--zookeeper", choices=["ours", "apache"], default="ours")
    parser.add_argument("--zookeeper-servers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--storm", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acks", choices=["all", "1"], default="all")
    options = parser.parse_args()
    if missing := what_is_missing(options.zookeeper):
        print(f"SKIPPED: {missing}; ci/install installs it")
        return MISSING
    check_the_judge()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="highwater-kill-"))
    cluster = Cluster(options.build / "programs", directory, options.zookeeper, options.zookeeper_servers, settings=SETTINGS,
                      tick_ms=500)
    try:
        wrong = run(cluster, options)
    except AssertionError as failure:
        wrong = [str(failure)]
    finally:
        cluster.kill()
    for sentence in wrong:
        say(f"WRONG: {sentence}")
    if wrong:
        print(f"data and logs are in {directory}")
        return 1
    shutil.rmtree(directory)
    say("nothing was lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
