#include "broker/zookeeper/log/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  highwater::broker::zookeeper::fuzz::FuzzLog({data, size});
  return 0;
}
