#pragma once

// Disk: the kernel's side of a simulated host's files: page cache, write-back, syncs, and the
// devices below. It survives processes.
//
//   HostOptions{.name = "broker-0", .disk = MakeDiskFactory(DiskOptions{})}
//   disk.Begin({.id = id, .kind = DiskFault::Kind::kStallDevice});  ...  disk.End(id);
//
// Writes go to the page cache at once and cost no event, until the dirty limit makes them wait for
// write-back; write-back runs by itself while something is dirty; a sync makes durable what was
// dirty when it was called. Invariants:
//   1. A call that need not wait costs neither a timer nor a fiber switch.
//   2. What has nothing to do schedules nothing.
//   3. Each effect is a crash point of the process and an event of the hash chain.
//   4. A fault is Applied when it has changed the disk, Observed in the call that suffered from it.
//
// The read and write functions below are the system calls of SimulatedFileSystem. Each may wait on
// a fiber of `process`; after a crash each returns Cancelled and does nothing. Not responsible for:
// paths (NameTree), what survives (DiskModel).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/disk/device.h"
#include "sim/disk/disk_model.h"
#include "sim/disk/disk_options.h"
#include "sim/disk_port.h"

namespace highwater::sim {

// Counts since the disk was made. For reports and tests.
struct DiskStatistics {
  uint64_t writes = 0;
  uint64_t reads = 0;
  uint64_t cache_misses = 0;
  uint64_t syncs = 0;
  uint64_t written_back = 0;  // write-backs, without syncs
  uint64_t device_bytes = 0;  // read and written
  uint64_t throttled = 0;     // writes that waited for the dirty limit
  uint64_t power_losses = 0;
};

class Disk final : public DiskPort {
 public:
  Disk(DiskContext& context, DiskOptions options);
  ~Disk() override;

  // DiskPort.
  [[nodiscard]] std::unique_ptr<core::FileSystem> OpenFileSystem(ProcessContext& process) override;
  void ProcessEnded() override;
  void PowerLost() override;

  using ToldOfWrite = std::function<void()>;

  // What is wrong for a while. Ending twice has no effect.
  void Begin(const DiskFault& fault);
  void End(FaultId fault);
  // The next write-back or sync of data of the file at `path` (empty: of any file of the device) is
  // confirmed and not made. `told` hears of it as it happens.
  void LoseNextWrite(size_t device, std::string path, FaultId fault, ToldOfWrite told = nullptr) {
    armed_.push_back({device, std::move(path), fault, ArmedWrite::Way::kLost, std::move(told)});
  }
  // The same, and it lands in another file of the device, or elsewhere in its own.
  void MisdirectNextWrite(size_t device, std::string path, FaultId fault,
                          ToldOfWrite told = nullptr) {
    armed_.push_back(
        {device, std::move(path), fault, ArmedWrite::Way::kMisdirected, std::move(told)});
  }
  // The same, and of its sectors only the first ones land, at least one of them not.
  void TearNextWrite(size_t device, std::string path, FaultId fault, ToldOfWrite told = nullptr) {
    armed_.push_back({device, std::move(path), fault, ArmedWrite::Way::kTorn, std::move(told)});
  }
  // Takes back what of these has not happened yet.
  void Disarm(FaultId fault);
  // Inverts a drawn bit among the durable bytes of the file at `path` and takes its page out of the
  // cache. False if it has none.
  bool FlipBit(std::string_view path, FaultId fault);
  // The same at a place.
  bool FlipBitAt(std::string_view path, uint64_t offset, int bit, FaultId fault);
  // Takes all clean pages of the file at `path` (empty: of all) out of the cache.
  void DropCache(std::string_view path = "");
  // An empty device in the place of one. REQUIRES: no process runs.
  void Replace(size_t device, FaultId fault);

  // For oracles and injectors: without effect.
  struct FileView {
    std::string path;
    uint64_t size = 0;
    size_t device = 0;
  };
  [[nodiscard]] std::vector<FileView> Files() const;
  [[nodiscard]] absl::StatusOr<DiskModel::View> InspectCurrent(std::string_view path) {
    return model_.InspectCurrent(path);
  }
  // What a power loss now would surely keep.
  [[nodiscard]] absl::StatusOr<DiskModel::View> InspectDurable(std::string_view path) {
    return model_.InspectDurable(path);
  }
  [[nodiscard]] const DiskModel::LossSummary& last_loss() const { return last_loss_; }
  [[nodiscard]] const DiskStatistics& statistics() const { return statistics_; }
  [[nodiscard]] DiskModel& model() { return model_; }
  [[nodiscard]] const DiskOptions& options() const { return options_; }

  // System calls.
  [[nodiscard]] absl::StatusOr<core::ByteChain> Read(ProcessContext& process, Inode& inode,
                                                     uint64_t offset, size_t length);
  [[nodiscard]] absl::Status Write(ProcessContext& process, Inode& inode, uint64_t offset,
                                   const core::ByteChain& data);
  [[nodiscard]] absl::Status Truncate(ProcessContext& process, Inode& inode, uint64_t size);
  [[nodiscard]] absl::Status Sync(ProcessContext& process, Inode& inode);
  [[nodiscard]] absl::Status SyncDirectory(ProcessContext& process, Inode& directory);
  // What comes before a change of a name on `device`: waits, errors, the crash point. Then the
  // caller resolves its paths (again: they may have changed meanwhile), changes the name and calls
  // NameChanged.
  [[nodiscard]] absl::Status BeginNameChange(ProcessContext& process, size_t device);
  void NameChanged(size_t device, uint64_t digest);
  // Nothing was found where something may have been before the device was replaced.
  void ObserveAbsence(size_t device);
  void ObserveFull(size_t device);
  [[nodiscard]] absl::Time WallNow() const { return context_.WallNow(); }

  // An open handle or a lock keeps its inode. From a dead process it is kept until ProcessEnded.
  void AddHandle(Inode& inode) { model_.names().AddReference(inode); }
  void CloseHandle(Inode& inode) { model_.names().Release(inode); }
  void Orphan(Inode& inode, bool locked);
  void CountFileSystems(int change) { file_systems_ += change; }

 private:
  struct ArmedWrite {
    size_t device;
    std::string path;
    FaultId fault;
    enum class Way : uint8_t { kLost, kMisdirected, kTorn } way;
    ToldOfWrite told;
  };
  struct WriteBack;

  // A draw of the `inode`'s own sequence.
  uint64_t Draw(Inode& inode, std::string_view what);
  int64_t DrawIn(Inode& inode, std::string_view what, const NanosRange& range);
  absl::Status Await(ProcessContext& process, DeviceOperation& operation, const char* waiting_for);
  absl::Status WaitToWrite(ProcessContext& process, Device& device, uint64_t bytes);
  absl::Status Fetch(ProcessContext& process, Inode& inode, uint64_t offset, uint64_t length);
  absl::Status CompleteSync(uint64_t inode_id, uint64_t upto, DeviceOperation& operation);
  // The device takes the writes below `upto`, as well as it can: kNoFault and OK, or why not.
  absl::Status TakeWrites(Inode& inode, uint64_t upto, FaultId& failed_by);
  bool TakeArmed(Inode& inode, uint64_t upto);
  // Whether a sync of it is confirmed and not made.
  bool Lies(const Inode& inode);

  void ScheduleWriteBack(WriteBack& state);
  void StartWriteBack(WriteBack& state);
  void FinishWriteBack(WriteBack& state);
  [[nodiscard]] bool AboveLimit(size_t device, uint64_t bytes) const {
    const uint64_t dirty = model_.dirty_bytes(device);
    return dirty > 0 && dirty + bytes > options_.dirty_limit;
  }
  void BecameDirty(size_t device);

  DiskContext& context_;
  const DiskOptions options_;
  DiskModel model_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::unique_ptr<WriteBack>> write_backs_;
  std::vector<ArmedWrite> armed_;
  struct Orphaned {
    Inode* inode;
    bool locked;
  };
  std::vector<Orphaned> orphans_;
  int file_systems_ = 0;
  DiskStatistics statistics_;
  DiskModel::LossSummary last_loss_;
};

// The factory for Host.
[[nodiscard]] DiskFactory MakeDiskFactory(DiskOptions options);

}  // namespace highwater::sim
