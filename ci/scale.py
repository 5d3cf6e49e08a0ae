"""Prints how the cost of a world grows with its brokers and partitions.

    ci/scale.py BUILD_DIR [--quick]       --quick: without the 300 brokers

Worlds of 3, 30 and 300 brokers with 33 partitions a broker, three replicas: booted almost idle, and (up to 30 brokers) with
100 records a second and broker, each record mostly a batch of its own. Idle traffic and all checks are counted in.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

WORLD = """highwater: 1
name: scale
about: How cost grows with brokers and partitions.
cluster:
  zones: [az-a, az-b, az-c]
  brokers: {{ count: {brokers} }}
  zookeeper: {{ count: 1 }}
  network: {{ within_zone: 0.2ms..0.8ms, between_zones: 1ms..4ms }}
  disk: {{ sync: 2ms..20ms }}
topics:
  - {{ name: orders, partitions: {partitions}, replicas: 3, settings: {{ min.insync.replicas: 2 }} }}
clients:
  - {{ kind: producer, count: {producers}, topic: orders, rate: {rate}/s, record: 1KiB, settings: {{ acks: all }} }}
run: {{ warmup: {warmup}, duration: 10s, heal: 30s }}
check: {{ guarantee: within, invariants: all }}
seeds: 1..1
"""


def run(build, title, **world):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        (out / "scale.yaml").write_text(WORLD.format(**world))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([build / "programs/highwater", "run", out / "scale.yaml", "--seeds", "1", "-j", "1", "-o", out,
                        "--check-determinism", "0%", "--case-timeout", "30m"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = json.loads((out / "latest/results.ndjson").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    runs = 1 if result["verdict"] == "held" else 2
    metrics = result["metrics"]
    print(f"  {title:<28} {cpu / runs:7.2f} s   {cpu / runs / max(1, metrics['acked_records']) * 1e6:9,.1f} µs an acked record   "
          f"{metrics['events']:11,} events   at most {after.ru_maxrss / 1024:,.0f} MiB so far   {result['verdict']}", flush=True)


def main(build, quick):
    for brokers, partitions in ((3, 100), (30, 1000), (300, 10000)):
        if brokers == 300 and quick:
            continue
        run(build, f"{brokers} brokers, booted", brokers=brokers, partitions=partitions, producers=3, rate=10,
            warmup="30s")
        if brokers < 300:
            run(build, f"{brokers} brokers, loaded", brokers=brokers, partitions=partitions, producers=brokers, rate=100,
                warmup="20s")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), "--quick" in sys.argv)
