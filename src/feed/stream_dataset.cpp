#include "feed/stream_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "core/buffer.hpp"
#include "data/file_prints.hpp"
#include "data/fingerprint.hpp"
#include "data/sample_weights.hpp"
#include "data/time_windows.hpp"
#include "feed/table_pass.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSampledBlocks = 16;  // that every host compares
constexpr auto kTellEvery = std::chrono::seconds(20);

// Else the ranks would not even exchange as much.
void check_same_headers(const Communicator& comm, const OpenDataset& file) {
  std::string own;
  for (const TableReader* table : tables_of(file)) {
    const TableHeader& header = table->header();
    own +=
        fmt::format("{} rows of {} numbers of type {}; ", header.rows, header.columns, static_cast<int>(header.type));
  }
  const std::string first = comm.broadcast_text(own);
  comm.together([&] {
    if (own == first) return;
    throw Error(ErrorKind::data,
                fmt::format("{}: not the data that rank 0 has opened; all hosts need the same files", file.source));
  });
}

// Every host has read a part of its own file. That the files are the same is seen by some blocks that all of them read.
void check_same_on_hosts(const Communicator& comm, TableReader& reader, std::span<const HashBytes> hashes) {
  const TableHeader& header = reader.header();
  comm.together([&] {
    if (comm.nodes() == 1 || comm.node_rank() != 0) return;
    const std::size_t many = std::min(kSampledBlocks, hashes.size());
    for (std::size_t i = 0; i < many; ++i) {
      const std::size_t block = many == 1 ? 0 : i * (hashes.size() - 1) / (many - 1);
      const std::size_t begin = block * kFingerprintBlock;
      const std::size_t end = std::min(begin + kFingerprintBlock, header.bytes());
      const Range rows{begin / header.row_bytes(), (end + header.row_bytes() - 1) / header.row_bytes()};
      Buffer<std::byte> memory(rows.size() * header.row_bytes());
      reader.read(rows, memory.view());
      comm.pulse().beat();
      const auto bytes = memory.view().subspan(begin - rows.begin * header.row_bytes(), end - begin);
      if (hash_bytes(bytes) == hashes[block]) continue;
      throw Error(ErrorKind::data, fmt::format("{}: rows {} to {} are not those that other ranks have read; all "
                                               "hosts need the same files",
                                               header.name, rows.begin, rows.end - 1));
    }
  });
}

// Tells now and then how far rank 0 is; the others are about as far.
class Progress {
 public:
  Progress(const Communicator& comm, std::size_t bytes, std::function<void(const std::string&)> tell)
      : total_(static_cast<double>(bytes) / comm.size()), tell_(std::move(tell)) {}

  void count(std::size_t bytes) {
    read_ += static_cast<double>(bytes);
    if (!tell_ || std::chrono::steady_clock::now() - told_ < kTellEvery) return;
    told_ = std::chrono::steady_clock::now();
    tell_(fmt::format("passing over the data: {:.0f} %", std::min(100 * read_ / total_, 100.0)));
  }

 private:
  double total_;
  double read_ = 0;
  std::function<void(const std::string&)> tell_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

void sum_counts(const Communicator& comm, LabelCounts& counts) {
  counts.largest = static_cast<std::uint64_t>(comm.max(static_cast<double>(counts.largest)));  // below 2^31: exact
  counts.samples.resize(std::min(counts.largest + 1, LabelCounts::kMostCounted));
  comm.sum(counts.samples);
}

// The weights of a data set: their range, for which all of them are passed over, and then what they sum up to.
class WeightPass {
 public:
  /// `targets`: of which some may be missing; 0: none.
  WeightPass(bool by_label, std::size_t targets) : by_label_(by_label), samples_(targets, 0) {}

  void look(const Table& weights) {
    for (const float weight : taken(weights)) {
      totals_.least = std::min(totals_.least, double{weight});
      totals_.largest = std::max(totals_.largest, double{weight});
      totals_.negatives += weight < 0 ? 1 : 0;
    }
  }
  // Collective.
  void share(const Communicator& comm) {
    totals_.least = -comm.max(-totals_.least);
    totals_.largest = comm.max(totals_.largest);
    totals_.negatives = comm.sum(totals_.negatives);
    sums_ = WeightSums(std::max(std::abs(totals_.least), std::abs(totals_.largest)));
  }
  // `labels`, or targets, are checked.
  void add(const Table& weights, const Table& labels) {
    const std::span<const float> all = taken(weights);
    if (!by_label_) {
      for (const float weight : all) sums_.add(weight);
      if (!samples_.empty()) add_targets(labels, {0, labels.rows}, {}, all, sums_, samples_);
      return;
    }
    visit_element_type(labels.type, [&](auto zero) {
      const auto* const of_row = reinterpret_cast<const decltype(zero)*>(labels.bytes.data());
      for (std::size_t i = 0; i < all.size(); ++i) {
        const auto label = static_cast<std::uint64_t>(of_row[i]);
        label < LabelCounts::kMostCounted ? sums_.add(all[i], label) : sums_.add(all[i]);
      }
    });
  }
  // Collective. `labels`: as many as there are at most.
  WeightTotals take(const Communicator& comm, std::size_t labels) {
    sums_.reserve(by_label_ ? labels : samples_.size());
    comm.sum(sums_.words());
    totals_.positive = sums_.positive();
    totals_.negative = sums_.negative();
    if (by_label_) {
      totals_.by_label = sums_.by_label();
    } else if (!samples_.empty()) {
      comm.sum(samples_);
      totals_.targets = {.sums = sums_.by_label(), .samples = samples_};
    }
    return totals_;
  }

 private:
  std::span<const float> taken(const Table& weights) {
    taken_.resize(weights.rows);
    read_weights(weights, {0, weights.rows}, taken_);
    return taken_;
  }

  bool by_label_;
  WeightTotals totals_;
  WeightSums sums_{1};
  std::vector<std::int64_t> samples_;  // [targets] that have it and weigh something
  std::vector<float> taken_;
};

Table header_only(const TableHeader& header) {
  return {header.type, header.rows, header.columns, {}, {}};
}

}  // namespace

PassedDataset pass_over(const Communicator& comm, OpenDataset file, const PassSettings& settings) {
  comm.pulse().enter(Phase::reading);
  PassedDataset result;
  Dataset& data = result.data;
  comm.together([&] {
    data.file = std::make_shared<OpenDataset>(std::move(file));
    data.source = data.file->source;
    data.class_names = data.file->class_names;
    data.columns = data.file->columns;
    data.x = header_only(data.file->x->header());
    data.y = header_only(data.file->y->header());
    if (data.file->w) data.w = header_only(data.file->w->header());
    check_target_type(settings.rule, data.y, data.source);
  });
  check_same_headers(comm, *data.file);
  LabelCounts counts;
  Progress progress(comm, bytes_of(*data.file), settings.tell);
  TableReader& x = *stored_tables_of(*data.file).front();
  FilePrints prints(x.header().files);
  std::vector<HashBytes> hashes;
  const auto pass = [&](std::size_t number, TableReader& reader, const TablePass::What& what) {
    const auto count = [&](const Table& rows, std::size_t first, Range fresh) {
      progress.count(rows.bytes.size());
      if (fresh.empty() || (number != 0 && data.file->windows)) return;
      const std::size_t row_bytes = rows.columns * bytes_of(rows.type);
      prints.add(number,
                 {rows.type, fresh.size(), rows.columns,
                  rows.bytes.subspan((fresh.begin - first) * row_bytes, fresh.size() * row_bytes)},
                 fresh.begin);
    };
    std::optional<TablePass> table;
    comm.together(
        [&] {
          table.emplace(comm, reader, what, count);
          table->run();
        },
        Blame::host);
    const std::vector<HashBytes> own = table->hashes();
    check_same_on_hosts(comm, reader, own);
    hashes.insert(hashes.end(), own.begin(), own.end());
    return table->scaling();
  };
  const bool labels = settings.rule.kind == TargetRule::Kind::labels;
  TableReader* const w = data.file->w.get();
  WeightPass weights(labels, data.file->y->header().may_miss && !labels ? data.y.columns : 0);
  std::vector<HashBytes> of_weights;
  if (w != nullptr) {  // first, for sums need to know how large weights are
    (void)pass(2, *w, {.check = [&](const Table& rows, std::size_t, const Table&) { weights.look(rows); }});
    weights.share(comm);
    of_weights = std::exchange(hashes, {});
  }
  // Of windows over time each row is normalised by what is found over all rows, which have no weights of their own.
  result.normalization.x = pass(0, x, {.method = settings.x, .weights = data.file->windows ? nullptr : w});
  if (data.file->windows) result.normalization.x = repeated(result.normalization.x, data.file->windows->rows());
  std::vector<std::int64_t> missing(data.y.columns, 0);
  const auto check = [&](const Table& rows, std::size_t first, const Table& of_rows) {
    check_targets_held(settings.rule, rows, data.source, first, &counts);
    if (data.file->y->header().may_miss) count_missing(rows, {0, rows.rows}, missing);
    if (w != nullptr) weights.add(of_rows, rows);
  };
  result.normalization.y = pass(1, *data.file->y, {.method = settings.y, .weights = w, .check = check});
  comm.sum(missing);
  set_missing(data, std::move(missing));
  if (labels) {
    sum_counts(comm, counts);
    data.labels = std::move(counts);
  }
  if (w != nullptr) data.weights = weights.take(comm, labels ? data.labels->samples.size() : 0);
  hashes.insert(hashes.end(), of_weights.begin(), of_weights.end());
  data.fingerprint = fingerprint(header_only(x.header()), data.y, hashes, data.w);
  std::vector<std::int64_t> words = prints.words();
  if (!words.empty()) comm.sum(words);
  data.files = prints.texts(words);
  return result;
}

}  // namespace lockstep
