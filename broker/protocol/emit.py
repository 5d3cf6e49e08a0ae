"""Emits the C++ structs of Kafka's messages with their encoders and decoders.

Straight code: one statement a field, with tests of the version only where a field's presence or form depends on it.
"""

from schema import PRIMITIVES, Struct

NEVER = 32767
CPP_TYPES = {'bool': 'bool', 'i8': 'int8_t', 'i16': 'int16_t', 'u16': 'uint16_t', 'i32': 'int32_t', 'u32': 'uint32_t',
             'i64': 'int64_t', 'f64': 'Float64', 'uuid': 'Uuid', 'string': 'std::string', 'bytes': 'core::ByteChain',
             'records': 'Records'}
VERBS = {'bool': 'Bool', 'i8': 'Int8', 'i16': 'Int16', 'u16': 'UInt16', 'i32': 'Int32', 'u32': 'UInt32', 'i64': 'Int64',
         'f64': 'Float64', 'uuid': 'Uuid', 'string': 'String', 'bytes': 'Bytes', 'records': 'Records'}


def snake(name):
    out = ''
    for i, c in enumerate(name):
        if c.isupper() and i > 0:
            out += '_'
        out += c.lower()
    return out


def is_error_code(field):
    return field.element == 'i16' and not field.is_array and field.name.endswith('error_code')


def condition(versions, context):
    """A C++ test for "version is in `versions`", given that it is in `context`; True or False if it is always so."""
    versions = versions & context
    if versions == context:
        return True
    if not versions:
        return False
    low, high = min(versions), max(versions)
    if versions != {v for v in context if low <= v <= high}:
        return f'!({condition(context - versions, context)})'
    tests = []
    if low > min(context):
        tests.append(f'version >= {low}')
    if high < max(context):
        tests.append(f'version <= {high}')
    return ' && '.join(tests)


def element_type(field):
    if is_error_code(field):
        return 'ErrorCode'
    return field.struct.name if field.struct else CPP_TYPES[field.element]


def value_type(field):
    """The field's type without std::optional."""
    return f'std::vector<{element_type(field)}>' if field.is_array else element_type(field)


def is_optional(field):
    return bool(field.null) and field.element != 'records'


def field_type(field):
    return f'std::optional<{value_type(field)}>' if is_optional(field) else value_type(field)


def integer_literal(text, element):
    if text == '-2147483648':
        return 'std::numeric_limits<int32_t>::min()'
    return text


def default_value(field):
    """The C++ expression of the field's default; '' stands for value-initialization."""
    if field.default == 'null':
        return 'std::nullopt' if is_optional(field) else ''
    if is_optional(field):
        text = field.default if field.default else ''
        return f'{value_type(field)}({text})'
    if field.is_array or field.struct or field.element in ('uuid', 'bytes', 'records'):
        return ''
    if field.element == 'string':
        return field.default if field.default not in (None, '""') else ''
    if field.element == 'bool':
        return field.default or 'false'
    if is_error_code(field):
        return 'ErrorCode::NONE' if field.default in (None, '0') else f'ErrorCode{{{field.default}}}'
    return integer_literal(field.default or '0', field.element)


def differs_from_default(field):
    """The C++ test that the field's value is not its default."""
    name = field.name
    if field.element == 'records' and not field.is_array:
        return f'!{name}.is_null()'
    if is_optional(field):
        if field.default == 'null':
            return f'{name}.has_value()'
        if field.default in (None, '""'):
            return f'(!{name}.has_value() || !{name}->empty())'
        return f'{name} != {default_value(field)}'
    if field.is_array or field.element in ('bytes',):
        return f'!{name}.empty()'
    if field.element == 'string':
        return f'{name} != {field.default}' if field.default not in (None, '""') else f'!{name}.empty()'
    if field.struct:
        return f'{name} != {field.struct.name}{{}}'
    if field.element == 'uuid':
        return f'!{name}.is_zero()'
    if field.element == 'bool':
        return f'!{name}' if field.default == 'true' else name
    return f'{name} != {default_value(field)}'


class Body:
    """Lines of a function with their indent."""

    def __init__(self):
        self.lines = []
        self.depth = 1

    def add(self, text):
        self.lines.append('  ' * self.depth + text if text else '')

    def open(self, text):
        self.add(text + ' {')
        self.depth += 1

    def close(self, text=''):
        self.depth -= 1
        self.add('}' + text)

    def otherwise(self, text):
        self.depth -= 1
        self.add(text + ' {')
        self.depth += 1


class StructEmitter:
    def __init__(self, message, struct):
        self.message = message
        self.struct = struct
        self.path = message.name if struct is message.root else f'{message.name}::{struct.name}'
        self.context = struct.context

    # What is asked of a field.

    def ordinary(self, field):
        return (field.versions - field.tagged) & self.context

    def tagged(self, field):
        return field.tagged & self.context

    def absent(self, field):
        return self.context - field.versions

    def compact(self, field, versions):
        """The C++ expression for "compact form", for a field written in `versions`."""
        if field.never_compact or not (versions & self.message.flexible):
            return 'false'
        return 'true' if versions <= self.message.flexible else 'flexible'

    def needs_flexible(self):
        flexible = condition(self.message.flexible, self.context)
        return flexible not in (True, False)

    def begin(self, body):
        if self.needs_flexible():
            body.add(f'[[maybe_unused]] const bool flexible = '
                     f'{condition(self.message.flexible, self.context)};')

    def may_be_null(self, field, versions):
        return condition(field.null, versions)

    # Encoding.

    def encode_function(self):
        body = Body()
        if not self.struct.fields:
            body.add('(void)version;')
        self.begin(body)
        if self.struct is self.message.root:
            body.open(f'if (version < kLowestVersion || version > kHighestVersion) [[unlikely]]')
            body.add(f'return encoder.Fail("{self.message.name}: no such version");')
            body.close()
        for field in self.struct.fields:
            self.encode_field(body, field)
        self.encode_tags(body)
        return [f'void {self.path}::Encode(Encoder& encoder, [[maybe_unused]] int16_t version) const {{',
                *body.lines, '}']

    def encode_field(self, body, field):
        versions = self.ordinary(field)
        test = condition(versions, self.context)
        if test is not False:
            if test is not True:
                body.open(f'if ({test})')
            self.encode_value(body, field, versions)
            if test is not True:
                body.close()
        absent = condition(self.absent(field), self.context)
        if absent is not False and not field.ignorable:
            test = differs_from_default(field)
            if absent is not True:
                test = f'({absent}) && {test}'
            body.open(f'if ({test}) [[unlikely]]')
            body.add(f'encoder.Fail("{self.path}::{field.name} is not in this version");')
            body.close()

    def encode_value(self, body, field, versions):
        compact = self.compact(field, versions)
        name = field.name
        nullable = self.may_be_null(field, versions)
        if field.null and nullable is not True:
            is_null = f'{name}.is_null()' if field.element == 'records' else f'!{name}.has_value()'
            test = is_null if nullable is False else f'!({nullable}) && {is_null}'
            body.open(f'if ({test}) [[unlikely]]')
            body.add(f'return encoder.Fail("{self.path}::{name} cannot be null in this version");')
            body.close()
        if field.is_array:
            self.encode_array(body, field, compact)
        elif field.struct:
            body.add(f'{name}.Encode(encoder, version);')
        elif field.element in ('string', 'bytes') and is_optional(field):
            body.add(f'encoder.WriteNullable{VERBS[field.element]}({name}, {compact});')
        elif field.element in ('string', 'bytes', 'records'):
            body.add(f'encoder.Write{VERBS[field.element]}({name}, {compact});')
        elif is_error_code(field):
            body.add(f'encoder.WriteInt16(static_cast<int16_t>({name}));')
        else:
            body.add(f'encoder.Write{VERBS[field.element]}({name});')

    def encode_array(self, body, field, compact):
        items = field.name
        if is_optional(field):
            body.open(f'if (!{field.name}.has_value())')
            body.add(f'encoder.WriteNullArray({compact});')
            body.otherwise('} else')
            items = f'*{field.name}'
            body.add(f'encoder.WriteArrayLength({field.name}->size(), {compact});')
        else:
            body.add(f'encoder.WriteArrayLength({field.name}.size(), {compact});')
        if field.struct:
            body.add(f'for (const {field.struct.name}& item : {items}) item.Encode(encoder, version);')
        elif field.element == 'string':
            body.add(f'for (const std::string& item : {items}) encoder.WriteString(item, {compact});')
        elif field.element == 'bool':
            body.add(f'for (const bool item : {items}) encoder.WriteBool(item);')
        else:
            body.add(f'for (const {CPP_TYPES[field.element]}& item : {items}) '
                     f'encoder.Write{VERBS[field.element]}(item);')
        if is_optional(field):
            body.close()

    def encode_tags(self, body):
        flexible = condition(self.message.flexible, self.context)
        if flexible is False:
            return
        if flexible is not True:
            body.open('if (flexible)')
        tagged = sorted((f for f in self.struct.fields if self.tagged(f)), key=lambda f: f.tag)
        if not tagged:
            body.add('encoder.WriteUnsignedVarint(0);')
        else:
            tests = []
            within = self.context & self.message.flexible
            for field in tagged:
                test = differs_from_default(field)
                present = condition(self.tagged(field), within)
                tests.append(test if present is True else f'{present} && {test}')
                body.add(f'const bool has_{field.name} = {tests[-1]};')
            total = ' + '.join(f'uint32_t{{has_{field.name}}}' for field in tagged)
            body.add(f'encoder.WriteUnsignedVarint({total});')
            for field in tagged:
                body.open(f'if (has_{field.name})')
                body.add(f'encoder.WriteUnsignedVarint({field.tag});')
                body.add('const Encoder::TagMark mark = encoder.BeginTag();')
                self.encode_value(body, field, self.tagged(field))
                body.add('encoder.EndTag(mark);')
                body.close()
        if flexible is not True:
            body.close()

    # Decoding.

    def decode_function(self):
        body = Body()
        self.begin(body)
        if self.struct is self.message.root:
            body.open(f'if (version < kLowestVersion || version > kHighestVersion) [[unlikely]]')
            body.add(f'return decoder.Fail("no such version of {self.message.name}");')
            body.close()
        for field in self.struct.fields:
            versions = self.ordinary(field)
            test = condition(versions, self.context)
            if test is False:
                continue
            if test is not True:
                body.open(f'if ({test})')
            self.decode_value(body, field, versions)
            if test is not True:
                body.close()
        self.decode_tags(body)
        return [f'void {self.path}::DecodeFrom([[maybe_unused]] Decoder& decoder, '
                f'[[maybe_unused]] int16_t version) {{', *body.lines, '}']

    def decode_value(self, body, field, versions):
        compact = self.compact(field, versions)
        name = field.name
        if field.is_array:
            self.decode_array(body, field, versions, compact)
            return
        if field.struct:
            body.add(f'{name}.DecodeFrom(decoder, version);')
        elif field.element in ('string', 'bytes') and is_optional(field):
            body.add(f'decoder.ReadNullable{VERBS[field.element]}({name}, {compact});')
        elif field.element in ('string', 'bytes', 'records'):
            body.add(f'decoder.Read{VERBS[field.element]}({name}, {compact});')
        elif is_error_code(field):
            body.add(f'{name} = static_cast<ErrorCode>(decoder.ReadInt16());')
        else:
            body.add(f'{name} = decoder.Read{VERBS[field.element]}();')
        self.refuse_null(body, field, versions,
                         f'{name}.is_null()' if field.element == 'records' else f'!{name}.has_value()')

    def refuse_null(self, body, field, versions, is_null):
        nullable = self.may_be_null(field, versions)
        if not field.null or nullable is True:
            return
        test = is_null if nullable is False else f'!({nullable}) && {is_null}'
        body.open(f'if ({test}) [[unlikely]]')
        body.add(f'return decoder.Fail("{self.path}::{field.name} is null");')
        body.close()

    def decode_array(self, body, field, versions, compact):
        name = field.name
        smallest = self.smallest_element(field, versions)
        call = f'(sizeof({element_type(field)}), {smallest}, {compact})'
        if is_optional(field):
            body.open(f'if (const int64_t count = decoder.ReadNullableArrayLength{call}; count < 0)')
            body.add(f'{name}.reset();')
            self.refuse_null(body, field, versions, 'true')
            body.otherwise('} else')
            self.decode_items(body, field, f'{name}.emplace()', compact)
            body.close()
        else:
            body.open(f'if (const int64_t count = decoder.ReadArrayLength{call}; count > 0)')
            self.decode_items(body, field, name, compact)
            body.close()

    def decode_items(self, body, field, target, compact):
        body.add(f'auto& items = {target};')
        body.add('items.reserve(static_cast<size_t>(count));')
        if field.struct:
            body.open('for (int64_t i = 0; i < count; ++i)')
            body.add('items.emplace_back().DecodeFrom(decoder, version);')
            body.add('if (!decoder.ok()) [[unlikely]] return;')
            body.close()
        elif field.element == 'string':
            body.add(f'for (int64_t i = 0; i < count; ++i) decoder.ReadString(items.emplace_back(), {compact});')
        else:
            body.add(f'for (int64_t i = 0; i < count; ++i) '
                     f'items.push_back(decoder.Read{VERBS[field.element]}());')

    def decode_tags(self, body):
        flexible = condition(self.message.flexible, self.context)
        if flexible is False:
            return
        tagged = sorted((f for f in self.struct.fields if self.tagged(f)), key=lambda f: f.tag)
        if not tagged:
            body.add('decoder.SkipTags();' if flexible is True else 'if (flexible) decoder.SkipTags();')
            return
        if flexible is not True:
            body.open('if (flexible)')
        body.add('Decoder::Tags tags(decoder);')
        body.open('while (tags.Next())')
        body.open('switch (tags.tag())')
        within = self.context & self.message.flexible
        for field in tagged:
            body.add(f'case {field.tag}:')
            body.depth += 1
            present = condition(self.tagged(field), within)
            if present is not True:
                body.open(f'if (!({present}))')
                body.add('tags.Skip();')
                body.add('break;')
                body.close()
            self.decode_value(body, field, self.tagged(field))
            body.add('break;')
            body.depth -= 1
        body.add('default:')
        body.add('  tags.Skip();')
        body.close()
        body.close()
        if flexible is not True:
            body.close()

    # The smallest wire size of an array's element: what a count is checked against before memory is reserved.

    def smallest_element(self, field, versions):
        sizes = [smallest_element(self.message, field, v) for v in sorted(versions)]
        return min(sizes)


def smallest_value(message, field, version):
    compact = version in message.flexible and not field.never_compact
    if field.is_array:
        return 1 if compact else 4
    return smallest_element(message, field, version)


def smallest_element(message, field, version):
    compact = version in message.flexible and not field.never_compact
    if field.struct:
        members = [f for f in field.struct.fields if version in f.versions - f.tagged]
        return sum(smallest_value(message, f, version) for f in members) + (version in message.flexible)
    if PRIMITIVES[field.element]:
        return PRIMITIVES[field.element]
    if field.element == 'string':
        return 1 if compact else 2
    return 1 if compact else 4


# Declarations.

def struct_members(struct: Struct, indent):
    lines = []
    for field in struct.fields:
        default = default_value(field)
        lines.append(f'{indent}{field_type(field)} {field.name}{" = " + default if default else ""};')
    return lines


def message_constants(message, names):
    first = min(message.flexible) if message.flexible else NEVER
    lines = [f'  static constexpr std::string_view kName = "{message.name}";']
    if message.kind in ('request', 'response'):
        api = names[message.key]
        lines.append(f'  static constexpr ApiKey kApiKey = ApiKey::k{api};')
        if message.kind == 'request':
            lines.append(f'  using Response = {api}Response;')
    lines.append(f'  static constexpr int16_t kLowestVersion = {message.low};')
    lines.append(f'  static constexpr int16_t kHighestVersion = {message.high};')
    lines.append(f'  static constexpr int16_t kFirstFlexibleVersion = {"kNeverFlexible" if first == NEVER else first};')
    return lines


def message_declaration(message, names):
    lines = [f'struct {message.name} {{', *message_constants(message, names), '']
    for struct in message.structs[:-1]:
        lines.append(f'  struct {struct.name} {{')
        lines += struct_members(struct, '    ')
        lines += ['', '    void Encode(Encoder& encoder, int16_t version) const;',
                  '    void DecodeFrom(Decoder& decoder, int16_t version);',
                  f'    bool operator==(const {struct.name}&) const = default;', '  };', '']
    lines += struct_members(message.root, '  ')
    lines += ['',
              '  // Writes the body. A value that `version` cannot carry makes the encoder fail.',
              '  void Encode(Encoder& encoder, int16_t version) const;',
              '  // Reads a body into this default object. See decoder.ok().',
              '  void DecodeFrom(Decoder& decoder, int16_t version);',
              f'  [[nodiscard]] static {message.name} Decode(Decoder& decoder, int16_t version) {{',
              f'    {message.name} message;',
              '    message.DecodeFrom(decoder, version);',
              '    return message;',
              '  }',
              f'  bool operator==(const {message.name}&) const = default;', '};']
    return lines


def header_file(stem, messages, names):
    lines = [f'// Generated from schemas/{stem}.txt by generate.py: change those.', '#pragma once', '',
             '#include <cstdint>', '#include <limits>', '#include <optional>', '#include <string>',
             '#include <string_view>', '#include <vector>', '',
             '#include "broker/protocol/message_types.h"', '',
             'namespace highwater::broker::protocol {', '']
    for message in messages:
        if message.kind == 'request':
            lines += [f'struct {names[message.key]}Response;', '']
    for message in messages:
        lines += [*message_declaration(message, names), '']
    lines.append('}  // namespace highwater::broker::protocol')
    return '\n'.join(lines) + '\n'


def source_file(group):
    """`group`: (stem, messages) pairs."""
    lines = ['// Generated by generate.py from the schemas named below.']
    lines += [f'#include "broker/protocol/{snake(stem)}.h"' for stem, _ in group]
    lines += ['#include "broker/protocol/decoder.h"', '#include "broker/protocol/encoder.h"', '',
              'namespace highwater::broker::protocol {', '']
    for _, messages in group:
        for message in messages:
            for struct in message.structs:
                emitter = StructEmitter(message, struct)
                lines += [*emitter.encode_function(), '', *emitter.decode_function(), '']
    lines.append('}  // namespace highwater::broker::protocol')
    return '\n'.join(lines) + '\n'
