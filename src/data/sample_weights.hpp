// Weights of samples, data set w beside x and y: what they sum up to.
//
// Sums are exact (of the weights as training takes them, in float), so they are the same whoever adds which part, in
// any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/range.hpp"
#include "data/dataset.hpp"
#include "data/split.hpp"

namespace lockstep {

/// Adds weights up, in two words each.
class WeightSums {
 public:
  /// Of weights no larger than `largest` in size.
  explicit WeightSums(double largest);
  void add(float weight) { add_at(weight < 0 ? kNegative : kPositive, weight); }
  void add(float weight, std::size_t label);
  /// To the label's sum alone.
  void add_to(std::size_t label, float weight);
  /// Room for labels below `labels`.
  void reserve(std::size_t labels);
  /// Those of several processes are to be added, as many on each.
  [[nodiscard]] std::vector<std::int64_t>& words() noexcept { return words_; }

  [[nodiscard]] double positive() const { return at(kPositive); }
  [[nodiscard]] double negative() const { return at(kNegative); }
  [[nodiscard]] std::vector<double> by_label() const;

 private:
  static constexpr std::size_t kPositive = 0, kNegative = 1, kLabels = 2;
  void add_at(std::size_t place, float weight);
  [[nodiscard]] double at(std::size_t place) const;

  int exponent_;  // weights are below 2^exponent
  std::vector<std::int64_t> words_;
};

/// The weights of rows `rows` of table w, as training takes them. Out: [rows.size()].
void read_weights(const Table& w, Range rows, std::span<float> out);

/// Of `rows` of data that has weights. With `labels`, also by label, each of which is below it. Of a streamed data set
/// what was found when it was passed over, of all rows.
[[nodiscard]] WeightTotals weigh_samples(const Dataset& data, RowList rows = {}, std::size_t labels = 0);

/// How much the samples of each class weigh in `rows` of `data`: [classes]; without weights, how many they are.
[[nodiscard]] std::vector<double> weigh_labels(const Dataset& data, std::size_t classes, RowList rows = {});

/// Adds `weights` [rows.size()] of rows `rows` of y, or of `list`, to `sums` by target, in the place of labels, and
/// counts those that are not 0 in `samples` [columns]; a target that is missing adds nothing.
void add_targets(const Table& y, Range rows, RowList list, std::span<const float> weights, WeightSums& sums,
                 std::span<std::int64_t> samples);

/// What `rows` of `data` weigh by target; without weights, how many have it. Of a streamed data set that of all rows.
[[nodiscard]] TargetWeights weigh_targets(const Dataset& data, RowList rows = {});

/// Of weights and of targets that are missing, for people: sentences; none where there is nothing unusual.
[[nodiscard]] std::vector<std::string> sample_notices(const Dataset& data, RowList rows = {});

/// Counts what is missing in rows `rows` of y: adds to `counts` [columns].
void count_missing(const Table& y, Range rows, std::span<std::int64_t> counts);

/// Keeps such counts in `data`: none where nothing is missing.
void set_missing(Dataset& data, std::vector<std::int64_t> counts);

/// Checks that every target is there in some of `rows` of `data`, training samples, that have weight. Errors: data,
/// naming the target.
void check_some_targets(const Dataset& data, RowList rows);

}  // namespace lockstep
