#include "feed/chosen_samples.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <numeric>

#include "data/open_dataset.hpp"
#include "feed/epoch_batch.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// The chosen rows of a file, one after the other, as a table of their own.
Table read_rows(TableReader& reader, std::span<const std::uint32_t> samples, std::vector<std::byte>& memory) {
  const TableHeader& header = reader.header();
  memory.resize(samples.size() * header.row_bytes());
  const Table table{header.type, samples.size(), header.columns, memory, {}};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t row = samples[i];
    reader.read({row, row + 1}, std::span(memory).subspan(i * header.row_bytes(), header.row_bytes()));
    check_finite({header.type, 1, header.columns, table.bytes.subspan(i * header.row_bytes(), header.row_bytes()), {}},
                 header.name, {0, 1}, row, header.may_miss);
  }
  return table;
}

}  // namespace

ChosenSamples read_samples(const Dataset& data, const Normalization& normalization, TargetKind kind,
                           std::vector<std::uint32_t> samples) {
  for (const std::uint32_t sample : samples) {
    if (sample < data.samples()) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{} has samples 0 to {}, there is no sample {}", data.source, data.samples() - 1, sample));
  }
  ChosenSamples chosen;
  chosen.x.resize(samples.size() * data.inputs());
  if (kind == TargetKind::labels) chosen.labels.resize(samples.size());
  if (kind == TargetKind::values) chosen.values.resize(samples.size() * data.y.columns);
  std::vector<std::uint32_t> numbers(samples.size());
  if (data.w.rows > 0) chosen.weights.resize(samples.size());
  chosen.may_miss = data.extras().missing;
  const BatchRows rows{chosen.x, chosen.values, chosen.labels, numbers, chosen.weights};
  if (data.streamed()) {
    std::vector<std::byte> x_memory, y_memory, w_memory;
    const Table x = read_rows(*data.file->x, samples, x_memory);
    const Table y = read_rows(*data.file->y, samples, y_memory);
    const Table w = data.file->w ? read_rows(*data.file->w, samples, w_memory) : Table{};
    std::iota(numbers.begin(), numbers.end(), 0U);
    gather_samples(x, y, w, normalization, std::vector<std::uint32_t>(numbers), rows);
  } else {
    gather_samples(data, normalization, samples, rows);
  }
  chosen.samples = std::move(samples);
  return chosen;
}

}  // namespace lockstep
