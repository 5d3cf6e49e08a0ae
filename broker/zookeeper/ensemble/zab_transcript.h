#pragma once

// Effects as words, for tests that read like a conversation: "send 1 PROPOSAL 5:2", "append 5:2".

#include <string>
#include <vector>

#include "broker/zookeeper/ensemble/zab_effects.h"

namespace highwater::broker::zookeeper {

// "5:2"; a zxid that is none (-1) as "-".
[[nodiscard]] std::string ZxidWord(Zxid zxid);
[[nodiscard]] std::string EffectWords(const ZabEffect& effect);
[[nodiscard]] std::vector<std::string> EffectWords(const ZabEffects& effects);

}  // namespace highwater::broker::zookeeper
