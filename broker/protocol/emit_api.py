"""Emits the keys and the table of APIs."""

from emit import NEVER


def api_keys_file(apis):
    """`apis`: (key, name, low, high, first flexible) in the order of keys."""
    lines = ['// Generated from schemas/ by generate.py.', '#pragma once', '', '#include <cstdint>', '#include <string_view>',
             '', 'namespace highwater::broker::protocol {', '',
             '// An API that has no flexible version.', f'inline constexpr int16_t kNeverFlexible = {NEVER};', '',
             '// The APIs that a 3.2.3 broker in ZooKeeper mode advertises.', 'enum class ApiKey : int16_t {']
    lines += [f'  k{name} = {key},' for key, name, *_ in apis]
    lines += ['};', '', 'struct ApiInfo {', '  ApiKey key;', '  std::string_view name;', '  int16_t lowest_version;',
              '  int16_t highest_version;', '  int16_t first_flexible_version;', '};', '',
              '// In the order of keys.', 'inline constexpr ApiInfo kApis[] = {']
    lines += [f'    {{ApiKey::k{name}, "{name}", {low}, {high}, {flexible if flexible != NEVER else "kNeverFlexible"}}},'
              for key, name, low, high, flexible in apis]
    lines += ['};', '', '}  // namespace highwater::broker::protocol']
    return '\n'.join(lines) + '\n'
