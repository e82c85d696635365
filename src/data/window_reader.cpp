#include "data/window_reader.hpp"

#include <algorithm>
#include <new>
#include <tuple>
#include <utility>

#include "core/quiet_thread.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kOfOrder = 2 * sizeof(std::uint32_t);  // bytes a row, beside the samples

}  // namespace

std::size_t window_bytes(const StreamPlan& plan, std::size_t shards, std::size_t row_bytes) noexcept {
  return 2 * shards * plan.max_window_rows() * (row_bytes + kOfOrder);
}

WindowReader::WindowReader(OpenDataset file, StreamSettings settings)
    : file_(std::move(file)), settings_(std::move(settings)), shards_(settings_.shards.size()) {
  const std::size_t rows = settings_.plan.max_window_rows();
  for (Shard& shard : shards_) {
    for (Window& window : shard.windows) {
      window.x = Buffer<std::byte>(rows * file_.x->header().row_bytes());
      window.y = Buffer<std::byte>(rows * file_.y->header().row_bytes());
      if (file_.w) window.w = Buffer<std::byte>(rows * file_.w->header().row_bytes());
      window.order = Buffer<std::uint32_t>(rows);
      window.samples = Buffer<std::uint32_t>(rows);
    }
  }
}

WindowReader::~WindowReader() {
  stop();
}

void WindowReader::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WindowReader::start(std::uint64_t epoch, std::size_t batch) {
  stop();
  stop_ = false;
  failure_.reset();
  orders_.clear();
  epoch_ = epoch;
  batch_ = batch;
  const StreamOrder& order = order_of(epoch);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::size_t number = settings_.shards.begin + i;
    Shard& shard = shards_[i];
    shard.epoch = epoch;
    shard.next = 0;
    shard.read = shard.dropped = 0;
    const std::size_t begin = settings_.plan.part(number).begin;
    const Range rows = settings_.plan.rows(batch, number);
    while (shard.next < order.windows(number) && order.window(number, shard.next).end <= begin + rows.begin)
      ++shard.next;
  }
  thread_ = start_quiet_thread("reading data", [this] { run(); });
}

void WindowReader::move_to(std::uint64_t epoch, std::size_t batch) {
  const std::scoped_lock lock(mutex_);
  epoch_ = epoch;
  batch_ = batch;
  bool freed = false;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    const std::size_t begin = settings_.plan.rows(batch, settings_.shards.begin + i).begin;
    while (shard.dropped < shard.read) {
      const Window& window = shard.windows[shard.dropped % 2];
      if (window.epoch > epoch || (window.epoch == epoch && window.rows.end > begin)) break;
      ++shard.dropped;
      freed = true;
    }
  }
  if (freed) changed_.notify_all();
}

// All rows of this batch are in windows that are there.
bool WindowReader::is_there() const {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    const Range rows = settings_.plan.rows(batch_, settings_.shards.begin + i);
    if (rows.empty()) continue;
    if (shard.read == shard.dropped) return false;
    const Window& last = shard.windows[(shard.read - 1) % 2];
    if (last.epoch == epoch_ && last.rows.end < rows.end) return false;
  }
  return true;
}

void WindowReader::await(const std::function<void()>& alive) {
  std::unique_lock lock(mutex_);
  std::uint64_t seen = pieces_;
  const auto done = [this] { return is_there() || failure_.has_value(); };
  while (!changed_.wait_for(lock, std::chrono::milliseconds(200), done)) {
    if (std::exchange(seen, pieces_) != pieces_) alive();
  }
  if (!is_there()) throw Error(*failure_);
}

void WindowReader::take_reads(std::vector<Read>& reads) {
  reads.clear();
  const std::scoped_lock lock(mutex_);
  std::swap(reads, reads_);
}

std::array<WindowReader::Part, 2> WindowReader::parts_of(std::size_t shard_number) const {
  std::array<Part, 2> parts;
  const Shard& shard = shards_[shard_number - settings_.shards.begin];
  Range rows = settings_.plan.rows(batch_, shard_number);
  // What was dropped and what is there does not change before the next move_to() but for windows that are read
  // meanwhile, which lie behind.
  for (std::size_t i = 0; i < parts.size() && !rows.empty(); ++i) {
    const Window& window = shard.windows[(shard.dropped + i) % 2];
    const Range own{rows.begin - window.rows.begin, std::min(rows.end, window.rows.end) - window.rows.begin};
    parts[i] = {.x = table(file_.x->header(), window.x, window.rows.size()),
                .y = table(file_.y->header(), window.y, window.rows.size()),
                .w = file_.w ? table(file_.w->header(), window.w, window.rows.size()) : Table{},
                .rows = window.order.view().subspan(own.begin, own.size()),
                .samples = window.samples.view().subspan(own.begin, own.size())};
    rows.begin += own.size();
  }
  return parts;
}

Table WindowReader::table(const TableHeader& header, const Buffer<std::byte>& memory, std::size_t rows) const {
  return {header.type, rows, header.columns, memory.view().first(rows * header.row_bytes()), {}};
}

void WindowReader::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const std::optional<Next> next = choose();
    if (!next) {
      changed_.wait(lock);
      continue;
    }
    Shard& shard = shards_[next->shard];
    Window& window = shard.windows[shard.read % 2];  // nobody else looks at it now
    lock.unlock();
    std::optional<Error> failure;
    const auto begin = std::chrono::steady_clock::now();
    try {
      read(*next, window);
    } catch (const Error& error) {
      failure = error;
    } catch (const std::bad_alloc&) {
      failure.emplace(ErrorKind::io, "out of memory while reading data");
    } catch (const std::exception& error) {
      failure.emplace(ErrorKind::internal, error.what());
    }
    lock.lock();
    if (failure) {
      failure_ = std::move(failure);
      changed_.notify_all();
      return;
    }
    ++shard.read;
    ++shard.next;
    reads_.push_back({begin, std::chrono::steady_clock::now()});
    changed_.notify_all();
  }
}

// The window that is needed first, of those that there is room for.
std::optional<WindowReader::Next> WindowReader::choose() {
  std::optional<std::tuple<std::uint64_t, std::size_t, std::size_t>> first;  // epoch, batch, shard
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    const std::size_t number = settings_.shards.begin + i;
    if (settings_.plan.part(number).empty() || shard.read - shard.dropped >= 2) continue;
    if (shard.epoch < settings_.epochs && shard.next == order_of(shard.epoch).windows(number)) {
      ++shard.epoch;
      shard.next = 0;
    }
    if (shard.epoch >= settings_.epochs) continue;
    const std::size_t row = order_of(shard.epoch).window(number, shard.next).begin - settings_.plan.part(number).begin;
    const std::tuple candidate{shard.epoch, settings_.plan.batch_of(row, number), i};
    if (!first || candidate < *first) first = candidate;
  }
  if (!first) return {};
  const std::size_t chosen = std::get<2>(*first);
  return Next{.shard = chosen, .epoch = shards_[chosen].epoch, .index = shards_[chosen].next};
}

// Shards may be in two epochs at a time, no more.
const StreamOrder& WindowReader::order_of(std::uint64_t epoch) {
  const auto found = orders_.find(epoch);
  if (found != orders_.end()) return found->second;
  while (orders_.size() > 1) orders_.erase(orders_.begin());
  return orders_.try_emplace(epoch, settings_.plan, settings_.seed, epoch).first->second;
}

void WindowReader::read(const Next& next, Window& window) {
  const std::size_t number = settings_.shards.begin + next.shard;
  const StreamOrder& order = order_of(next.epoch);
  const Range places = order.window(number, next.index);
  const std::size_t rows = places.size();
  order.shuffle(number, next.index, window.order.view().first(rows));
  std::vector<std::uint32_t> samples(rows);
  for (const StreamOrder::Piece& piece : order.pieces(places)) {
    const std::size_t at = piece.place - places.begin;
    const auto read_part = [&](TableReader& reader, Buffer<std::byte>& memory) {
      const TableHeader& header = reader.header();
      const std::span<std::byte> bytes =
          memory.view().subspan(at * header.row_bytes(), piece.rows.size() * header.row_bytes());
      reader.read(piece.rows, bytes);
      Table part{header.type, piece.rows.size(), header.columns, bytes, {}};
      check_finite(part, header.name, {0, part.rows}, piece.rows.begin, header.may_miss);
      return part;
    };
    (void)read_part(*file_.x, window.x);
    check_targets_held(settings_.rule, read_part(*file_.y, window.y), file_.source, piece.rows.begin, nullptr);
    if (file_.w) (void)read_part(*file_.w, window.w);
    for (std::size_t i = 0; i < piece.rows.size(); ++i)
      samples[at + i] = static_cast<std::uint32_t>(piece.rows.begin + i);
    const std::scoped_lock lock(mutex_);
    ++pieces_;
    if (stop_) return;
  }
  const auto shuffled = window.order.view().first(rows);
  for (std::size_t i = 0; i < rows; ++i) window.samples.view()[i] = samples[shuffled[i]];
  const std::size_t begin = settings_.plan.part(number).begin;
  window.epoch = next.epoch;
  window.rows = {places.begin - begin, places.end - begin};
}

}  // namespace lockstep
