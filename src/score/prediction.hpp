// Predictions for data that need not fit into memory: read in pieces, computed by all ranks, written by rank 0.
#pragma once

#include <cstddef>
#include <functional>

#include "comm/communicator.hpp"
#include "data/normalization.hpp"
#include "data/open_dataset.hpp"
#include "data/row_notes.hpp"
#include "score/evaluation.hpp"
#include "score/prediction_file.hpp"

namespace lockstep {

struct PredictOptions {
  std::size_t piece_bytes = std::size_t{1} << 24U;  ///< of samples and their predictions in one piece, about
  std::function<void(std::size_t rows)> done = {};  ///< called on rank 0 with the rows written so far
  const RowNotes* notes = nullptr;                  ///< of the reader behind `x`: bad rows, texts before the answers
};

/// Predicts all rows of `x`, which every rank has opened, and writes them to `file`, which appears when all are there.
/// The ranks take pieces in turn, some megabytes each; rank 0 gets them in order, and holds one besides its own. The
/// net sees the same blocks of samples as in an evaluation, so bits do not depend on the rank count. `done`: called on
/// rank 0 with the rows written so far. Collective. Errors, agreed: data (unreadable or not finite, naming the row; an
/// answer that is not finite), io.
void predict_to_file(const Communicator& comm, const Net& net, TableReader& x, const Normalization& normalization,
                     PredictionFile& file, const PredictOptions& options = {});

}  // namespace lockstep
