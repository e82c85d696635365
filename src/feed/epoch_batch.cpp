#include "feed/epoch_batch.hpp"

namespace lockstep {

void gather_samples(const Table& x, const Table& y, const Table& w, const Normalization& normalization,
                    std::span<const std::uint32_t> samples, const BatchRows& rows) {
  gather_rows(x, normalization.x, samples, rows.x);
  if (rows.labels.empty()) {
    gather_rows(y, normalization.y, samples, rows.values);
  } else {
    gather_labels(y, samples, rows.labels);
  }
  if (!rows.weights.empty()) gather_rows(w, {}, samples, rows.weights);
}

}  // namespace lockstep
