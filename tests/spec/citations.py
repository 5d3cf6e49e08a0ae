"""Reads what the sources say about rules: which file and which test cites which id of the facts.

    sources = citations.read_tree(root)
    sources.files["broker/replication/replication_rules.h"]      # {"H12": 33, "H1": 21, ...} id -> line
    sources.tests["PartitionLeaderTest.FencesAnOlderEpoch"]      # a Test: its file, line and ids

A citation stands in a comment, in brackets ("[H12]", "[H1-H3, H7]", "[3.6, ZOOKEEPER-4837]"), or behind
"Follows ... facts" in a header's opening, where ranges may stand ("R15-R28"). Sections of the ZooKeeper
and wire-protocol facts have numbers for ids, so a number means "ZK 3.6" where ZooKeeper is built or
tested and "Wire 2.3" elsewhere.

A test cites what stands in its body, in the comment right above it, behind it on its first line, and in
the last "// ----" heading above it; and ids with which its name begins or ends.
"""

import dataclasses
import functools
import pathlib
import re

FOLDERS = ("core", "sim", "broker", "faults", "invariants", "scenarios", "programs", "reports", "tests")
RULE = r"(?:[A-Z]\d{1,3}b?|(?:ZK |Wire )?\d\.\d{1,2}|Wire \d)"
OTHER = r"(?:KAFKA-\d+|KIP-\d+|ZOOKEEPER-\d+|#\d+)"
ITEM = rf"(?:{RULE}(?:[-–]{RULE})?|{OTHER})"
BRACKET = re.compile(rf"\[({ITEM}(?:(?:, ?| and ){ITEM})*)\]")
RANGE = re.compile(rf"\[?({RULE})(?![\w.])\]?(?:[-–]\[?({RULE})(?![\w.])\]?)?")
FOLLOWS = re.compile(r"\bFollows\b.*?(?=\. [A-Z]|\.$|: )", re.S)
TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\(\s*(\w+),\s*(\w+)")


@dataclasses.dataclass
class Test:
    file: str
    line: int
    rules: set


@dataclasses.dataclass
class Sources:
    files: dict = dataclasses.field(default_factory=dict)  # path -> {id: first line}
    tests: dict = dataclasses.field(default_factory=dict)  # Suite.Name -> Test


def is_test_file(path):
    return path.endswith("_test.cc") or path.startswith("tests/")


def qualified(rule, path):
    """The id as docs/spec has it: sections get the name of their facts."""
    if not rule[0].isdigit():
        return rule
    zookeeper = path.startswith(("broker/zookeeper/", "tests/zookeeper", "scenarios/"))
    return f"{'ZK' if zookeeper else 'Wire'} {rule}"


def in_brackets(text, path, known):
    """Ids that `text`, a comment in one line, cites; of a range, those that exist."""
    return {
        rule
        for match in BRACKET.finditer(text)
        for first, last in RANGE.findall(re.sub(OTHER, "", match.group(1)))
        for rule in between(qualified(first, path), qualified(last or first, path), known)
    }


def between(low, high, known):
    if low == high:
        return {low}
    inside = {rule for rule in known if sort_key(low)[0] == sort_key(rule)[0]
              and sort_key(low) <= sort_key(rule) <= sort_key(high)}
    return {low, high} | inside


@functools.cache
def sort_key(rule):
    family, number, tail = re.match(r"([A-Za-z]+) ?([\d.]+)(b?)", rule).groups()
    return family, [int(part) for part in number.split(".")], tail


def followed(text, path, known):
    """Ids that a header says it follows; of a range, those that exist."""
    rules = set()
    for passage in FOLLOWS.findall(text):
        if "fact" not in passage:
            continue
        for first, last in RANGE.findall(passage):
            if re.search(rf"{re.escape(first)} \(", passage):  # "3.1 (R16-R21)": the ids follow
                continue
            low, high = qualified(first, path), qualified(last or first, path)
            if low.split(" ")[0] in ("ZK", "Wire") and "replication" in passage:
                continue
            rules |= between(low, high, known)
    return rules


def comments(lines):
    """Yields (first line number, text in one line, ends right above line) for each run of // lines."""
    start, words = None, []
    for number, line in enumerate([*lines, ""], 1):
        whole = re.match(r"\s*//\s?(.*)", line)
        if whole:
            start = start or number
            words.append(whole.group(1))
            continue
        if words:
            yield start, " ".join(words), number
            start, words = None, []
        behind = re.search(r"\s//\s(.*)", line)
        if behind:
            yield number, behind.group(1), number


def in_name(name):
    """The ids that a test's name begins or ends with: H12WhoReaches..., ...ToJoinW3."""
    first = re.match(r"(?:[A-Z]\d{1,3}b?)+(?=[A-Z][a-z]|A[A-Z])", name)
    last = re.search(r"(?<=[a-z])(?:[A-Z]\d{1,3}b?)+$", name)
    return (first.group(0) + "X" if first else "") + (last.group(0) + "X" if last else "")


def read_file(path, text, sources, known=()):
    lines = text.splitlines()
    cited = sources.files.setdefault(path, {})
    pending, heading, current = set(), set(), None
    notes = {}
    for start, words, below in comments(lines):
        rules = in_brackets(words, path, known) | followed(words, path, known)
        for rule in rules:
            cited.setdefault(rule, start)
        if rules:
            notes[start] = (rules, words, below)
    if not is_test_file(path):
        return
    for number, line in enumerate([*lines, ""], 1):
        declared = TEST.match(line) or TEST.match(line + (lines[number] if number < len(lines) else ""))
        if number in notes:
            rules, words, below = notes[number]
            if words.startswith("----"):
                heading, current = rules, None
            elif below <= len(lines) and TEST.match(lines[below - 1]):
                pending = pending | rules
            elif current:
                current.rules |= rules
        elif re.match(r"\s*// ----", line):
            heading = set()
        if declared:
            named = set(re.findall(r"[A-Z]\d{1,3}b?(?=[A-Z])", in_name(declared.group(2))))
            current = Test(path, number,
                           pending | heading | named | notes.get(number, (set(),))[0])
            sources.tests[".".join(declared.groups())] = current
            pending = set()


def read_tree(root, known=()):
    sources = Sources()
    for folder in FOLDERS:
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                read_file(str(path.relative_to(root)), path.read_text(), sources, known)
    return sources
