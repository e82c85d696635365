#include "checkpoint/background_writer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/retention.hpp"
#include "core/quiet_thread.hpp"
#include "io/places.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

BackgroundWriter::BackgroundWriter() : thread_(start_quiet_thread("writing checkpoints", [this] { run(); })) {}

BackgroundWriter::~BackgroundWriter() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundWriter::start(CheckpointJob job, h5::FileImage image) {
  {
    const std::scoped_lock lock(mutex_);
    if (busy_) throw Error(ErrorKind::internal, "a checkpoint is handed over while another is being written");
    busy_ = true;
    job_ = std::move(job);
    image_.emplace(std::move(image));
  }
  changed_.notify_all();
}

std::optional<CheckpointOutcome> BackgroundWriter::take_outcome() {
  const std::scoped_lock lock(mutex_);
  if (!outcome_) return {};
  busy_ = false;
  return std::exchange(outcome_, std::nullopt);
}

std::optional<CheckpointOutcome> BackgroundWriter::wait(const std::function<void()>& alive) {
  std::unique_lock lock(mutex_);
  if (!busy_) return {};
  std::uint64_t seen = pieces_;
  while (!changed_.wait_for(lock, std::chrono::milliseconds(200), [this] { return outcome_.has_value(); })) {
    if (std::exchange(seen, pieces_) != pieces_) alive();
  }
  busy_ = false;
  return std::exchange(outcome_, std::nullopt);
}

void BackgroundWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return job_.has_value() || stop_; });
    if (!job_) return;
    const CheckpointJob job = *std::exchange(job_, std::nullopt);
    h5::FileImage image = std::move(*image_);
    image_.reset();
    lock.unlock();
    CheckpointOutcome outcome = write(job, std::move(image));
    lock.lock();
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }
}

// The image's memory is given back here, without the lock.
CheckpointOutcome BackgroundWriter::write(const CheckpointJob& job, h5::FileImage image) {
  CheckpointOutcome outcome{checkpoint_path(job.folder, job.step), job.step, 0, "", "",
                            std::chrono::steady_clock::now()};
  try {
    make_folders(job.folder);  // a folder that is gone may come back
    write_checkpoint(outcome.path, image, [this] {
      const std::scoped_lock lock(mutex_);
      ++pieces_;
    });
  } catch (const std::exception& error) {
    outcome.error = error.what();
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - outcome.begin).count();
  if (!outcome.error.empty()) return outcome;
  try {
    prune_checkpoints(job.folder, job.keep, job.step, job.best_step);
    remove_unfinished_checkpoints(job.folder);  // of a failed write in a folder that was read-only for a while
  } catch (const std::exception& error) {
    outcome.complaint = error.what();
  }
  return outcome;
}

}  // namespace lockstep
