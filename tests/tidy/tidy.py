#!/usr/bin/env python3
"""Enforces what can be grepped of the design: who may include whom, and what would break determinism.

    tidy.py SOURCE_ROOT        prints file:line: message for each finding; exit 1 if there is one
"""

import pathlib
import re
import sys

# Folder -> folders of ours that it may include. A longer prefix wins.
MAY_INCLUDE = {
    "core": ["core"],
    "core/os": ["core"],
    "sim": ["core", "sim"],
    "broker": ["core", "broker"],
    "faults": ["core", "sim", "faults", "broker/types.h", "broker/observer.h"],
    "invariants": ["core", "invariants", "broker/types.h", "broker/observer.h"],
    "reports": ["reports", "core", "scenarios/seed_result.h", "scenarios/campaign_result.h",
                "scenarios/timeline.h", "scenarios/claims.h"],
    "scenarios": ["core", "sim", "broker", "faults", "invariants", "reports", "scenarios"],
    "programs": ["core", "sim", "broker", "faults", "invariants", "reports", "scenarios", "programs"],
}
# core never reaches into core/os, and only programs, and the outer harness, may.
MAY_USE_OS = {"core/os", "programs"}
OURS = ("core", "sim", "broker", "faults", "invariants", "reports", "scenarios", "programs")

# Rooms where simulated or product code lives: nothing there may depend on the machine or on chance.
DETERMINISTIC = ("core", "sim", "broker", "faults", "invariants")
BANNED = [
    (re.compile(r"#include <(thread|mutex|shared_mutex|condition_variable|future|random|chrono|ctime)>"),
     "reaches past the seam"),
    (re.compile(r"#include <(sys/|unistd|fcntl|netinet|arpa|poll|pthread)"), "touches the operating system"),
    (re.compile(r"\bstd::(random_device|mt19937|uniform_int_distribution|shuffle|hash<)|absl::(BitGen|Hash\b|Uniform)"),
     "is not the same in every process"),
    (re.compile(r"\b(rand|srand|time|getenv|clock_gettime|gettimeofday)\("), "asks the machine, not the world"),
    (re.compile(r"absl::(Now|GetCurrentTimeNanos|SleepFor)\("), "asks the machine, not the world"),
    (re.compile(r"\b(double|float)\b"), "is floating point: simulated quantities are integers"),
    (re.compile(r"\b[iI]sSimulated\b"), "asks whether it is simulated"),
    (re.compile(r"\bcatch \(\.\.\.\)"), "would swallow the unwinding of a fiber"),
]
# Places where a ban does not hold, with the reason.
EXEMPT = {
    ("core/fiber_stack.cc", "touches the operating system"): "stacks are mapped memory",
    ("core/strong_int.h", "is not the same in every process"): "declares a std::hash for lookups only",
    ("broker/protocol/float64.h", "is floating point: simulated quantities are integers"): "quota messages carry it; nothing computes with it",
}
EVERYWHERE = [
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "is unfinished"),
]


def folder_of(path):
    parts = path.parts
    return "core/os" if parts[:2] == ("core", "os") else parts[0]


def strip_comments(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def check_file(path, text):
    """Yields (line number, message) for one source file; `path` is relative to the root."""
    folder = folder_of(path)
    is_test = path.name.endswith(("_test.cc", "_benchmark.cc", "_fuzz.cc")) or path.parts[0] == "tests"
    deterministic = path.parts[0] in DETERMINISTIC and folder != "core/os" and not is_test
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 100 and not is_test and '"' not in line and "http" not in line:
            yield number, "is longer than 100 columns"
        for pattern, message in EVERYWHERE:
            if pattern.search(line):
                yield number, message
        include = re.match(r'#include "([^"]+)"', line)
        if include and not is_test and folder in MAY_INCLUDE:
            target = include.group(1)
            if target.startswith(OURS):
                if target.startswith("core/os/") and folder not in MAY_USE_OS:
                    yield number, f"{folder}/ may not include {target}"
                elif not any(target == a or target.startswith(a + "/") for a in MAY_INCLUDE[folder]):
                    yield number, f"{folder}/ may not include {target}"
        if deterministic:
            code = line if line.startswith("#include") else strip_comments(line)
            for pattern, message in BANNED:
                if pattern.search(code) and (str(path), message) not in EXEMPT:
                    yield number, message


def main(root):
    root = pathlib.Path(root)
    findings = []
    for folder in (*OURS, "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                relative = path.relative_to(root)
                for number, message in check_file(relative, path.read_text()):
                    findings.append(f"{relative}:{number}: {message}")
    print("\n".join(findings) if findings else "tidy")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
