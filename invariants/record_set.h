#pragma once

// RecordSet: a set of records by a bit each: a history's ids are dense.

#include <vector>

#include "invariants/history.h"

namespace highwater::invariants {

class RecordSet {
 public:
  // False if it was there.
  bool Insert(RecordId id) {
    if (id.client >= clients_.size()) clients_.resize(id.client + 1);
    std::vector<bool>& bits = clients_[id.client];
    if (id.operation >= bits.size()) bits.resize(id.operation + 1);
    if (bits[id.operation]) return false;
    bits[id.operation] = true;
    return true;
  }
  [[nodiscard]] bool Contains(RecordId id) const {
    return id.client < clients_.size() && id.operation < clients_[id.client].size() &&
           clients_[id.client][id.operation];
  }

 private:
  std::vector<std::vector<bool>> clients_;
};

}  // namespace highwater::invariants
