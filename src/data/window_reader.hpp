// Windows of a streamed data set in memory: a thread reads ahead while others are trained from.
//
// A shard has two windows at most: one in use, and one that is being read or waits to be used. The thread reads them in
// the order in which they are needed, over the shards and across epochs. It calls no MPI and tells nobody anything:
// what it meets is told by await().
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/buffer.hpp"
#include "core/range.hpp"
#include "data/dataset.hpp"
#include "data/open_dataset.hpp"
#include "data/stream_plan.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

/// What is streamed, and how.
struct StreamSettings {
  StreamPlan plan;
  Range shards = {};  ///< those of this process
  std::uint64_t seed = 0;
  std::uint64_t epochs = 1;  ///< nothing beyond them is read
  TargetRule rule = {};      ///< y is checked against it again: the file may have changed
};

/// Bytes that the windows of `shards` shards take, for tables of `row_bytes` a row (x, y, w).
[[nodiscard]] std::size_t window_bytes(const StreamPlan& plan, std::size_t shards, std::size_t row_bytes) noexcept;

class WindowReader {
 public:
  /// Allocates the windows; reads nothing yet. Errors: std::bad_alloc.
  WindowReader(OpenDataset file, StreamSettings settings);
  WindowReader(const WindowReader&) = delete;
  WindowReader& operator=(const WindowReader&) = delete;
  /// Waits for the block that is being read.
  ~WindowReader();

  /// Begins with the windows of batch `batch` of an epoch; what was read before is dropped. Errors: internal (no
  /// thread).
  void start(std::uint64_t epoch, std::size_t batch);

  /// Lets go of the windows before that batch and makes it the one that parts_of() is about. Batches come in order.
  void move_to(std::uint64_t epoch, std::size_t batch);
  /// Waits until the windows of this batch are there. Calls `alive` from time to time while the thread gets on.
  /// Errors: those of the thread: data, io.
  void await(const std::function<void()>& alive);

  /// When a window was read.
  struct Read {
    std::chrono::steady_clock::time_point begin, end;
  };
  /// Puts the windows that were read since the last call into `reads`, in place of what it holds.
  void take_reads(std::vector<Read>& reads);

  /// Rows of the batch that lie in one window.
  struct Part {
    Table x, y, w;
    std::span<const std::uint32_t> rows;     ///< of these tables
    std::span<const std::uint32_t> samples;  ///< their numbers in the file
  };
  /// The rows of a shard in the batch, in order: at most two parts. They are valid until the next move_to().
  [[nodiscard]] std::array<Part, 2> parts_of(std::size_t shard) const;

 private:
  struct Window {
    std::uint64_t epoch = 0;
    Range rows = {};  // of the shard's part
    Buffer<std::byte> x, y, w;
    Buffer<std::uint32_t> order, samples;  // [rows]
  };
  // The windows of a shard count on over the epochs: number w lies in windows[w % 2].
  struct Shard {
    std::array<Window, 2> windows;
    std::uint64_t epoch = 0;    // of the next one to be read
    std::size_t next = 0;       // its index in that epoch
    std::uint64_t read = 0;     // windows that are there
    std::uint64_t dropped = 0;  // of them, that are let go of
  };
  struct Next {
    std::size_t shard = 0;  // of this process, from 0
    std::uint64_t epoch = 0;
    std::size_t index = 0;
  };

  void stop();
  void run();
  [[nodiscard]] std::optional<Next> choose();
  void read(const Next& next, Window& window);
  [[nodiscard]] const StreamOrder& order_of(std::uint64_t epoch);
  [[nodiscard]] bool is_there() const;
  [[nodiscard]] Table table(const TableHeader& header, const Buffer<std::byte>& memory, std::size_t rows) const;

  OpenDataset file_;
  StreamSettings settings_;
  std::vector<Shard> shards_;
  std::uint64_t epoch_ = 0;  // of the batch in use
  std::size_t batch_ = 0;
  std::map<std::uint64_t, StreamOrder> orders_;  // the thread's alone while it runs

  std::mutex mutex_;  // of what both threads change
  std::condition_variable changed_;
  bool stop_ = false;
  std::uint64_t pieces_ = 0;  // read so far
  std::vector<Read> reads_;   // since the last take_reads()
  std::optional<Error> failure_;
  std::thread thread_;
};

}  // namespace lockstep
