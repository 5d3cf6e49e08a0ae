"""Prints how many seeds of each one-broker scenario one core runs a second, and how much simulated time that is.

    ci/campaign_rate.py BUILD_DIR SEEDS
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

build, seeds = pathlib.Path(sys.argv[1]), sys.argv[2]
for scenario in sorted(pathlib.Path("scenarios/single-broker").glob("*.yaml")):
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([build / "programs/highwater", "run", scenario, "--seeds", f"1..{seeds}", "-j", "1", "-o", out,
                        "--max-failures", "1000000", "--check-determinism", "0%"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        simulated = events = count = 0
        with open(pathlib.Path(out) / "latest/results.ndjson") as lines:
            for line in lines:
                result = json.loads(line)
                count += 1
                simulated += result["simulated_s"]
                events += result["metrics"]["events"]
        print(f"  {scenario.stem:<28} {count / cpu:8.1f} seeds/core-second   {simulated / cpu:10,.0f} x real time   "
              f"{events / count:10,.0f} events a seed")
