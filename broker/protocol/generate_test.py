"""What the generator says to schemas that are wrong: file, line, and what was expected."""

import os
import tempfile
import unittest

import generate
import schema

HEAD = 'request PingRequest key 1 versions 0..3 flexible 2..\n'
RESPONSE = '\nresponse PingResponse key 1 versions 0..3 flexible 2..\n  error_code i16 0..\n'


def load(text):
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, 'Ping.txt'), 'w', encoding='utf-8') as file:
            file.write(text)
        loaded = generate.load(directory)
        generate.check(loaded)
        return loaded


class SchemaErrors(unittest.TestCase):
    def refuses(self, text, message):
        with self.assertRaises(schema.SchemaError) as caught:
            load(text)
        self.assertEqual(str(caught.exception), message)

    def test_accepts_a_good_schema(self):
        (_, messages), = load(HEAD + '  items [Item] 0..\n    name string 0.. null 1.. = null\n' + RESPONSE)
        self.assertEqual([m.name for m in messages], ['PingRequest', 'PingResponse'])
        self.assertEqual(messages[0].root.fields[0].struct.fields[0].null, {1, 2, 3})

    def test_refuses(self):
        self.refuses(HEAD + '  name text 0..\n', 'Ping.txt:2: no type or struct is called "text"')
        self.refuses(HEAD + '  name string\n', 'Ping.txt:2: expected "name TYPE RANGE modifier*"')
        self.refuses(HEAD + '  name string 3..1\n', 'Ping.txt:2: the range "3..1" is empty')
        self.refuses(HEAD + '  name string x\n', 'Ping.txt:2: expected a version range (none, N, N..M, N..), got "x"')
        self.refuses(HEAD + '   name string 0..\n', 'Ping.txt:2: indent must be two spaces a level, without tabs')
        self.refuses(HEAD + '  a i32 0..\n  a i32 0..\n', 'Ping.txt:3: field a appears twice')
        self.refuses(HEAD + '  a i32 0..\n    b i32 0..\n', 'Ping.txt:3: a is not a struct: it has no members')
        self.refuses(HEAD + '  a i8 0.. = 128\n', 'Ping.txt:2: "128" is no default for a')
        self.refuses(HEAD + '  a i32 0.. null 0..\n', 'Ping.txt:2: a i32 cannot be null')
        self.refuses(HEAD + '  a i32 0.. tag 0 0..\n', 'Ping.txt:2: a field can be tagged in flexible versions only')
        self.refuses(HEAD + '  a i32 0.. optional\n', 'Ping.txt:2: unknown or incomplete modifier "optional"')
        self.refuses(HEAD + '  class i32 0..\n', 'Ping.txt:2: "class" cannot be a field name')
        self.refuses(HEAD + '  a Node 0..\n  struct Node 0..\n    b [Node] 0..\n',
                     'Ping.txt:3: struct Node contains itself')
        self.refuses('ping PingRequest\n',
                     'Ping.txt:1: expected a message (request, response, data, header), got "ping"')
        self.refuses(HEAD + '  a i32 0..\n', 'Ping: an API needs a request and a response')


if __name__ == '__main__':
    unittest.main()
