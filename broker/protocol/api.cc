#include "broker/protocol/api.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/check.h"

namespace highwater::broker::protocol {
namespace {

constexpr size_t kKeys = static_cast<size_t>(kApis[std::size(kApis) - 1].key) + 1;

// kApis has gaps: the place of each key in it, or -1.
constexpr std::array<int8_t, kKeys> kPlaces = [] {
  std::array<int8_t, kKeys> places{};
  places.fill(-1);
  for (size_t i = 0; i < std::size(kApis); ++i) {
    places[static_cast<size_t>(kApis[i].key)] = static_cast<int8_t>(i);
  }
  return places;
}();

}  // namespace

const ApiInfo* FindApi(int16_t key) {
  if (key < 0 || static_cast<size_t>(key) >= kKeys) return nullptr;
  const int8_t place = kPlaces[static_cast<size_t>(key)];
  return place < 0 ? nullptr : &kApis[place];
}

const ApiInfo& InfoOf(ApiKey key) {
  const ApiInfo* info = FindApi(static_cast<int16_t>(key));
  HW_CHECK(info != nullptr, "no API has the key {}", static_cast<int16_t>(key));
  return *info;
}

bool IsSupported(int16_t key, int16_t version) {
  const ApiInfo* info = FindApi(key);
  return info != nullptr && version >= info->lowest_version && version <= info->highest_version;
}

int16_t RequestHeaderVersion(ApiKey key, int16_t version) {
  if (key == ApiKey::kControlledShutdown && version == 0) return 0;
  return version >= InfoOf(key).first_flexible_version ? 2 : 1;
}

int16_t ResponseHeaderVersion(ApiKey key, int16_t version) {
  // The client cannot know yet which form the broker speaks.
  if (key == ApiKey::kApiVersions) return 0;
  return version >= InfoOf(key).first_flexible_version ? 1 : 0;
}

bool IsClusterInternal(ApiKey key) {
  switch (key) {
    case ApiKey::kLeaderAndIsr:
    case ApiKey::kStopReplica:
    case ApiKey::kUpdateMetadata:
    case ApiKey::kControlledShutdown:
    case ApiKey::kWriteTxnMarkers:
    case ApiKey::kAlterPartition:
    case ApiKey::kAllocateProducerIds:
      return true;
    default:
      return false;
  }
}

bool IsForController(ApiKey key) {
  switch (key) {
    case ApiKey::kControlledShutdown:
    case ApiKey::kCreateTopics:
    case ApiKey::kDeleteTopics:
    case ApiKey::kCreatePartitions:
    case ApiKey::kElectLeaders:
    case ApiKey::kAlterPartitionReassignments:
    case ApiKey::kListPartitionReassignments:
    case ApiKey::kAlterUserScramCredentials:
    case ApiKey::kAlterPartition:
    case ApiKey::kUpdateFeatures:
    case ApiKey::kAllocateProducerIds:
      return true;
    default:
      return false;
  }
}

int16_t FirstClientThrottledVersion(ApiKey key) {
  switch (key) {
    case ApiKey::kElectLeaders:
    case ApiKey::kIncrementalAlterConfigs:
    case ApiKey::kAlterPartitionReassignments:
    case ApiKey::kListPartitionReassignments:
    case ApiKey::kOffsetDelete:
    case ApiKey::kDescribeUserScramCredentials:
    case ApiKey::kAlterUserScramCredentials:
      return 0;
    case ApiKey::kDeleteRecords:
    case ApiKey::kInitProducerId:
    case ApiKey::kAddPartitionsToTxn:
    case ApiKey::kAddOffsetsToTxn:
    case ApiKey::kEndTxn:
    case ApiKey::kTxnOffsetCommit:
    case ApiKey::kDescribeAcls:
    case ApiKey::kCreateAcls:
    case ApiKey::kDeleteAcls:
    case ApiKey::kAlterConfigs:
    case ApiKey::kAlterReplicaLogDirs:
    case ApiKey::kDescribeLogDirs:
    case ApiKey::kCreatePartitions:
    case ApiKey::kCreateDelegationToken:
    case ApiKey::kRenewDelegationToken:
    case ApiKey::kExpireDelegationToken:
    case ApiKey::kDescribeDelegationToken:
    case ApiKey::kDeleteGroups:
      return 1;
    case ApiKey::kFindCoordinator:
    case ApiKey::kHeartbeat:
    case ApiKey::kLeaveGroup:
    case ApiKey::kSyncGroup:
    case ApiKey::kDescribeGroups:
    case ApiKey::kListGroups:
    case ApiKey::kApiVersions:
    case ApiKey::kDeleteTopics:
    case ApiKey::kDescribeConfigs:
      return 2;
    case ApiKey::kListOffsets:
    case ApiKey::kJoinGroup:
    case ApiKey::kCreateTopics:
      return 3;
    case ApiKey::kOffsetCommit:
    case ApiKey::kOffsetFetch:
      return 4;
    case ApiKey::kProduce:
    case ApiKey::kMetadata:
      return 6;
    case ApiKey::kFetch:
      return 8;
    default:
      return kNeverThrottles;
  }
}

}  // namespace highwater::broker::protocol
