// The best checkpoints of a run, of which one that could not be saved, or is gone, is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "run/saver.hpp"

namespace lockstep {

/// Keeps `info.best` at the best whose checkpoint is on the disk. Rank 0 sees what is there; the others learn of it in
/// agree(), behind which all have the same.
class BestCheckpoints {
 public:
  /// `saver` and `info` must outlive it. `folder` is that of the checkpoints.
  BestCheckpoints(const Communicator& comm, std::string folder, const Saver& saver, CheckpointInfo& info);

  /// Rank 0 looks, and drops those that are not there. `to_come`: the step of one whose save is to begin.
  void look(std::optional<std::uint64_t> to_come = {});
  /// All ranks drop what rank 0 has. Collective.
  void agree();
  /// A new best, right behind agree().
  void add(Best best);

  /// The last one that was dropped; rank 0.
  [[nodiscard]] const std::optional<Best>& lost() const noexcept { return lost_; }

 private:
  void drop_last();

  const Communicator& comm_;
  std::string folder_;
  const Saver& saver_;
  CheckpointInfo& info_;
  std::vector<Best> all_;      // each better than the one before; info_.best is the last
  std::uint32_t dropped_ = 0;  // by rank 0, since all agreed
  std::optional<Best> lost_;
};

}  // namespace lockstep
