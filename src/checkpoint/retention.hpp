// Which checkpoints of a folder there are and which stay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct CheckpointFile {
  std::uint64_t step = 0;
  std::string path;
};

/// "FOLDER/step-00000042.h5".
[[nodiscard]] std::string checkpoint_path(const std::string& folder, std::uint64_t step);

/// The checkpoints in `folder`, newest first; none when there is no such folder. Errors: io.
[[nodiscard]] std::vector<CheckpointFile> list_checkpoints(const std::string& folder);

/// Removes all but the `keep` newest and the one of `best_step`. The newest always stays. Errors: io.
void prune_checkpoints(const std::string& folder, std::int64_t keep, std::optional<std::uint64_t> best_step);

/// Removes every checkpoint of the folder. Errors: io.
void remove_checkpoints(const std::string& folder);

}  // namespace lockstep
