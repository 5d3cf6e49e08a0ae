#!/usr/bin/env python3
"""Turns schemas/*.txt into C++: one header a schema, a few sources, and what tests need.

  generate.py --schemas DIR --out DIR [--list library|testing]

With --list it writes nothing and prints the files that it would write, for the build.
"""

import argparse
import os
import sys

import emit
import emit_api
import emit_testing
import schema

FILES_PER_SOURCE = 6


def load(directory):
    """[(stem, messages)] in the order of names."""
    files = sorted(name for name in os.listdir(directory) if name.endswith('.txt'))
    if not files:
        raise schema.SchemaError(directory, 'no schema files')
    return [(name[:-4], schema.parse_file(os.path.join(directory, name), name)) for name in files]


def check(loaded):
    """API names by key; messages and keys are unique and each request has its response."""
    names, requests, responses = {}, {}, {}
    seen = set()
    for _, messages in loaded:
        for message in messages:
            if message.name in seen:
                raise schema.SchemaError(message.root.place, f'{message.name} is defined twice')
            seen.add(message.name)
            if message.key is None:
                continue
            suffix = message.kind.capitalize()
            if not message.name.endswith(suffix):
                raise schema.SchemaError(message.root.place, f'the name of a {message.kind} ends with {suffix}')
            table = requests if message.kind == 'request' else responses
            if message.key in table:
                raise schema.SchemaError(message.root.place, f'key {message.key} is used twice')
            table[message.key] = message
            api = message.name[:-len(suffix)]
            if names.setdefault(message.key, api) != api:
                raise schema.SchemaError(message.root.place, f'key {message.key} belongs to {names[message.key]}')
    for key, name in names.items():
        if key not in requests or key not in responses:
            raise schema.SchemaError(name, 'an API needs a request and a response')
        a, b = requests[key], responses[key]
        if (a.versions, a.flexible) != (b.versions, b.flexible):
            raise schema.SchemaError(b.root.place, 'request and response have different versions')
    return names, requests


def outputs(loaded):
    """(library files, testing files): name → content, by functions so that --list is cheap."""
    names, requests = check(loaded)
    groups = [loaded[i:i + FILES_PER_SOURCE] for i in range(0, len(loaded), FILES_PER_SOURCE)]
    apis = [(key, names[key], m.low, m.high, min(m.flexible) if m.flexible else emit.NEVER)
            for key, m in sorted(requests.items())]
    library = {'api_key.h': lambda: emit_api.api_keys_file(apis)}
    for stem, messages in loaded:
        library[f'{emit.snake(stem)}.h'] = lambda s=stem, m=messages: emit.header_file(s, m, names)
    for number, group in enumerate(groups):
        library[f'messages_{number}.cc'] = lambda g=group: emit.source_file(g)
    testing = {'testing/arbitrary_messages.h': lambda: emit_testing.header_file(loaded),
               'testing/all_messages.cc': lambda: emit_testing.table_file(len(groups))}
    for number, group in enumerate(groups):
        testing[f'testing/arbitrary_{number}.cc'] = lambda n=number, g=group: emit_testing.source_file(n, g)
    return library, testing


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(content)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--schemas', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--list', choices=['library', 'testing'])
    arguments = parser.parse_args()
    try:
        library, testing = outputs(load(arguments.schemas))
    except schema.SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.list:
        print(';'.join(library if arguments.list == 'library' else testing), end='')
        return 0
    for name, content in {**library, **testing}.items():
        write(os.path.join(arguments.out, name), content())
    return 0


if __name__ == '__main__':
    sys.exit(main())
