#include "broker/zookeeper/tree/acl.h"

#include <absl/strings/escaping.h>
#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

namespace highwater::broker::zookeeper {

namespace {

// A whole text of decimal digits, at most `most`.
std::optional<uint32_t> ParseNumber(std::string_view text, uint32_t most) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > most) {
    return std::nullopt;
  }
  return number;
}

std::optional<uint32_t> ParseAddress(std::string_view text) {
  uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (part == 3)) return std::nullopt;
    const auto byte = ParseNumber(text.substr(0, dot), 255);
    if (!byte.has_value()) return std::nullopt;
    address = address << 8 | *byte;
    text.remove_prefix(part == 3 ? text.size() : dot + 1);
  }
  return address;
}

struct AddressRange {
  uint32_t address = 0;
  uint32_t bits = 32;
};

// a.b.c.d or a.b.c.d/bits
std::optional<AddressRange> ParseRange(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = ParseAddress(text.substr(0, slash));
  if (!address.has_value()) return std::nullopt;
  if (slash == std::string_view::npos) return AddressRange{.address = *address};
  const auto bits = ParseNumber(text.substr(slash + 1), 32);
  if (!bits.has_value()) return std::nullopt;
  return AddressRange{.address = *address, .bits = *bits};
}

bool MatchesAddress(std::string_view address_text, std::string_view range_text) {
  const auto address = ParseAddress(address_text);
  const auto range = ParseRange(range_text);
  // A simulated host's address is its name.
  if (!address.has_value() || !range.has_value()) return address_text == range_text;
  const uint32_t mask = range->bits == 0 ? 0 : ~uint32_t{0} << (32 - range->bits);
  return (*address & mask) == (range->address & mask);
}

bool Matches(const Id& caller, const Id& entry) {
  if (caller.scheme != entry.scheme) return false;
  return caller.scheme == "ip" ? MatchesAddress(caller.id, entry.id) : caller.id == entry.id;
}

// Whether an id that a client sets makes sense.
bool IsWellFormed(const Id& id) {
  if (id.scheme == "world") return id.id == "anyone";
  if (id.scheme == "ip") return ParseRange(id.id).has_value();
  if (id.scheme == "digest") {
    return std::ranges::count(id.id, ':') == 1 && !id.id.ends_with(':');
  }
  return false;
}

// Ids that prove who somebody is: an address does not.
bool IsAuthenticated(const Id& id) { return id.scheme == "digest"; }

void AddOnce(std::vector<Acl>& acl, Acl entry) {
  if (std::ranges::find(acl, entry) == acl.end()) acl.push_back(std::move(entry));
}

// False: the caller has nothing to expand it to.
bool ExpandAuth(int32_t perms, const std::vector<Id>& ids, std::vector<Acl>& fixed) {
  bool any = false;
  for (const Id& id : ids) {
    if (!IsAuthenticated(id)) continue;
    AddOnce(fixed, {.perms = perms, .id = id});
    any = true;
  }
  return any;
}

}  // namespace

bool IsAllowed(const std::vector<Acl>& acl, int32_t perms, const std::vector<Id>& ids) {
  if (acl.empty()) return true;
  if (std::ranges::any_of(ids, [](const Id& id) { return id.scheme == "super"; })) return true;
  return std::ranges::any_of(acl, [&](const Acl& entry) {
    if ((entry.perms & perms) == 0) return false;
    if (entry.id.scheme == "world" && entry.id.id == "anyone") return true;
    return std::ranges::any_of(ids, [&](const Id& caller) { return Matches(caller, entry.id); });
  });
}

std::optional<std::vector<Acl>> FixUpAcl(const std::vector<Acl>& acl, const std::vector<Id>& ids) {
  std::vector<Acl> fixed;
  for (const Acl& entry : acl) {
    if (entry.id.scheme == "auth") {
      if (!ExpandAuth(entry.perms, ids, fixed)) return std::nullopt;
    } else if (IsWellFormed(entry.id)) {
      AddOnce(fixed, entry);
    } else {
      return std::nullopt;
    }
  }
  if (fixed.empty()) return std::nullopt;
  return fixed;
}

std::vector<Acl> MaskDigests(std::vector<Acl> acl) {
  for (Acl& entry : acl) {
    if (entry.id.scheme == "digest") entry.id.id = UserNameOf(entry.id) + ":x";
  }
  return acl;
}

std::string DigestId(std::string_view user_and_password) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(user_and_password.data()), user_and_password.size(),
       digest);
  const std::string_view user = user_and_password.substr(0, user_and_password.find(':'));
  const absl::string_view bytes(reinterpret_cast<const char*>(digest), sizeof(digest));
  return fmt::format("{}:{}", user, absl::Base64Escape(bytes));
}

std::string UserNameOf(const Id& id) {
  return id.scheme == "digest" ? id.id.substr(0, id.id.find(':')) : id.id;
}

}  // namespace highwater::broker::zookeeper
