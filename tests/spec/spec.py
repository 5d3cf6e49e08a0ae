#!/usr/bin/env python3
"""Holds docs/spec against the sources and the tests.

    spec.py SOURCE_ROOT           prints what does not agree; exit 1 if there is anything
    spec.py SOURCE_ROOT H12       prints what is known of one rule

An entry of docs/spec/*.md has the ids of one or more rules as its heading, what Highwater does in our
words, then the files that do it and the tests that show it; or the reason why it is not done:

    ## H12                                        ## H30, H31

    A replica is proposed for the ISR once ...    Not implemented: leaders of ours never write ...

    - Code: `broker/replication/replication_rules.cc`
    - Tests: `PartitionLeaderTest.H12...`, `scenarios/az-loss.yaml`

What is checked:
 1. Every rule of the facts (fact_ids.txt) has an entry, exactly one.
 2. Every rule that a source or a test cites has one, and it is not one that says "not implemented" if
    product code cites it as done: such an entry names the file in its reason.
 3. The files that an entry names exist. Its tests exist too, and between them cite each of its ids.
"""

import dataclasses
import pathlib
import re
import sys

import citations

HEADING = re.compile(r"## (.+)")
ID = re.compile(r"(?:[A-Z]\d{1,3}b?|ZK \d\.\d{1,2}|Wire \d(?:\.\d{1,2})?)")


@dataclasses.dataclass
class Entry:
    place: str  # docs/spec/x.md:12
    rules: list
    text: str = ""
    code: list = dataclasses.field(default_factory=list)
    tests: list = dataclasses.field(default_factory=list)

    @property
    def implemented(self):
        return not self.text.startswith("Not implemented:")


def read_entries(name, text):
    """Yields the entries of one file and the messages about what is no entry."""
    entries, messages, entry, field = [], [], None, "text"
    for number, line in enumerate(text.splitlines(), 1):
        heading = HEADING.fullmatch(line)
        if heading:
            rules = heading.group(1).split(", ")
            entry, field = Entry(f"{name}:{number}", rules), "text"
            entries.append(entry)
            for rule in rules:
                if not ID.fullmatch(rule):
                    messages.append(f"{entry.place}: '{rule}' is not the id of a rule")
            continue
        if entry is None or not line.strip():
            continue
        if line.startswith(("- Code: ", "- Tests: ")):
            field = line[2:].split(":")[0].lower()
        if field == "text":
            entry.text = f"{entry.text} {line}".strip()
        else:
            getattr(entry, field).extend(re.findall(r"`([^`]+)`", line))
    return entries, messages


def check_entry(entry, sources, exists):
    """Yields what is wrong with one entry."""
    if not entry.implemented:
        if len(entry.text) < len("Not implemented: why"):
            yield "says no reason"
        return
    if not entry.text:
        yield "says nothing"
    if not entry.code:
        yield "names no code"
    for path in entry.code:
        if not exists(path):
            yield f"{path} does not exist"
    if not entry.tests:
        yield "names no test"
    cited = set()
    for test in entry.tests:
        if test in sources.tests:
            cited |= sources.tests[test].rules
        elif test.endswith((".yaml", ".py")):
            if not exists(test):
                yield f"{test} does not exist"
            cited |= set(entry.rules)
        else:
            yield f"there is no test {test}"
    for rule in entry.rules:
        if rule not in cited and all(test in sources.tests for test in entry.tests):
            yield f"none of its tests cites [{rule}]"


def check(entries, sources, fact_ids, exists):
    """All messages about entries and sources."""
    messages = []
    of = {}
    for entry in entries:
        for rule in entry.rules:
            if rule in of:
                messages.append(f"{entry.place}: {rule} stands at {of[rule].place} already")
            of[rule] = entry
        messages += [f"{entry.place}: {', '.join(entry.rules)}: {message}"
                     for message in check_entry(entry, sources, exists)]
    messages += [f"docs/spec: the facts' rule {rule} has no entry" for rule in fact_ids if rule not in of]
    for path, cited in sorted(sources.files.items()):
        for rule, line in sorted(cited.items(), key=lambda item: item[1]):
            if rule not in of:
                messages.append(f"{path}:{line}: cites [{rule}], which docs/spec does not have")
            elif not of[rule].implemented and not may_cite(path, rule, of[rule]):
                messages.append(f"{path}:{line}: cites [{rule}], which {of[rule].place} says is not implemented")
    return messages


def may_cite(path, rule, entry):
    """Tests may speak of anything; a header may say what it leaves out, if the entry names it."""
    return citations.is_test_file(path) or f"`{path}`" in entry.text


def read_all(root):
    entries, messages = [], []
    for path in sorted((root / "docs/spec").glob("*.md")):
        if path.name != "README.md":
            some, wrong = read_entries(f"docs/spec/{path.name}", path.read_text())
            entries += some
            messages += wrong
    fact_ids = (root / "tests/spec/fact_ids.txt").read_text().split("\n")
    fact_ids = [line for line in fact_ids if line and not line.startswith("#")]
    sources = citations.read_tree(root, fact_ids)
    return entries, sources, fact_ids, messages


def main(root, rule=None):
    root = pathlib.Path(root)
    entries, sources, fact_ids, messages = read_all(root)
    if rule:
        for entry in entries:
            if rule in entry.rules:
                print(f"{entry.place}\n{entry.text}\nCode: {', '.join(entry.code)}\nTests: {', '.join(entry.tests)}")
        print("Cited in:", ", ".join(f"{p}:{c[rule]}" for p, c in sorted(sources.files.items()) if rule in c))
        return 0
    messages += check(entries, sources, fact_ids, lambda path: (root / path).is_file())
    done = sum(len(entry.rules) for entry in entries if entry.implemented)
    print("\n".join(messages) if messages else
          f"{done} rules implemented, {sum(len(e.rules) for e in entries) - done} not; all agree")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
