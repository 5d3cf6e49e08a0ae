"""Prints what a seed of each scenario costs one core, and how much memory its worker took.

    ci/campaign_rate.py BUILD_DIR SEEDS

SEEDS of each campaign scenario, a twentieth of them of each soak scenario. A seed that shows a loss runs twice, as it does in a
campaign: scenarios that expect one cost more.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

FOLDERS = ("single-broker", "cluster", "soak")


def cpu_and_memory():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def results_of(build, scenario, seeds, out):
    subprocess.run([build / "programs/highwater", "run", scenario, "--seeds", f"1..{seeds}", "-j", "1", "-o", out,
                    "--max-failures", "1000000", "--check-determinism", "0%", "--case-timeout", "10m"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(pathlib.Path(out) / "latest/results.ndjson") as lines:
        return [json.loads(line) for line in lines]


def main(build, seeds):
    for folder in FOLDERS:
        count = max(1, seeds // 20) if folder == "soak" else seeds
        for scenario in sorted(pathlib.Path("scenarios", folder).glob("*.yaml")):
            with tempfile.TemporaryDirectory() as out:
                before, _ = cpu_and_memory()
                results = results_of(build, scenario, count, out)
                after, greatest = cpu_and_memory()
            each = (after - before) / len(results)
            simulated = sum(result["simulated_s"] for result in results) / len(results)
            events = sum(result["metrics"]["events"] for result in results) / len(results)
            print(f"  {scenario.stem:<32} {each * 1000:7.1f} ms a seed   {simulated / each:8,.0f} x real time   "
                  f"{events:9,.0f} events a seed   at most {greatest:,.0f} MiB so far", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
