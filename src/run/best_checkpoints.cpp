#include "run/best_checkpoints.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "checkpoint/retention.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostKept = 64;  // of so many that fail one after the other the run finds a new best

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

BestCheckpoints::BestCheckpoints(const Communicator& comm, std::string folder, const Saver& saver, CheckpointInfo& info)
    : comm_(comm), folder_(std::move(folder)), saver_(saver), info_(info) {
  if (info_.best) all_.push_back(*info_.best);
}

void BestCheckpoints::look(std::optional<std::uint64_t> to_come) {
  if (!comm_.is_root()) return;
  while (!all_.empty()) {
    const std::uint64_t step = all_.back().step;
    if (step == to_come || saver_.is_saving(step) || is_there(checkpoint_path(folder_, step))) return;
    lost_ = all_.back();
    drop_last();
    ++dropped_;
  }
}

void BestCheckpoints::agree() {
  const std::uint32_t dropped = comm_.combine(std::exchange(dropped_, 0));  // of rank 0, the others have none
  for (std::uint32_t i = 0; i < dropped && !comm_.is_root(); ++i) drop_last();
}

void BestCheckpoints::add(Best best) {
  if (all_.size() == kMostKept) all_.erase(all_.begin());
  all_.push_back(std::move(best));
  info_.best = all_.back();
}

void BestCheckpoints::drop_last() {
  all_.pop_back();
  info_.best.reset();
  if (!all_.empty()) info_.best = all_.back();
}

}  // namespace lockstep
