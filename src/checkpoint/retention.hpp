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

/// The file that `name` means: itself, or the newest checkpoint of a folder or run folder.
/// Errors: data (nothing there), naming the folder; io.
[[nodiscard]] std::string checkpoint_file(const std::string& name);

/// Of the checkpoints up to `last_step`, the one just written, removes all but the `keep` newest and the one of
/// `best_step`; the newest always stays. Later ones are what a resumed run could not read: they neither count nor go.
/// Errors: io.
void prune_checkpoints(const std::string& folder, std::int64_t keep, std::uint64_t last_step,
                       std::optional<std::uint64_t> best_step);

/// Removes what writers that were killed have left: temporary files of checkpoints. Errors: io.
void remove_unfinished_checkpoints(const std::string& folder);

/// Removes every checkpoint of the folder. Errors: io.
void remove_checkpoints(const std::string& folder);

}  // namespace lockstep
