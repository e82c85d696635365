// A run's checkpoints: built between two steps on rank 0, written while training goes on. A failure is told and ends
// nothing: the older checkpoints stay, and the next save tries again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "checkpoint/background_writer.hpp"
#include "lockstep/log.hpp"
#include "lockstep/run_config.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// Every rank has one; that of rank 0 writes. Only save() communicates.
class Saver {
 public:
  Saver(const Communicator& comm, std::string folder, LogSink log);

  /// Begins to save the state of `engine`, unless that was the last thing it did. Waits for an earlier save; `ready` is
  /// called on rank 0 once it is known what came of that, before anything is taken. Collective.
  void save(Engine& engine, const CheckpointConfig& config, const std::function<void()>& ready = {});
  /// Tells what came of a save that has ended by now.
  void poll();
  /// Waits for the save under way and tells of it.
  void finish();

  /// Whether the state after `step` is on the disk, and why not. After finish().
  [[nodiscard]] bool has(std::uint64_t step) const noexcept { return !saved_.empty() && saved_step_ == step; }
  [[nodiscard]] const std::string& last_error() const noexcept { return error_; }
  /// The same in words. `before`: the checkpoint of an earlier start, or empty.
  [[nodiscard]] std::string lost_state(std::uint64_t step, const std::string& before) const;
  [[nodiscard]] std::string last_checkpoint(const std::string& before) const;
  /// Whether the state after `step` is being written.
  [[nodiscard]] bool is_saving(std::uint64_t step) const noexcept { return busy_ && begun_step_ == step; }
  /// The last checkpoint that was written; empty: none since the start.
  [[nodiscard]] const std::string& newest() const noexcept { return saved_; }

  /// Seconds since the last save ended, or since the start; 0 while one is under way.
  [[nodiscard]] double age() const;
  /// What a save takes: the longest seen; before the first, a guess from the size.
  [[nodiscard]] double expected_seconds(const Engine& engine) const;
  /// Of all saves, from the first byte copied to the file in its place [seconds].
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  /// For which training stood still: copies, and waits for an earlier save that was not done [seconds].
  [[nodiscard]] double stall_seconds() const noexcept { return stall_seconds_; }

 private:
  void tell(const CheckpointOutcome& outcome);
  [[nodiscard]] bool is_gone() const;
  [[nodiscard]] std::optional<std::uint64_t> best_to_spare(const CheckpointInfo& info);
  void failed(const std::string& path, const std::string& error);

  const Communicator& comm_;
  std::string folder_;
  LogSink log_;
  std::optional<BackgroundWriter> writer_;
  std::optional<std::uint64_t> begun_step_;  // of the last save that has not failed
  bool busy_ = false;                        // one is under way
  std::uint64_t saved_step_ = 0;
  std::string saved_;
  std::string error_;
  std::optional<std::uint64_t> best_on_disk_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  double build_seconds_ = 0;  // of the last one
  double longest_ = 0;
  double seconds_ = 0;
  double stall_seconds_ = 0;
};

}  // namespace lockstep
