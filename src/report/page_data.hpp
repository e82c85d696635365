// The numbers that a page shows, of files of any length.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "report/run_files.hpp"

namespace lockstep {

/// How much of a run a page takes at most.
struct PageLimits {
  std::size_t points = 2000;    ///< of a curve
  std::size_t stretches = 240;  ///< of the run, for the times of steps
  std::size_t ranks = 128;      ///< of which times are shown
  std::size_t classes = 100;    ///< of a confusion matrix that is shown whole
  std::size_t mistakes = 20;    ///< the most frequent ones of a confusion matrix
  std::size_t inputs = 40;      ///< of which is told how much they matter
};

/// What the page's script draws of a run (src/report/page/): the same for the same files. Entries whose file is not
/// there, or not as it should be, are left out.
///
/// curves     "steps" and "epochs": column -> {x, y, rows}; x is the step, rows how many the file has. See thin().
/// times      step, and phase -> {min, median, max} over the ranks [s a step]. Of more rows than stretches: means of
/// the
///            medians over stretches of rows, with the extremes of min and max.
/// slow_hosts host -> {rows, behind, first, last}: how often it was named, the worst, the steps
/// ranks      a row a rank. Of more than can be shown: of each of so many groups the one that computes longest.
/// scores     confusion (up to so many classes), mistakes [[label, answer, count], ...]; or pairs
/// importance of the inputs that matter most; how many there are
[[nodiscard]] nlohmann::ordered_json page_data(const RunFiles& files, const PageLimits& limits = {});

}  // namespace lockstep
