// What a run came to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "score/monitor.hpp"

namespace lockstep {

/// The content of summary.json.
struct FitSummary {
  std::uint64_t steps = 0;
  std::uint64_t epochs = 0;
  double seconds = 0;                ///< of steps, over all starts of the run
  double samples_per_second = 0;     ///< of this start, over steps with their input
  double step_seconds = 0;           ///< of this start
  double communication_seconds = 0;  ///< of them, on rank 0: for which steps waited for data of other hosts
  int ranks = 0;
  int nodes = 0;
  std::int64_t shards = 0;
  std::size_t parameters = 0;
  std::string exchange;
  std::string wire;
  bool same_bits_at_any_rank_count = true;
  std::string digest;
  EpochScores scores;  ///< of the last epoch, or of the best where the run ends with its state
  std::optional<Best> best;
  bool stopped_early = false;             ///< by train.early_stop
  std::optional<Restored> restored;       ///< the best checkpoint, where the run ends with its state
  std::optional<Decision> decision = {};  ///< the threshold that the run has chosen
  std::string checkpoint;                 ///< the last one written; rank 0
  double checkpoint_seconds = 0;          ///< of this start: all saves, from the first byte copied to the file in place
  double checkpoint_stall_seconds = 0;    ///< of this start: for which training stood still for them
  bool trained = false;                   ///< false: a dry run, there was nothing left to do, or the run stopped early
  bool stopped = false;                   ///< early, and saved: by stop_wanted or the time limit
  std::string failure;  ///< the run did what it should, but this was lost: the last state, or the summary
};

}  // namespace lockstep
