// What landscape writes and prints.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "score/landscape.hpp"

namespace lockstep::cli {

/// A weight as the number that its shortest text is: 0.8 for the float nearest to it.
[[nodiscard]] double written(float weight);

struct LandscapeReport {
  std::string subject, run, loss;
  std::uint64_t step = 0;  ///< of the run
  std::size_t samples = 0;
  bool normalised = false;           ///< the targets of a regression
  std::vector<std::string> weights;  ///< names
  std::vector<bool> frozen;          ///< [weights]
  std::vector<float> x, y;           ///< places on the grid; y is empty where there is one weight
  std::vector<CostPoint> grid;       ///< [y, x]
  CostPoint here;                    ///< where the net is
  Minimum minimum;
  double lr = 0;
  std::size_t steps = 0;        ///< asked for
  std::vector<CostPoint> ball;  ///< the start and each step
};

/// The names of the files.
struct OutputFiles {
  OutputFiles() = default;
  explicit OutputFiles(const std::string& prefix);
  std::string grid, steps, picture;
  /// Errors: usage (no folder; one of them is there and may not be replaced).
  void check(bool overwrite) const;
};

/// Writes all three. Errors: io.
void write_landscape(const LandscapeReport& report, const OutputFiles& files, const std::function<void()>& alive);

[[nodiscard]] std::string landscape_text(const LandscapeReport& report, const OutputFiles& files);
[[nodiscard]] std::string landscape_json(const LandscapeReport& report, const OutputFiles& files);

}  // namespace lockstep::cli
