// A batch that fails on one rank: all ranks throw its error, at the end of the step, and nothing has changed.
//
// The sums of the failed shard carry it: a loss that is not a number, for which no rank updates anything, and a weight
// that no samples have, by which it is known from a loss that is not finite for another reason.
#include <fmt/format.h>

#include <exception>
#include <limits>
#include <new>
#include <utility>

#include "step/engine.hpp"

namespace lockstep {
namespace {

// The exception under way. Where it came from is said, what it is about is the batch's to say.
Error failure_of_batch(const std::string& where) {
  const auto told = [&](const char* what) { return fmt::format("{}: {}", where, what); };
  try {
    throw;
  } catch (const Error& error) {
    return {error.kind(), told(error.what()), error.where()};
  } catch (const std::bad_alloc&) {
    return {ErrorKind::io, told("out of memory")};
  } catch (const std::exception& error) {
    return {ErrorKind::usage, told(error.what())};
  } catch (...) {
    return {ErrorKind::usage, told("something was thrown that is no std::exception")};
  }
}

}  // namespace

void Engine::ask_batch(std::optional<std::size_t> shard, FunctionRef<void()> question) {
  if (batch_failure_) return;
  try {
    question();
  } catch (...) {
    batch_failure_ = failure_of_batch(
        shard ? fmt::format("the batch could not give the samples of shard {} of {}", *shard, plan_.shards)
              : "the batch could not tell its number of samples");
  }
}

std::size_t Engine::gather(Batch& batch, std::size_t shard, Room& room) {
  std::size_t rows = 0;
  ask_batch(shard, [&] {
    const std::size_t wanted = batch.rows(shard);
    reserve_rows(room, wanted);
    batch.gather(shard, room.buffer.rows(wanted, room.workspace.input(wanted)));
    rows = wanted;
  });
  return rows;
}

void Engine::mark_failed(std::size_t shard) noexcept {
  shard_sums_[kShardSums * shard] = std::numeric_limits<double>::quiet_NaN();
  shard_sums_[kShardSums * shard + 1] = -std::numeric_limits<double>::infinity();
}

void Engine::tell_batch_failure() {
  comm_.together([&] {
    if (const std::optional<Error> failure = std::exchange(batch_failure_, {})) throw *failure;
  });
}

}  // namespace lockstep
