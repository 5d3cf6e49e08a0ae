"""Parses the schema files of Kafka's messages (the grammar is in README.md) into plain objects.

Every error names file and line. Version ranges become sets of integers, so that the emitters only ask "which versions".
"""

import re

PRIMITIVES = {
    'bool': 1, 'i8': 1, 'i16': 2, 'u16': 2, 'i32': 4, 'u32': 4, 'i64': 8, 'f64': 8, 'uuid': 16,
    'string': None, 'bytes': None, 'records': None,
}
INTEGERS = {'i8': (-2**7, 2**7 - 1), 'i16': (-2**15, 2**15 - 1), 'u16': (0, 2**16 - 1),
            'i32': (-2**31, 2**31 - 1), 'u32': (0, 2**32 - 1), 'i64': (-2**63, 2**63 - 1)}
KINDS = ('request', 'response', 'data', 'header')
OPEN_END = 32767
# C++ keywords, and names that the generated functions use.
RESERVED = set('''alignas auto bool break case catch char class concept const continue default delete do double else
    enum explicit export extern false float for friend goto if inline int long mutable namespace new operator private
    protected public register requires return version flexible encoder decoder short signed sizeof static struct switch template this throw true try
    typedef union unsigned using virtual void volatile while'''.split())


class SchemaError(Exception):
    def __init__(self, place, message):
        super().__init__(f'{place}: {message}')


class Field:
    """One field. `versions`, `null` and `tagged` are sets of message versions."""

    def __init__(self):
        self.name = ''
        self.element = ''      # a primitive's or a struct's name
        self.is_array = False
        self.struct = None     # Struct if element is one
        self.versions = set()
        self.null = set()
        self.tag = None
        self.tagged = set()
        self.never_compact = False
        self.default = None    # the literal's text, or None
        self.ignorable = False
        self.place = ''


class Struct:
    def __init__(self, name, place):
        self.name = name
        self.fields = []
        self.context = set()   # versions in which it can appear
        self.place = place


class Message:
    def __init__(self):
        self.kind = ''
        self.name = ''
        self.key = None
        self.low = 0
        self.high = 0
        self.versions = set()
        self.flexible = set()
        self.root = None
        self.structs = []      # members before those that use them; the root last


class _Line:
    def __init__(self, place, indent, words):
        self.place, self.indent, self.words = place, indent, words


def _read_lines(path, shown):
    lines = []
    with open(path, encoding='utf-8') as file:
        for number, raw in enumerate(file, 1):
            place = f'{shown}:{number}'
            text = raw.rstrip()
            if not text or text.lstrip().startswith('#'):
                continue
            spaces = len(text) - len(text.lstrip(' '))
            if spaces % 2 != 0 or '\t' in text:
                raise SchemaError(place, 'indent must be two spaces a level, without tabs')
            lines.append(_Line(place, spaces // 2, text.split()))
    return lines


def _parse_range(text, bounds, place):
    """The versions of RANGE that lie within `bounds` (a set)."""
    if text == 'none':
        return set()
    match = re.fullmatch(r'(\d+)(\.\.(\d+)?)?', text)
    if not match:
        raise SchemaError(place, f'expected a version range (none, N, N..M, N..), got "{text}"')
    low = int(match.group(1))
    high = low if not match.group(2) else int(match.group(3) or OPEN_END)
    if high < low:
        raise SchemaError(place, f'the range "{text}" is empty')
    return {v for v in bounds if low <= v <= high}


class _Parser:
    def __init__(self, lines):
        self.lines = lines
        self.at = 0

    def peek(self):
        return self.lines[self.at] if self.at < len(self.lines) else None

    def take(self):
        self.at += 1
        return self.lines[self.at - 1]

    def message(self):
        line = self.take()
        words = list(line.words)
        if line.indent != 0 or words[0] not in KINDS:
            raise SchemaError(line.place, f'expected a message ({", ".join(KINDS)}), got "{words[0]}"')
        message = Message()
        message.kind = words.pop(0)
        if not words or not re.fullmatch(r'[A-Z]\w*', words[0]):
            raise SchemaError(line.place, 'expected a message name in CamelCase')
        message.name = words.pop(0)
        options = dict(zip(words[::2], words[1::2]))
        if len(words) % 2 != 0 or not set(options) <= {'key', 'versions', 'flexible'}:
            raise SchemaError(line.place, 'expected [key N] versions RANGE flexible RANGE')
        if ('key' in options) != (message.kind in ('request', 'response')):
            raise SchemaError(line.place, 'requests and responses have a key, others have none')
        if 'versions' not in options or 'flexible' not in options:
            raise SchemaError(line.place, 'a message needs "versions" and "flexible"')
        message.key = int(options['key']) if 'key' in options else None
        message.versions = _parse_range(options['versions'], set(range(0, 1000)), line.place)
        if not message.versions or max(message.versions) == 999:
            raise SchemaError(line.place, 'the versions of a message must be a closed range')
        message.low, message.high = min(message.versions), max(message.versions)
        message.flexible = _parse_range(options['flexible'], message.versions, line.place)
        if message.flexible and max(message.flexible) != message.high:
            raise SchemaError(line.place, 'flexible versions must reach to the last version')
        return _MessageParser(self, message, line).run()


class _MessageParser:
    def __init__(self, parser, message, line):
        self.parser = parser
        self.message = message
        self.line = line
        self.named = {}

    def run(self):
        root = Struct(self.message.name, self.line.place)
        root.context = self.message.versions
        root.fields = self.fields(1)
        while (line := self.parser.peek()) is not None and line.indent == 1:
            self.common()
        self.message.root = root
        for struct in [root, *self.named.values()]:
            self.resolve(struct)
        self.order(root, [])
        self.find_contexts(root)
        return self.message

    def common(self):
        line = self.parser.take()
        if len(line.words) != 3 or line.words[0] != 'struct':
            raise SchemaError(line.place, 'expected "struct Name RANGE"')
        _parse_range(line.words[2], self.message.versions, line.place)
        self.define(line.words[1], line.place, self.fields(2))

    def define(self, name, place, fields):
        if name in self.named or name == self.message.name:
            raise SchemaError(place, f'struct {name} is defined twice in {self.message.name}')
        struct = Struct(name, place)
        struct.fields = fields
        self.named[name] = struct

    def fields(self, indent):
        fields = []
        while (line := self.parser.peek()) is not None and line.indent >= indent:
            if line.indent > indent:
                raise SchemaError(line.place, 'this line is indented without a struct above it')
            if line.words[0] == 'struct' and indent == 1:
                break
            field = self.field(self.parser.take())
            if any(field.name == other.name for other in fields):
                raise SchemaError(line.place, f'field {field.name} appears twice')
            fields.append(field)
            below = self.parser.peek()
            if below is not None and below.indent == indent + 1:
                if field.element in PRIMITIVES:
                    raise SchemaError(below.place, f'{field.name} is not a struct: it has no members')
                self.define(field.element, field.place, self.fields(indent + 1))
        return fields

    def field(self, line):
        words = list(line.words)
        if len(words) < 3:
            raise SchemaError(line.place, 'expected "name TYPE RANGE modifier*"')
        field = Field()
        field.place = line.place
        field.name = words[0]
        if not re.fullmatch(r'[a-z][a-z0-9_]*', field.name) or field.name in RESERVED:
            raise SchemaError(line.place, f'"{field.name}" cannot be a field name')
        match = re.fullmatch(r'(\[)?(\w+)(\])?', words[1])
        if not match or bool(match.group(1)) != bool(match.group(3)):
            raise SchemaError(line.place, f'"{words[1]}" is no type')
        field.element, field.is_array = match.group(2), bool(match.group(1))
        if field.is_array and field.element in ('bytes', 'records'):
            raise SchemaError(line.place, 'arrays of bytes or records do not occur in Kafka')
        field.versions = _parse_range(words[2], self.message.versions, line.place)
        self.modifiers(field, words[3:])
        return field

    def modifiers(self, field, words):
        place = field.place
        while words:
            word = words.pop(0)
            needed = {'null': 1, 'tag': 2, 'flex': 1, '=': 1, 'ign': 0}.get(word)
            if needed is None or len(words) < needed:
                raise SchemaError(place, f'unknown or incomplete modifier "{word}"')
            if word == 'null':
                field.null = _parse_range(words.pop(0), field.versions, place)
                if not field.is_array and field.element not in ('string', 'bytes', 'records'):
                    raise SchemaError(place, f'a {field.element} cannot be null')
            elif word == 'tag':
                field.tag = int(words.pop(0))
                field.tagged = _parse_range(words.pop(0), field.versions, place)
                if not field.tagged <= self.message.flexible:
                    raise SchemaError(place, 'a field can be tagged in flexible versions only')
            elif word == 'flex':
                if words.pop(0) != 'none':
                    raise SchemaError(place, 'only "flex none" is supported')
                field.never_compact = True
            elif word == '=':
                field.default = words.pop(0)
                self.check_default(field)
            else:
                field.ignorable = True

    def check_default(self, field):
        text, element = field.default, field.element
        if text == 'null':
            good = bool(field.null)
        elif field.is_array:
            good = False
        elif element in INTEGERS:
            low, high = INTEGERS[element]
            good = re.fullmatch(r'-?\d+', text) is not None and low <= int(text) <= high
        elif element == 'bool':
            good = text in ('true', 'false')
        elif element == 'string':
            good = re.fullmatch(r'"[^"\\]*"', text) is not None
        else:
            good = False
        if not good:
            raise SchemaError(field.place, f'"{text}" is no default for {field.name}')

    def resolve(self, struct):
        tags = set()
        for field in struct.fields:
            if field.tag is not None:
                if field.tag in tags:
                    raise SchemaError(field.place, f'tag {field.tag} is used twice')
                tags.add(field.tag)
            if field.element in PRIMITIVES:
                continue
            field.struct = self.named.get(field.element)
            if field.struct is None:
                raise SchemaError(field.place, f'no type or struct is called "{field.element}"')

    def find_contexts(self, struct):
        for field in struct.fields:
            if field.struct is not None:
                field.struct.context = field.struct.context | (field.versions & struct.context)
                self.find_contexts(field.struct)

    def order(self, struct, stack):
        if struct.name in stack:
            raise SchemaError(struct.place, f'struct {struct.name} contains itself')
        for field in struct.fields:
            if field.struct is not None and field.struct not in self.message.structs:
                self.order(field.struct, stack + [struct.name])
        self.message.structs.append(struct)


def parse_file(path, shown):
    """All messages of one file. `shown` is the name that errors give."""
    parser = _Parser(_read_lines(path, shown))
    messages = []
    while parser.peek() is not None:
        messages.append(parser.message())
    if not messages:
        raise SchemaError(shown, 'no message')
    return messages
