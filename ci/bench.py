"""Runs every benchmark of a build and prints the figures of docs/benchmarks.md beside their targets.

    ci/bench.py BUILD_DIR [--quick]

Each figure is the median of five repetitions (one with --quick), pinned to one processor. Nothing is judged here: a shared machine
is noisy, and figures are compared as ratios within one run where that is possible.
"""

import json
import pathlib
import platform
import shutil
import subprocess
import sys

BUILD = pathlib.Path(sys.argv[1])
QUICK = "--quick" in sys.argv
REPETITIONS = 1 if QUICK else 5


def median_runs(program):
    """{benchmark name: the median run as Google Benchmark's JSON has it}."""
    command = [str(program), "--benchmark_format=json", f"--benchmark_repetitions={REPETITIONS}"]
    if shutil.which("taskset"):
        command = ["taskset", "-c", "0", *command]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    runs = {}
    for run in json.loads(output)["benchmarks"]:
        if REPETITIONS == 1 or run.get("aggregate_name") == "median":
            runs[run["run_name"]] = run
    return runs


def in_unit(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds:.1f} ns"


UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def describe(run):
    parts = [in_unit(run["cpu_time"] * UNITS[run["time_unit"]])]
    if "items_per_second" in run:
        parts.append(f"{run['items_per_second']:,.0f}/s")
    if "bytes_per_second" in run:
        parts.append(f"{run['bytes_per_second'] / 1e9:.2f} GB/s")
    standard = {"cpu_time", "real_time", "iterations", "items_per_second", "bytes_per_second", "threads",
                "repetitions", "repetition_index", "family_index", "per_family_instance_index"}
    for name, value in run.items():
        if isinstance(value, (int, float)) and name not in standard:
            parts.append(f"{name} {value:,.6g}")
    return ", ".join(parts)


def main():
    print(f"# {platform.machine()}, {REPETITIONS} repetitions, medians of CPU time\n")
    programs = sorted(p for p in BUILD.rglob("*_benchmark") if p.is_file())
    for program in programs:
        print(f"## {program.relative_to(BUILD)}")
        for name, run in median_runs(program).items():
            print(f"  {name:<52} {describe(run)}")
        print()
    print("## campaign and soak: seeds of each scenario on one core")
    sys.stdout.flush()
    subprocess.run([sys.executable, "ci/campaign_rate.py", str(BUILD), "20" if QUICK else "200"], check=True)
    print("\n## scale: worlds of 3, 30 and 300 brokers")
    sys.stdout.flush()
    subprocess.run([sys.executable, "ci/scale.py", str(BUILD), *(["--quick"] if QUICK else [])], check=True)
    print("\n## real broker on loopback: 1 KiB records, one partition")
    sys.stdout.flush()
    subprocess.run([sys.executable, "tests/real_clients/throughput.py", str(BUILD), *(["--quick"] if QUICK else [])],
                   check=True)
    print("\n## real cluster on loopback")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-B", "tests/real_clients/cluster_benchmark.py", "--build", str(BUILD),
                    *(["--quick"] if QUICK else [])], check=False)


main()
