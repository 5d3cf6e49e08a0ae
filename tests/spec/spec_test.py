#!/usr/bin/env python3
"""Each kind of disagreement between docs/spec and the sources is caught."""

import unittest

import citations
import spec

GOOD = """# Area
## H1, H2

What is done.

- Code: `a.cc`
- Tests: `SomeTest.Works`

## H3

Not implemented: nobody needs it.
"""
TEST_FILE = """
// [H1]
TEST(SomeTest, Works) {
  Check();  // [H2]
}
"""


def messages(doc=GOOD, test=TEST_FILE, code="", path="broker/a.cc", facts=("H1", "H2", "H3")):
    entries, wrong = spec.read_entries("docs/spec/area.md", doc)
    sources = citations.Sources()
    citations.read_file("broker/a_test.cc", test, sources, facts)
    citations.read_file(path, code, sources, facts)
    return wrong + spec.check(entries, sources, facts, lambda name: name in ("a.cc", "x.yaml"))


class SpecTest(unittest.TestCase):
    def expect(self, text, **given):
        found = messages(**given)
        self.assertTrue(any(text in message for message in found), found)

    def test_agreement_is_silent(self):
        self.assertEqual(messages(code="// [H1-H2] and [H2, KAFKA-1]: not [h3], [H] or a[H9]b[0]"[:24]), [])

    def test_a_rule_without_an_entry(self):
        self.expect("rule H4 has no entry", facts=("H1", "H2", "H3", "H4"))

    def test_a_cited_rule_without_an_entry(self):
        self.expect("broker/a.cc:1: cites [H9]", code="// [H9] because")
        self.expect("broker/a.cc:2: cites [H9]", code="//\nint a;  // [H1, H9]")
        self.expect("cites [H9]", code="// Follows facts 3.1 (H1, H8-H9). Not responsible")
        self.expect("cites [Wire 2.3]", code="// [2.3]")
        self.expect("cites [ZK 2.3]", code="// [2.3]", path="broker/zookeeper/a.cc")

    def test_a_rule_that_is_said_not_to_be_implemented_but_is_cited(self):
        self.expect("cites [H3], which docs/spec/area.md:9 says is not implemented", code="// [H3]")
        named = GOOD.replace("nobody needs it", "`broker/a.cc` says why")
        self.assertEqual(messages(doc=named, code="// not [H3]"), [])

    def test_a_test_that_does_not_exist(self):
        self.expect("there is no test SomeTest.Sleeps", doc=GOOD.replace("Works", "Sleeps"))

    def test_a_scenario_that_does_not_exist(self):
        self.expect("y.yaml does not exist", doc=GOOD.replace("SomeTest.Works", "y.yaml"))
        self.assertEqual(messages(doc=GOOD.replace("SomeTest.Works", "x.yaml")), [])

    def test_a_test_that_does_not_cite_the_rule(self):
        self.expect("none of its tests cites [H2]", test=TEST_FILE.replace("[H2]", ""))

    def test_a_file_that_does_not_exist(self):
        self.expect("b.cc does not exist", doc=GOOD.replace("a.cc", "b.cc"))

    def test_an_entry_that_says_too_little(self):
        self.expect("says nothing", doc=GOOD.replace("What is done.", ""))
        self.expect("names no code", doc=GOOD.replace("- Code: `a.cc`", ""))
        self.expect("names no test", doc=GOOD.replace("- Tests: `SomeTest.Works`", ""))
        self.expect("says no reason", doc=GOOD.replace("nobody needs it.", ""))

    def test_one_rule_in_two_entries_and_what_is_no_rule(self):
        self.expect("H1 stands at docs/spec/area.md:2 already", doc=GOOD.replace("H3", "H1"))
        self.expect("'Hx' is not the id of a rule", doc=GOOD.replace("H3", "Hx"))

    def test_where_a_test_may_cite(self):
        for test in ("TEST(SomeTest, Works) {  // [H1, H2]\n}",
                     "// ---- Both [H1], [H2].\n\nTEST(SomeTest, Works) {}",
                     "TEST(SomeTest, Works) {\n  // [H1]: so\n  EXPECT_EQ(1, 1) << 1;  // [H2]\n}",
                     "// [H1-H2]\nRC_GTEST_PROP(SomeTest, Works, (int a)) {}"):
            self.assertEqual(messages(test=test), [], test)
        named = GOOD.replace("SomeTest.Works", "SomeTest.H1H2Works")
        self.assertEqual(messages(doc=named, test="TEST(SomeTest, H1H2Works) {}"), [])
        # Not what stands above the test before.
        self.expect("cites [H2]", test="// [H2]\nTEST(SomeTest, Other) {}\n// [H1]\nTEST(SomeTest, Works) {}")
        # A heading ends with the next one.
        self.expect("cites [H1]", test="// ---- [H1, H2]\n// ---- Else\nTEST(SomeTest, Works) {}")


if __name__ == "__main__":
    unittest.main()
