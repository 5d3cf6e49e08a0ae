#include "broker/protocol/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  highwater::broker::protocol::fuzz::FuzzMessage({data, size});
  return 0;
}
