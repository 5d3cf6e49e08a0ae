#include "broker/zookeeper/server/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  highwater::broker::zookeeper::fuzz::FuzzRequests({data, size});
  return 0;
}
