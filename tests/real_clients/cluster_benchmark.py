#!/usr/bin/env python3
"""Measures a real cluster of three brokers on loopback: throughput and latency of records of 1 KiB that three replicas hold, and the
time until a partition is led again after a kill -9 of its leader, beside the same time in simulation.

    cluster_benchmark.py --build DIR [--quick] [--zookeeper ours|apache]

Latency is measured by librdkafka (Debian's python3-confluent-kafka), from the call that produces to the delivery report, at a steady
rate. Nothing is judged: everything shares one machine.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kafka_wire import Connection  # noqa: E402
from real_cluster import MISSING, Cluster, wait_until, what_is_missing  # noqa: E402

SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's librdkafka binding is for it
RECORD = 1024
SESSION_MS = 6000
SETTINGS = {"zookeeper.session.timeout.ms": SESSION_MS}

LATENCY = r"""
import sys, threading, time
from confluent_kafka import Producer
bootstrap, topic, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
value, taken, failed, over = b"x" * 1024, [], [], threading.Event()
def deliver():
    while not over.is_set():
        producer.poll(0.1)
threading.Thread(target=deliver, daemon=True).start()
def send(keep):
    begin = time.perf_counter()
    def report(error, _):
        if error: failed.append(error)
        elif keep: taken.append(time.perf_counter() - begin)
    producer.produce(topic, value, on_delivery=report)
def run(seconds, keep):
    begin = time.perf_counter()
    for i in range(rate * seconds):
        time.sleep(max(0, begin + i / rate - time.perf_counter()))
        send(keep)
    producer.flush(60)
run(3, False)
run(seconds, True)
over.set()
taken.sort()
at = lambda share: 1e3 * taken[min(len(taken) - 1, int(share * len(taken)))]
print(f"p50 {at(.5):.2f} ms, p99 {at(.99):.2f} ms, p99.9 {at(.999):.2f} ms, slowest {1e3 * taken[-1]:.2f} ms"
      f" ({len(taken):,} records, {len(failed)} failed)")
"""

SCENARIO = """
highwater: 1
name: time-to-leader
about: One leader is killed once.
cluster:
  zones: [az-a]
  brokers: {{ count: 3 }}
  zookeeper: {{ count: 1 }}
  settings: {{ zookeeper.session.timeout.ms: {session} }}
  network: {{ within_zone: 0.02ms..0.1ms, between_zones: 0.02ms..0.1ms }}
topics:
  - {{ name: orders, partitions: 1, replicas: 3, settings: {{ min.insync.replicas: 2 }} }}
clients:
  - {{ kind: producer, count: 1, topic: orders, rate: 50/s, record: 1KiB, settings: {{ acks: all }} }}
run: {{ warmup: 5s, duration: 20s, heal: 20s }}
faults:
  timeline: [ {{ at: {at}ms, crash_broker: leader(orders-0), for: 15s }} ]
check: {{ guarantee: within, invariants: all }}
seeds: 1..1
"""


def report(what, figure):
    print(f"  {what:<58} {figure}", flush=True)


def create(cluster, topic, partitions):
    controller = wait_until("a controller", cluster.controller)
    with Connection(cluster.brokers[controller].port) as admin:
        if error := admin.create_topic(topic, partitions, replicas=3):
            raise AssertionError(f"creating {topic} failed with {error}")
    wait_until(f"{topic} is in sync", lambda: cluster.is_in_sync(topic, partitions))


def measure_throughput(cluster, records):
    source = cluster.directory / "records"
    line = b"x" * (RECORD - 1) + b"\n"
    with open(source, "wb") as f:
        for _ in range(records // 1000):
            f.write(line * 1000)

    def timed(what, command):
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        report(what, f"{records * RECORD / seconds / 1e6:6.0f} MB/s {records / seconds:10,.0f} records/s")

    for partitions, acks, idempotence in ((1, "1", "false"), (1, "all", "false"), (1, "all", "true"), (3, "all", "true")):
        topic = f"throughput-{partitions}-{acks}-{idempotence}"
        create(cluster, topic, partitions)
        plural = "s" * (partitions > 1)
        timed(f"kcat produces, {partitions} partition{plural}, acks={acks}{', idempotent' * (idempotence == 'true')}",
              ["kcat", "-P", "-b", cluster.bootstrap, "-t", topic, *(["-p", "0"] if partitions == 1 else []),
               "-X", f"acks={acks}", "-X", f"enable.idempotence={idempotence}", "-X", "queue.buffering.max.messages=1000000",
               "-X", "linger.ms=5", "-l", source])
    timed("kcat consumes, 3 partitions", ["kcat", "-C", "-b", cluster.bootstrap, "-t", topic, "-o", "beginning", "-e", "-q"])


def measure_latency(cluster, seconds):
    probe = subprocess.run([SYSTEM_PYTHON, "-c", "import confluent_kafka"], stderr=subprocess.DEVNULL, check=False)
    if probe.returncode != 0:
        report("latency", "SKIPPED: Debian's package python3-confluent-kafka is not installed")
        return
    create(cluster, "latency", 3)
    for rate in (100, 1000, 4000):
        done = subprocess.run([SYSTEM_PYTHON, "-c", LATENCY, cluster.bootstrap, "latency", str(rate), str(seconds)],
                              check=True, stdout=subprocess.PIPE, text=True)
        report(f"acks=all, idempotent, 3 partitions, {rate:,} records/s", done.stdout.strip())


def spread(seconds):
    seconds = sorted(seconds)
    return f"median {seconds[len(seconds) // 2]:.2f} s, {seconds[0]:.2f} to {seconds[-1]:.2f} s ({len(seconds)} kills)"


def measure_time_to_leader(cluster, kills):
    create(cluster, "led", 1)
    taken = []
    for _ in range(kills):
        wait_until("led is in sync", lambda: cluster.is_in_sync("led"))
        victim = cluster.partition("led")[0]
        others = [Connection(broker.port) for id_, broker in cluster.brokers.items() if id_ != victim]
        begin = time.monotonic()
        cluster.brokers[victim].kill()
        # A survivor goes on naming the dead until the controller tells it.
        while all(other.leader("led") in (None, victim) for other in others):
            if time.monotonic() - begin > 60:
                raise AssertionError("no leader within a minute")
            time.sleep(0.005)
        taken.append(time.monotonic() - begin)
        for other in others:
            other.socket.close()
        cluster.brokers[victim].start()
    report(f"kill -9 to another leader, session time-out {SESSION_MS} ms", spread(taken))


def simulate_time_to_leader(highwater, directory, kills):
    taken = []
    for kill in range(kills):
        path = directory / "time-to-leader.yaml"
        path.write_text(SCENARIO.format(session=SESSION_MS, at=2000 + 370 * kill))
        done = subprocess.run([highwater, "replay", path, "--seed", str(kill + 1)], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        killed = None
        for line in done.stdout.splitlines():
            if match := re.match(r"(\d+):(\d+\.\d+) ", line):
                at = 60 * int(match[1]) + float(match[2])
                if "FAULT" in line:
                    killed = at
                elif killed is not None and "leads orders-0" in line:
                    taken.append(at - killed)
                    break
    if len(taken) < kills:
        raise AssertionError("a simulated partition found no leader")
    report("the same, simulated", spread(taken))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--zookeeper", choices=["ours", "apache"], default="ours")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if missing := what_is_missing(options.zookeeper):
        print(f"SKIPPED: {missing}; ci/install installs it")
        return MISSING
    kills = 3 if options.quick else 7
    with tempfile.TemporaryDirectory(prefix="highwater-benchmark-") as directory:
        cluster = Cluster(options.build / "programs", directory, options.zookeeper, settings=SETTINGS)
        try:
            cluster.start()
            print(f"  three brokers, replicas 3, min.insync.replicas 2, records of 1 KiB; ZooKeeper: {cluster.zookeeper_version()}; "
                  f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
            measure_latency(cluster, 5 if options.quick else 20)
            measure_throughput(cluster, 100_000 if options.quick else 500_000)
            measure_time_to_leader(cluster, kills)
        finally:
            cluster.kill()
        simulate_time_to_leader(options.build / "programs/highwater", pathlib.Path(directory), kills)
    return 0


if __name__ == "__main__":
    sys.exit(main())
