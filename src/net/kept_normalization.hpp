// Normalisation as a checkpoint keeps it. Knows no MPI.
#pragma once

#include "checkpoint/checkpoint.hpp"
#include "data/normalization.hpp"

namespace lockstep {

void keep_normalization(const Normalization& normalization, CheckpointInfo& info);

/// How the net of a checkpoint sees its numbers. Errors: data (not a number for each of its columns).
[[nodiscard]] Normalization normalization_of(const CheckpointInfo& info);

}  // namespace lockstep
