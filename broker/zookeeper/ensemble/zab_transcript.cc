#include "broker/zookeeper/ensemble/zab_transcript.h"

#include <fmt/format.h>

namespace highwater::broker::zookeeper {

namespace {

struct Words {
  std::string operator()(const zab::Send& e) const {
    return fmt::format("send {} {} {}", e.to, PacketTypeName(e.packet.type),
                       ZxidWord(e.packet.zxid));
  }
  std::string operator()(const zab::SendSnapshot& e) const {
    return fmt::format("send {} SNAP {}", e.to, ZxidWord(e.zxid));
  }
  std::string operator()(const zab::Close& e) const {
    return fmt::format("close {}: {}", e.connection, e.why);
  }
  std::string operator()(const zab::StoreAcceptedEpoch& e) const {
    return fmt::format("store accepted epoch {}", e.epoch);
  }
  std::string operator()(const zab::StoreCurrentEpoch& e) const {
    return fmt::format("store current epoch {}", e.epoch);
  }
  std::string operator()(const zab::TruncateLog& e) const { return "truncate " + ZxidWord(e.zxid); }
  std::string operator()(const zab::InstallSnapshot& e) const {
    return "install " + ZxidWord(e.zxid);
  }
  std::string operator()(const zab::Append& e) const { return "append " + ZxidWord(e.txn.zxid); }
  std::string operator()(const zab::SyncLog& e) const { return "sync " + ZxidWord(e.through); }
  std::string operator()(const zab::ReadLog& e) const {
    return fmt::format("read log for {} behind {}", e.learner, ZxidWord(e.from));
  }
  std::string operator()(const zab::Apply& e) const { return "apply " + ZxidWord(e.txn.zxid); }
  std::string operator()(const zab::StartServing& e) const {
    return fmt::format("serve epoch {} at {}", e.epoch, ZxidWord(e.last));
  }
  std::string operator()(const zab::GiveUp& e) const { return "give up: " + e.why; }
  std::string operator()(const zab::HandleRequest& e) const {
    return fmt::format("request of {}: {} by session {}", e.from, OpCodeName(e.request.type),
                       e.request.session);
  }
  std::string operator()(const zab::TouchSession& e) const {
    return fmt::format("touch {} for {}", e.touch.session, e.touch.timeout_ms);
  }
  std::string operator()(const zab::RevalidateSession& e) const {
    return fmt::format("revalidate {} for {}", e.question.session, e.from);
  }
  std::string operator()(const zab::SessionRevalidated& e) const {
    return fmt::format("session {} is {}", e.answer.session, e.answer.valid ? "valid" : "gone");
  }
  std::string operator()(const zab::CompleteSync&) const { return "complete sync"; }
};

}  // namespace

std::string ZxidWord(Zxid zxid) {
  if (zxid == Zxid(-1)) return "-";
  return fmt::format("{}:{}", ZabEpochOf(zxid), CounterOf(zxid));
}

std::string EffectWords(const ZabEffect& effect) { return std::visit(Words{}, effect); }

std::vector<std::string> EffectWords(const ZabEffects& effects) {
  std::vector<std::string> words;
  for (const ZabEffect& effect : effects) words.push_back(EffectWords(effect));
  return words;
}

}  // namespace highwater::broker::zookeeper
