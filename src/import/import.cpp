#include "import/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>

#include "data/open_dataset.hpp"
#include "import/split_file.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20U;  // bytes of x read at once

/// Rows of a pair of files. Doubles in x become floats, all else keeps its type.
class PairRows final : public RowSource {
 public:
  explicit PairRows(OpenDataset& opened) : x_(*opened.x), y_(*opened.y) {}

  void next(RowBlock& block) override {
    const TableHeader& header = x_.header();
    const std::size_t rows = std::min(header.rows - row_, std::max<std::size_t>(1, kBlock / header.row_bytes()));
    const Range range{row_, row_ + rows};
    std::vector<std::byte>& x = block.x;
    std::vector<std::byte>& y = block.y;
    block.rows = rows;
    x.resize(rows * header.row_bytes());
    y.resize(rows * y_.header().row_bytes());
    if (rows == 0) return;
    x_.read(range, x);
    y_.read(range, y);
    check_finite(header, x);
    check_finite(y_.header(), y);
    if (header.type == ElementType::f64) {
      narrowed_.resize(x.size() / 2);
      for (std::size_t i = 0; i < x.size() / sizeof(double); ++i) {
        double wide = 0;
        std::memcpy(&wide, x.data() + i * sizeof wide, sizeof wide);
        const auto value = static_cast<float>(wide);
        std::memcpy(narrowed_.data() + i * sizeof value, &value, sizeof value);
      }
      x.swap(narrowed_);
    }
    row_ += rows;
  }

 private:
  void check_finite(const TableHeader& header, std::span<const std::byte> bytes) const {
    visit_element_type(header.type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>) {
        for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
          T value;
          std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
          if (std::abs(value) <= std::numeric_limits<float>::max()) continue;  // false for NaN
          throw Error(ErrorKind::data,
                      fmt::format("{}: row {}, column {} is {}; expected finite numbers that a 32-bit float can hold "
                                  "(rows and columns count from 0)",
                                  header.name, row_ + i / header.columns, i % header.columns, value));
        }
      }
    });
  }

  TableReader& x_;
  TableReader& y_;
  std::size_t row_ = 0;
  std::vector<std::byte> narrowed_;
};

void check_output(const ImportOptions& options) {
  const std::filesystem::path output(options.output);
  std::error_code code;
  if (output.filename().empty() || std::filesystem::is_directory(output, code)) {
    throw Error(ErrorKind::config, "--output " + options.output + ": expected a file name, found a folder");
  }
  if (output.has_parent_path() && !std::filesystem::is_directory(output.parent_path(), code)) {
    throw Error(ErrorKind::config, "--output " + options.output + ": its folder is not there");
  }
  for (const auto* files : {&options.files, &options.test}) {
    for (const std::string& file : *files) {
      if (std::filesystem::equivalent(output, file, code)) {
        throw Error(ErrorKind::config, "--output " + options.output + " is a file to be read; give another name");
      }
    }
  }
  if (std::filesystem::exists(output, code) && !options.overwrite) {
    throw Error(ErrorKind::config, options.output + " is there already; --overwrite replaces it");
  }
}

/// How the rows of all files are dealt.
struct Deal {
  std::size_t rows = 0;
  std::size_t train = 0;
};

Deal deal(const ImportOptions& options, std::size_t rows) {
  if (!options.split) return {.rows = rows, .train = rows};
  const Deal result{.rows = rows, .train = train_rows(*options.split, rows)};
  if (result.train != 0 && result.train != rows) return result;
  throw Error(ErrorKind::config, fmt::format("--split {} of {} rows leaves none {}", *options.split, rows,
                                             result.train == 0 ? "to train" : "to test"));
}

/// Writes rows of `source`, by what `trains` says of each.
template <class Trains>
void write_rows(const ImportOptions& options, RowSource& source, std::size_t total, Trains&& trains, SplitFile& file,
                std::size_t& done) {
  RowBlock block;
  for (source.next(block); block.rows != 0; source.next(block)) {
    for (std::size_t row = 0; row < block.rows; ++row) file.add(trains(), block, row);
    done += block.rows;
    if (options.progress) options.progress("written", done, total);
  }
}

/// Reads all files; returns how many rows the first has.
std::size_t read_files(const ImportOptions& options, ImportedTable& table) {
  std::vector<std::string> files = options.files;
  files.insert(files.end(), options.test.begin(), options.test.end());
  std::size_t first_rows = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::error_code code;
    const std::size_t size = std::filesystem::file_size(files[i], code);
    table.begin_file(files[i]);
    read_csv(files[i], options.csv.delimiter, table, [&](std::size_t done) {
      if (options.progress) options.progress("read", done, code ? done : size);
    });
    table.end_file();
    if (i == 0) first_rows = table.rows();
  }
  return first_rows;
}

ImportResult import_csv(const ImportOptions& options) {
  // A dry run writes nothing where the user's files are.
  const std::string place =
      options.dry_run ? (std::filesystem::temp_directory_path() / "rows").string() : options.output;
  std::optional<ImportedTable> tables[2];
  ImportedTable* read = &tables[0].emplace(options.csv, place);
  std::size_t first_rows = read_files(options, *read);
  if (read->wants_second_reading()) {
    CsvOptions known = options.csv;
    known.drop = read->left_out();
    read = &tables[1].emplace(known, place);
    first_rows = read_files(options, *read);
  }
  ImportedTable& table = *read;
  Deal dealt{.rows = table.rows(), .train = first_rows};
  if (options.test.empty()) dealt = deal(options, table.rows());
  // Which rows train, asked in their order, as often as one likes.
  const auto trains = [&]() -> std::function<bool()> {
    if (!options.test.empty()) return [first_rows, row = std::size_t{0}]() mutable { return row++ < first_rows; };
    return [dealer = Dealer(options.seed, dealt.rows, dealt.train)]() mutable { return dealer.next(); };
  };
  table.fit(trains);
  ImportResult result{.format = table.format(),
                      .train = dealt.train,
                      .test = dealt.rows - dealt.train,
                      .dropped = table.dropped(),
                      .looks_like_classes = table.looks_like_classes(),
                      .counting = table.counting(),
                      .recipe = table.recipe()};
  for (std::size_t i = 0; i < table.columns().size(); ++i) {
    const CsvColumn& column = table.columns()[i];
    result.seen.push_back(column.seen);
    result.dropped_for.push_back(tables[0]->columns()[i].dropped_for);
    if (column.recipe.use != ColumnUse::label) continue;
    const std::vector<std::uint32_t> places = column.categories->places();
    result.class_samples.resize(places.size());
    for (std::size_t code = 0; code < column.text_counts.size(); ++code) {
      result.class_samples[places[code]] = column.text_counts[code];
    }
  }
  if (options.dry_run) return result;
  SplitFile file(options.output, result.format, result.train, result.test);
  const std::unique_ptr<RowSource> source = table.source();
  std::size_t done = 0;
  write_rows(options, *source, dealt.rows, trains(), file, done);
  file.commit();
  return result;
}

std::vector<std::size_t> behind_rows(const TableHeader& header) {
  return {header.shape.begin() + 1, header.shape.end()};
}

RowFormat format_of(const OpenDataset& opened) {
  const TableHeader& x = opened.x->header();
  const TableHeader& y = opened.y->header();
  RowFormat format{x.type == ElementType::f64 ? ElementType::f32 : x.type, behind_rows(x), y.type, behind_rows(y)};
  if (format.x_shape.empty()) format.x_shape = {1};
  return format;
}

ImportResult import_pair(const ImportOptions& options) {
  OpenDataset opened = open_dataset({options.files[0], options.files[1]}, {});
  const RowFormat format = format_of(opened);
  Deal dealt = deal(options, opened.x->header().rows);
  OpenDataset test;
  if (!options.test.empty()) {
    test = open_dataset({options.test[0], options.test[1]}, {});
    const RowFormat other = format_of(test);
    if (other.x_shape != format.x_shape || other.y_shape != format.y_shape || other.x_type != format.x_type ||
        other.y_type != format.y_type) {
      throw Error(ErrorKind::data, fmt::format("{} is of another shape or type than {}; expected the same for each "
                                               "sample, and the same for each label",
                                               test.source, opened.source));
    }
    dealt.rows += test.x->header().rows;
  }
  if (options.dry_run) return {.format = format, .train = dealt.train, .test = dealt.rows - dealt.train};
  SplitFile file(options.output, format, dealt.train, dealt.rows - dealt.train);
  Dealer dealer(options.seed, opened.x->header().rows, dealt.train);
  std::size_t done = 0;
  PairRows rows(opened);
  write_rows(
      options, rows, dealt.rows, [&] { return dealer.next(); }, file, done);
  if (!options.test.empty()) {
    PairRows test_rows(test);
    write_rows(
        options, test_rows, dealt.rows, [] { return false; }, file, done);
  }
  file.commit();
  return {.format = format, .train = dealt.train, .test = dealt.rows - dealt.train};
}

}  // namespace

ImportResult import_data(const ImportOptions& options) {
  const std::size_t files = options.files.size();
  if (files != 1 && files != 2) {
    throw Error(ErrorKind::usage, fmt::format("expected a CSV table, or a file of samples and one of labels (IDX or "
                                              ".npy); found {} files",
                                              files));
  }
  if (!options.test.empty() && options.test.size() != files) {
    throw Error(ErrorKind::usage,
                fmt::format("--test takes as many files as stand before it: {}, found {}", files, options.test.size()));
  }
  if (!options.test.empty() && options.split) {
    throw Error(ErrorKind::usage, "--split and --test: expected one of them");
  }
  if (options.split && !(*options.split > 0 && *options.split < 1)) {
    throw Error(ErrorKind::usage, fmt::format("--split {}: expected a share above 0 and below 1", *options.split));
  }
  if (!options.dry_run) check_output(options);
  return files == 1 ? import_csv(options) : import_pair(options);
}

}  // namespace lockstep
