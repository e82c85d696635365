#include "feed/stream_batch.hpp"

#include <algorithm>
#include <chrono>

namespace lockstep {

StreamBatch::StreamBatch(const Communicator& comm, const RunData& data, const RunConfig& run)
    : comm_(comm),
      normalization_(data.normalization),
      extras_(data.train.extras()),
      stream_(*data.stream),
      plan_{.samples = stream_.shape().samples, .batch = stream_.shape().batch},
      shards_{.shards = stream_.shape().shards, .ranks = static_cast<std::size_t>(comm.size())},
      seed_(static_cast<std::uint64_t>(run.seed)) {
  OpenDataset file;
  if (data.train.file->windows) {
    std::vector<std::string> told;  // before the run
    file = open_matched(comm, run.data.train, run.data, data.names, told);
  }
  comm.together([&] {
    if (!file.x) {
      file = open_dataset(run.data.train, {});
      (void)match_names(file, data.names);  // as before the run: what there was to tell is told
    }
    reader_.emplace(std::move(file), StreamSettings{stream_, shards_.owned(static_cast<std::size_t>(comm.rank())),
                                                    seed_, static_cast<std::uint64_t>(run.train.epochs), data.rule});
  });
}

void StreamBatch::start_epoch(std::uint64_t epoch) {
  started_ = started_ && epoch == epoch_ + 1 && next_ == plan_.batches();  // else it goes on at another place
  epoch_ = epoch;
  next_ = 0;
  entries_ = StreamOrder(stream_, seed_, epoch).entries();
}

double StreamBatch::select(std::size_t index) {
  const double seconds = move_to(index);
  reader_->take_reads(reads_);
  if (Timeline* const timeline = comm_.pulse().timeline) {
    for (const auto& [begin, end] : reads_)
      timeline->add(Timeline::Thread::reader, Phase::reading, comm_.pulse().step.load(), begin, end);
  }
  return seconds;
}

double StreamBatch::move_to(std::size_t index) {
  const bool follows = started_ && index == next_;
  batch_ = index;
  next_ = index + 1;
  if (follows && !std::ranges::binary_search(entries_, index)) {
    reader_->move_to(epoch_, index);
    return 0;
  }
  const auto start = std::chrono::steady_clock::now();
  started_ = true;
  const During reading(comm_.pulse(), Phase::reading);
  comm_.together([&] {
    if (follows) {
      reader_->move_to(epoch_, index);
    } else {
      reader_->start(epoch_, index);
    }
    reader_->await([this] { comm_.pulse().beat(); });
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void StreamBatch::gather(std::size_t shard, const BatchRows& rows) {
  std::size_t at = 0;
  for (const WindowReader::Part& part : reader_->parts_of(shard)) {
    const std::size_t size = part.rows.size();
    if (size == 0) continue;
    const auto columns = [&](std::span<float> values) {
      const std::size_t width = rows.samples.empty() ? 0 : values.size() / rows.samples.size();
      return values.subspan(at * width, size * width);
    };
    std::ranges::copy(part.samples, rows.samples.begin() + static_cast<std::ptrdiff_t>(at));
    gather_samples(part.x, part.y, part.w, normalization_, part.rows,
                   {.x = columns(rows.x),
                    .values = columns(rows.values),
                    .labels = rows.labels.empty() ? rows.labels : rows.labels.subspan(at, size),
                    .samples = rows.samples.subspan(at, size),
                    .weights = rows.weights.empty() ? rows.weights : rows.weights.subspan(at, size)});
    at += size;
  }
}

}  // namespace lockstep
