// Checkpoints on their way to disk while training goes on: one thread, one file at a time, no HDF5.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "io/hdf5.hpp"

namespace lockstep {

/// A built checkpoint and where it goes; how many stay once it is there (see prune_checkpoints).
struct CheckpointJob {
  std::string folder;
  std::uint64_t step = 0;
  std::int64_t keep = 1;
  std::optional<std::uint64_t> best_step = {};
};

/// What came of a job.
struct CheckpointOutcome {
  std::string path;
  std::uint64_t step = 0;
  double seconds = 0;     ///< of writing, syncing and renaming
  std::string error;      ///< why it is not there; empty: it is
  std::string complaint;  ///< it is there, but older ones could not be removed
  std::chrono::steady_clock::time_point begin = {};
};

class BackgroundWriter {
 public:
  /// Starts the thread. Errors: internal (no thread to be had).
  BackgroundWriter();
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;
  /// Waits for the file under way.
  ~BackgroundWriter();

  /// Hands over a checkpoint. No other may be under way: see take_outcome().
  void start(CheckpointJob job, h5::FileImage image);
  /// The outcome of the last job, once: when it is done. Does not wait.
  [[nodiscard]] std::optional<CheckpointOutcome> take_outcome();
  /// The same after waiting for it; unset when no job is under way. Calls `alive` from time to time while the file
  /// grows.
  [[nodiscard]] std::optional<CheckpointOutcome> wait(const std::function<void()>& alive);

 private:
  void run();
  [[nodiscard]] CheckpointOutcome write(const CheckpointJob& job, h5::FileImage image);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<CheckpointJob> job_;  // to be taken up by the thread
  std::optional<h5::FileImage> image_;
  std::optional<CheckpointOutcome> outcome_;
  bool busy_ = false;         // from start() until the outcome is taken
  std::uint64_t pieces_ = 0;  // written so far
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace lockstep
