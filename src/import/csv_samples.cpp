#include "import/csv_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/hash.hpp"
#include "data/readers.hpp"
#include "import/csv_reader.hpp"
#include "import/field_slot.hpp"
#include "import/field_text.hpp"
#include "import/row_slots.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostTexts = 6;  // unknown ones that are kept of a column: one more than are told

// RFC 4180: in quotes where it has to be.
void append_csv(std::string_view text, char behind, RowTexts& to) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    to.append(text);
  } else {
    to.append("\"");
    for (std::size_t quote = text.find('"'); quote != std::string_view::npos; quote = text.find('"')) {
      to.append(text.substr(0, quote + 1));
      to.append("\"");
      text.remove_prefix(quote + 1);
    }
    to.append(text);
    to.append("\"");
  }
  to.append({&behind, 1});
}

bool is_answer(ColumnUse use) noexcept {
  return use == ColumnUse::value || use == ColumnUse::label || use == ColumnUse::weight;
}

/// The fields of the header, or of the first row.
class FieldList final : public CsvRows {
 public:
  void field(std::string_view text) override { fields.emplace_back(text); }
  void end_of_row() override {}
  std::vector<std::string> fields;
};

}  // namespace

/// x, y or w of it.
class CsvSamples::Reader final : public TableReader {
 public:
  Reader(CsvSamples& samples, Part part, ElementType type, std::size_t columns) : samples_(samples), part_(part) {
    header_ = make_header(samples.path_, type, std::array{samples.rows_, columns});
  }
  void read(Range rows, std::span<std::byte> out) override { samples_.read(part_, rows, out); }

 private:
  CsvSamples& samples_;
  Part part_;
};

CsvSamples::CsvSamples(const std::string& path, Recipe recipe, CsvReading reading)
    : path_(path), recipe_(std::move(recipe)), reading_(std::move(reading)), cutter_(path, recipe_.delimiter) {
  if (!cutter_.next()) throw Error(ErrorKind::data, path + ": holds no rows, only blank lines");
  check_csv_beginning(path, cutter_.row());
  FieldList first;
  const std::string fault = CsvRowSplitter(recipe_.delimiter).split(cutter_.row(), first);
  if (!fault.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: line {}: {}", path, csv_line(path, recipe_.delimiter, 0, SIZE_MAX), fault));
  }
  row_ = std::make_unique<RecipeRow>(recipe_);
  row_->expect(recipe_.header ? match_header(first.fields) : match_places(first.fields.size()), reading_.keep.size());
}

CsvSamples::~CsvSamples() = default;

void CsvSamples::count_unknown(Range rows) {
  constexpr std::size_t piece = 4096;  // rows
  met_.unknown.clear();
  std::vector<float> x;
  for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
    const Range part{begin, std::min(begin + piece, rows.end)};
    x.resize(part.size() * row_->expander().features());
    read(Part::x, part, std::as_writable_bytes(std::span(x)));
  }
}

std::vector<RecipeRow::Field> CsvSamples::match_header(const std::vector<std::string>& names) {
  std::vector<RecipeRow::Field> fields(names.size());
  std::unordered_map<std::string, std::size_t> places;
  std::vector<std::string> twice;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = names[i].empty() ? std::to_string(i + 1) : names[i];  // as an import names it
    if (!places.emplace(name, i).second) twice.push_back(shown(name));
  }
  if (!twice.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: line {}: there are two columns named {}", path_,
                                             csv_line(path_, recipe_.delimiter, 0, SIZE_MAX), listed(twice)));
  }
  std::vector<std::string> lacking;
  std::vector<bool> known(names.size());
  for (std::size_t column = 0; column < recipe_.columns.size(); ++column) {
    const RecipeColumn& wanted = recipe_.columns[column];
    const auto found = places.find(wanted.name);
    if (found != places.end()) known[found->second] = true;
    if (wanted.use == ColumnUse::dropped || (is_answer(wanted.use) && !reading_.answers)) continue;
    if (found == places.end()) {
      lacking.push_back(shown(wanted.name));
    } else {
      fields[found->second].column = column;
    }
  }
  if (!lacking.empty()) {
    std::vector<std::string> there;
    for (const std::string& name : names) there.push_back(shown(name));
    throw Error(ErrorKind::data, fmt::format("{}: there is no column {}, which the net was trained on; found: {}",
                                             path_, listed(lacking), listed(there)));
  }
  for (std::size_t i = 0; i < reading_.keep.size(); ++i) {
    const auto found = places.find(reading_.keep[i]);
    if (found == places.end()) {
      throw Error(ErrorKind::data, fmt::format("--keep: {} is no column of {}; its columns are {}",
                                               shown(reading_.keep[i]), path_, listed(names)));
    }
    fields[found->second].kept = i;
    known[found->second] = true;
  }
  std::vector<std::string> passed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!known[i]) passed.push_back(shown(names[i]));
  }
  if (!passed.empty()) {
    notices_.push_back(fmt::format("{}: the net knows no column {}: passed over", path_, listed(passed, 5)));
  }
  return fields;
}

std::vector<RecipeRow::Field> CsvSamples::match_places(std::size_t count) {
  std::vector<RecipeRow::Field> fields(count);
  std::vector<std::size_t> inputs;  // without answers
  for (std::size_t i = 0; i < recipe_.columns.size(); ++i) {
    if (!is_answer(recipe_.columns[i].use)) inputs.push_back(i);
  }
  const bool all = count == recipe_.columns.size();
  if (!all && (reading_.answers || count != inputs.size())) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has {} columns; the net's table, without a header, has {}{}", path_, count,
                            recipe_.columns.size(),
                            reading_.answers ? "" : fmt::format(", or {} without targets", inputs.size())));
  }
  for (std::size_t field = 0; field < count; ++field) {
    const std::size_t column = all ? field : inputs[field];
    const ColumnUse use = recipe_.columns[column].use;
    if (use != ColumnUse::dropped && (reading_.answers || !is_answer(use))) fields[field].column = column;
  }
  for (std::size_t i = 0; i < reading_.keep.size(); ++i) {
    const std::string& word = reading_.keep[i];
    std::size_t place = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), place);
    if (code != std::errc() || end != word.data() + word.size() || place == 0 || place > count) {
      throw Error(ErrorKind::data, fmt::format("--keep: {} is no column of {}; without a header they are 1 to {}",
                                               shown(word), path_, count));
    }
    fields[place - 1].kept = i;
  }
  return fields;
}

void CsvSamples::take(RowIndex index) {
  index_ = std::move(index);
  rows_ = index_.rows() - std::min<std::size_t>(index_.rows(), recipe_.header ? 1 : 0);
  if (rows_ == 0) throw Error(ErrorKind::data, path_ + ": holds no rows of data behind its header");
}

OpenDataset CsvSamples::open() {
  OpenDataset data{.source = path_, .in_turn = true};
  Hash identity;
  identity.text(file_identity(path_));
  data.identity = identity.hex();
  data.columns = {.features = recipe_.features(), .targets = recipe_.targets(), .categorical = recipe_.categorical()};
  data.x = std::make_unique<Reader>(*this, Part::x, ElementType::f32, data.columns.features.size());
  if (!reading_.answers) return data;
  const RecipeColumn* const label = recipe_.label();
  data.y = label != nullptr ? std::make_unique<Reader>(*this, Part::y, ElementType::i32, 1)
                            : std::make_unique<Reader>(*this, Part::y, ElementType::f64, data.columns.targets.size());
  data.y->let_miss(data.columns.targets.size() > 1);
  if (label != nullptr) data.class_names = label->texts;
  if (recipe_.weight() != nullptr) data.w = std::make_unique<Reader>(*this, Part::w, ElementType::f32, 1);
  return data;
}

std::vector<std::string> CsvSamples::kept_names() const {
  return reading_.keep.empty() ? std::vector<std::string>{"row"} : reading_.keep;
}

void CsvSamples::place_cutter(std::size_t row) {
  const std::size_t wanted = row + (recipe_.header ? 1 : 0);
  const RowMark mark = index_.before(wanted);
  if (!placed_ || next_row_ > wanted || next_row_ < mark.row) {
    cutter_.seek(mark.offset);
    next_row_ = mark.row;
    placed_ = true;
  }
  while (next_row_ < wanted && cutter_.next()) ++next_row_;
}

void CsvSamples::read(Part part, Range rows, std::span<std::byte> out) {
  const std::size_t features = row_->expander().features();
  if (part == Part::x || held_.begin != rows.begin || held_.end != rows.end) {
    held_ = {};
    const bool labels = recipe_.label() != nullptr;
    values_.resize(reading_.answers && !labels ? rows.size() * row_->expander().values() : 0);
    labels_.resize(reading_.answers && labels ? rows.size() : 0);
    weights_.resize(reading_.answers && recipe_.weight() != nullptr ? rows.size() : 0);
    bad_.assign(rows.size(), 0);
    kept_.clear();
    std::vector<float> scratch(part == Part::x ? 0 : features);
    place_cutter(rows.begin);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      float* const x = part == Part::x ? reinterpret_cast<float*>(out.data()) + i * features : scratch.data();
      if (!cutter_.next()) {
        throw Error(ErrorKind::data, fmt::format("{}: has become shorter while it was read", path_));
      }
      ++next_row_;
      row_->split(cutter_.row());
      read_row(rows.begin + i, x, part == Part::x);
      if (row_->fault.empty()) {
        if (!values_.empty()) row_->expander().expand_values(row_->slots(), &values_[i * row_->expander().values()]);
        if (!labels_.empty()) labels_[i] = row_->expander().label(row_->slots());
        if (!weights_.empty()) weights_[i] = row_->expander().weight(row_->slots());
      } else {
        bad_[i] = 1;
      }
    }
    held_ = rows;
  }
  if (part == Part::y && !labels_.empty())
    std::memcpy(out.data(), labels_.data(), labels_.size() * sizeof(std::int32_t));
  if (part == Part::y && !values_.empty()) std::memcpy(out.data(), values_.data(), values_.size() * sizeof(double));
  if (part == Part::w) std::memcpy(out.data(), weights_.data(), weights_.size() * sizeof(float));
}

// The row that was split, as numbers; zeros where it is bad.
void CsvSamples::read_row(std::size_t row, float* x, bool counts) {
  if (row_->fault.empty()) {
    row_->expander().expand_x(row_->slots(), x);
    for (const auto& [column, text] : counts ? row_->unknown : decltype(row_->unknown){}) {
      CsvMet::Unknown& unknown = met_.unknown[recipe_.columns[column].name];
      ++unknown.fields;
      if (unknown.texts.size() < kMostTexts) unknown.texts.emplace(text, row);
    }
  } else {
    note_bad(row, row_->fault_field, row_->fault);
    std::fill_n(x, row_->expander().features(), 0.0F);
  }
  if (!reading_.notes) return;
  if (reading_.keep.empty()) {
    const fmt::format_int number(row + 1);
    kept_.append({number.data(), number.size()});
    kept_.append(",");
  }
  for (const std::string& text : row_->kept_texts) append_csv(text, ',', kept_);
  kept_.end_row();
}

void CsvSamples::note_bad(std::size_t row, std::size_t field, const std::string& what) {
  ++met_.bad;
  if (reading_.mark_bad && met_.first_bad && met_.first_bad->row <= row) return;
  const std::size_t line = csv_line(path_, recipe_.delimiter, row + (recipe_.header ? 1 : 0), field);
  if (!reading_.mark_bad) throw Error(ErrorKind::data, fmt::format("{}: line {}: {}", path_, line, what));
  met_.first_bad = CsvMet::BadRow{.row = row, .line = line, .what = what};
}

}  // namespace lockstep
