// What explain and landscape look at: the net of a run file as it begins, or that of a checkpoint, with its data.
#pragma once

#include <string>

#include "cli/command.hpp"
#include "run/prepare.hpp"

namespace lockstep::cli {

struct Subject {
  std::string name;      ///< "launch/runs/two-weights.toml", "runs/digits/checkpoints/step-00000480.h5"
  PreparedRun prepared;  ///< its engine is ready for the step that follows the state looked at; its data go on all
                         ///< ranks at once
};

/// Opens what the command's argument names: a run file (with --set), or a checkpoint or run folder, whose run is taken
/// (with --set, for data that have moved). Nothing is written. Warnings go to stderr. Where it does not matter how
/// batches are cut into shards, `more_shards` lets them be as many as there are ranks. Collective. Errors, agreed:
/// usage, config, data, io.
[[nodiscard]] Subject open_subject(const CommandInput& input, bool more_shards);

}  // namespace lockstep::cli
