// A whole run: data, epochs, evaluation, checkpoints and the run folder.
#pragma once

#include "comm/communicator.hpp"
#include "journal/run_summary.hpp"
#include "lockstep/run_config.hpp"
#include "run/fit_options.hpp"

namespace lockstep {

/// Trains `run` to its end. Data paths must be resolved.
/// Collective. Errors, thrown on every rank: config, data, io, diverged; comm.
FitSummary fit(const Communicator& comm, const RunConfig& run, const FitOptions& options);

}  // namespace lockstep
