#!/usr/bin/env python3
"""Says where the time of a build went: its dearest files, targets and kinds, from ninja's own log.

    ci/build_time.py BUILD_DIR [--top N]

The log keeps the last build of each file in milliseconds of wall time, so the figures of a clean build on an otherwise idle
machine, without ccache (CCACHE_DISABLE=1), are close to its processor time; those of a busy machine only compare within one build.
"""

import argparse
import collections
import pathlib
import re


def edges(log):
    """{(start, end, hash of the command): (seconds, an output)}: an edge has a line for each of its outputs."""
    result = {}
    for line in log.read_text().splitlines():
        if line.startswith("#"):
            continue
        start, end, _, output, command = line.split("\t")
        result[start, end, command] = ((int(end) - int(start)) / 1000, output)
    return result.values()


def kind(output):
    if output.endswith(".gch") or output.endswith(".pch"):
        return "precompiled headers"
    if output.endswith("_test.cc.o"):
        return "tests"
    if output.endswith(".cc.o"):
        return "generated sources" if "/generated/" in output else "other sources"
    return "links and the rest"


def target(output):
    match = re.search(r"CMakeFiles/([^/]+)\.dir/", output)
    return match[1] if match else None


def table(title, seconds_by_name, counts, top):
    print(f"\n{title}")
    for name, seconds in sorted(seconds_by_name.items(), key=lambda item: (-item[1], item[0]))[:top]:
        print(f"{seconds:9.1f} s {counts[name]:5}  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--top", type=int, default=25)
    arguments = parser.parse_args()

    built = edges(arguments.build / ".ninja_log")
    print(f"{sum(seconds for seconds, _ in built):.0f} s in {len(built)} steps")
    for title, name_of in (("kinds", kind), ("targets", target), ("steps", lambda output: output)):
        seconds_by_name, counts = collections.Counter(), collections.Counter()
        for seconds, output in built:
            name = name_of(output)
            if name is not None:
                seconds_by_name[name] += seconds
                counts[name] += 1
        table(title, seconds_by_name, counts, arguments.top)


if __name__ == "__main__":
    main()
