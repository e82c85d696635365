// Starting from another net (model.initial): parameters of a checkpoint that fit by name and shape become starting
// weights. Nothing else is taken: neither optimizer state, nor position, nor normalisation.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/match_names.hpp"
#include "data/normalization.hpp"
#include "lockstep/log.hpp"
#include "model/model.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// Which parameters of a net another one has.
struct ParameterMatch {
  std::vector<std::pair<std::size_t, std::size_t>> taken;  ///< indices into both tables: of the net, of the other
  std::vector<std::string> left;                           ///< of the net, each with the reason
  std::vector<std::string> unused;                         ///< of the other
};

/// By layer, name and shape.
[[nodiscard]] ParameterMatch match_parameters(const ParameterTable& net, const ParameterTable& other);

/// What someone should know who takes a layer that has learned from columns scaled as `then` to columns scaled as
/// `now`: empty where the two are alike to a tenth. `what`: "inputs" or "targets". Empty scalings leave numbers alone.
[[nodiscard]] std::string scaling_difference(const char* what, const ColumnScaling& then, const ColumnScaling& now);

/// What someone should know who takes a layer that has learned from columns named `then` to columns named `now`: empty
/// where the two are the same, or not both known. `what`: "features" or "classes".
[[nodiscard]] std::string names_difference(const char* what, const std::vector<std::string>& then,
                                           const std::vector<std::string>& now);

class WarmStart {
 public:
  /// Reads and verifies the checkpoint that `name` means: a file, or the newest of a folder or run folder. Rank 0
  /// reads. Collective. Errors, agreed: data, io.
  WarmStart(const Communicator& comm, const std::string& name);

  /// The checkpoint's absolute path.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Finds what `model` can take. Local; rank 0 alone has anything to do.
  /// Errors: config (nothing), listing both sides.
  void match(const Model& model);
  /// Makes it the weights of `engine`, whose net is that of match(). Collective.
  void apply(Engine& engine) const;
  /// What is taken and what not, and what else the user should know. `now`: how the run normalises; null where that is
  /// not known. `names`: of the run's data. Rank 0.
  [[nodiscard]] std::vector<std::pair<LogLevel, std::string>> texts(const Normalization* now,
                                                                    const KnownNames& names = {}) const;
  /// Whether parameter `index` of the net is taken. Rank 0.
  [[nodiscard]] bool takes(std::size_t index) const;

 private:
  std::string path_;
  std::optional<Checkpoint> source_;  // rank 0, without optimizer state
  std::vector<std::string> names_;    // of the net's parameters
  ParameterMatch match_;
};

/// A notice about layers that stay for ever as the seed has made them: frozen, and not taken from `start`, which may be
/// null. Empty where there are none. Rank 0.
[[nodiscard]] std::string frozen_notice(const Model& model, const WarmStart* start);

}  // namespace lockstep
