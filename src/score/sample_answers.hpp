// What a net says to every sample of a data set, brought together on rank 0 for the scores that go by the order of all.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"
#include "model/metrics.hpp"
#include "model/ranking.hpp"

namespace lockstep {

class SampleAnswers {
 public:
  /// The most numbers that rank 0 takes: 4 bytes for each probability and answer, and some 16 a sample to sort them.
  static constexpr std::size_t kMostNumbers = std::size_t{1} << 27U;

  /// Of a net with this loss; `outputs`: classes, or targets. Where the loss gives no probabilities its outputs stand
  /// in their place.
  SampleAnswers(const Loss& loss, std::size_t outputs, TargetUnits units, SampleExtras extras);

  /// Numbers that are kept of a sample.
  [[nodiscard]] std::size_t numbers() const noexcept;
  void reserve(std::size_t samples) { mine_.reserve(samples * numbers()); }

  /// Adds the next samples of this rank. Shapes: outputs [n, outputs].
  void add(std::span<const float> outputs, const Targets& targets);

  /// Brings those of all ranks to rank 0. Collective. Errors, agreed: io (out of memory).
  void gather(const Communicator& comm);

  /// Sets in `scores` on all ranks what goes by the order of all samples, by their weights where `weighted`. After
  /// gather(). Collective.
  void score(const Communicator& comm, bool weighted, Scores& scores) const;

  /// The best threshold of a binary net with one output. After gather(). Collective.
  [[nodiscard]] std::optional<Threshold> threshold(const Communicator& comm, ThresholdRule rule) const;

 private:
  [[nodiscard]] std::size_t samples() const noexcept { return all_.size() / numbers(); }
  [[nodiscard]] std::span<const float> record(std::size_t sample) const {
    return std::span(all_).subspan(sample * numbers(), numbers());
  }
  [[nodiscard]] float weight(std::span<const float> record, bool weighted) const {
    return weighted && extras_.weights ? record.back() : 1.0F;
  }
  // What is said to class or output `column` of all samples.
  void collect(std::size_t column, bool weighted, std::vector<RankedSample>& ranked) const;
  void rank(bool weighted, Scores& scores) const;
  void order_errors(bool weighted, Scores& scores) const;

  Task task_;
  bool probabilities_;
  std::size_t outputs_;
  TargetUnits units_;
  SampleExtras extras_;
  std::vector<float> mine_;
  std::vector<float> all_;  // rank 0: of each sample the probabilities, or answers; labels, or targets; its weight
};

}  // namespace lockstep
