#include "import/csv_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
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

constexpr std::size_t kMostTexts = 5;  // unknown ones that are told of a column
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

/// Texts as places in a recipe's list.
class TextPlaces {
 public:
  explicit TextPlaces(const std::vector<std::string>& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) places_.emplace(texts[i], static_cast<std::uint32_t>(i));
  }
  [[nodiscard]] std::uint32_t find(std::string_view text) const {
    const auto found = places_.find(text);
    return found == places_.end() ? kUnknownText : found->second;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> places_;
};

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

// A file with something in it, to be read twice.
const std::string& checked(const std::string& path) {
  (void)csv_bytes(path);
  return path;
}

/// The fields of the header, or of the first row.
class FieldList final : public CsvRows {
 public:
  void field(std::string_view text) override { fields.emplace_back(text); }
  void end_of_row() override {}
  std::vector<std::string> fields;
};

}  // namespace

/// The fields of a row, put into slots.
class CsvSamples::Row final : public CsvRows {
 public:
  explicit Row(const Recipe& recipe, bool answers)
      : recipe_(recipe),
        answers_(answers),
        several_(recipe.label() == nullptr && recipe.targets().size() > 1),
        slots_(recipe.columns),
        expander_(recipe, slots_),
        splitter_(recipe.delimiter),
        memory_(slots_.bytes()) {
    for (const RecipeColumn& column : recipe.columns) {
      texts_.push_back(column.texts.empty() ? nullptr : std::make_unique<TextPlaces>(column.texts));
    }
  }

  // Of the file: which column of the recipe each field is, or kNowhere; which of the kept ones.
  std::vector<std::size_t> columns;
  std::vector<std::size_t> kept;
  // What split() met.
  std::string fault;
  std::size_t fault_field = 0;
  std::vector<std::string> kept_texts;
  std::vector<std::pair<std::size_t, std::string>> unknown;  // column of the recipe, text

  [[nodiscard]] const RowExpander& expander() const noexcept { return expander_; }
  [[nodiscard]] const std::byte* slots() const noexcept { return memory_.data(); }

  void split(std::string_view row) {
    fault.clear();
    unknown.clear();
    fields_ = 0;
    targets_there_ = 0;
    for (std::string& text : kept_texts) text.clear();
    const std::string what = splitter_.split(row, *this);
    if (!what.empty()) fail(SIZE_MAX, what);
    if (fault.empty() && fields_ != columns.size()) {
      fail(SIZE_MAX, fmt::format("expected {} fields, as in the {}, found {}", columns.size(),
                                 recipe_.header ? "header" : "first row", fields_));
    }
    if (fault.empty() && answers_ && several_ && targets_there_ == 0) fail(SIZE_MAX, "all its targets are missing");
  }

  void field(std::string_view text) override {
    const std::size_t field = fields_++;
    if (field >= columns.size()) return;
    if (kept[field] != kNowhere) kept_texts[kept[field]] = text;
    const std::size_t column = columns[field];
    if (column == kNowhere || !fault.empty()) return;
    const RecipeColumn& recipe = recipe_.columns[column];
    std::byte* const slot = memory_.data() + slots_.of(column);
    if (texts_[column] != nullptr) return put_text(field, column, text, slot);
    const FieldFault found = put_number(recipe, recipe_.decimal, text, slot);
    if (found == FieldFault::none) {
      targets_there_ += recipe.use == ColumnUse::value ? 1 : 0;
      return;
    }
    if (found == FieldFault::missing && (is_fill(recipe.missing) || (several_ && recipe.use == ColumnUse::value))) {
      return;
    }
    fail(field, describe(found, recipe, text));
  }
  void end_of_row() override {}

 private:
  void put_text(std::size_t field, std::size_t column, std::string_view text, std::byte* slot) {
    const RecipeColumn& recipe = recipe_.columns[column];
    if (text.empty()) {
      put_slot(slot, 0, kNoText);
      if (!is_fill(recipe.missing)) fail(field, describe(FieldFault::missing, recipe, text));
      return;
    }
    const std::uint32_t place = texts_[column]->find(text);
    put_slot(slot, 0, place);
    if (place != kUnknownText) return;
    if (recipe.use == ColumnUse::label) return fail(field, fmt::format("the net knows no class {}", shown(text)));
    unknown.emplace_back(column, text);
  }

  void fail(std::size_t field, const std::string& what) {
    const std::string column =
        field == SIZE_MAX ? ""
        : recipe_.header  ? fmt::format("column {} ({}): ", field + 1, shown(recipe_.columns[columns[field]].name))
                          : fmt::format("column {}: ", field + 1);
    fault = column + what;
    fault_field = field;
  }

  const Recipe& recipe_;
  bool answers_;
  bool several_;  // values of which some may be missing
  RowSlots slots_;
  RowExpander expander_;
  CsvRowSplitter splitter_;
  std::vector<std::byte> memory_;
  std::vector<std::unique_ptr<TextPlaces>> texts_;
  std::size_t fields_ = 0;
  std::size_t targets_there_ = 0;
};

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
    : path_(checked(path)), recipe_(std::move(recipe)), reading_(std::move(reading)), cutter_(path, recipe_.delimiter) {
  if (!cutter_.next()) throw Error(ErrorKind::data, path + ": holds no rows, only blank lines");
  check_csv_beginning(path, cutter_.row());
  FieldList first;
  const std::string fault = CsvRowSplitter(recipe_.delimiter).split(cutter_.row(), first);
  if (!fault.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: line {}: {}", path, csv_line(path, recipe_.delimiter, 0, SIZE_MAX), fault));
  }
  row_ = std::make_unique<Row>(recipe_, reading_.answers);
  row_->columns.assign(first.fields.size(), kNowhere);
  row_->kept.assign(first.fields.size(), kNowhere);
  row_->kept_texts.resize(reading_.keep.size());
  if (recipe_.header) {
    match_header(first.fields);
  } else {
    match_places(first.fields.size());
  }
}

CsvSamples::~CsvSamples() = default;

void CsvSamples::match_header(const std::vector<std::string>& names) {
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
      row_->columns[found->second] = column;
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
    row_->kept[found->second] = i;
    known[found->second] = true;
  }
  std::vector<std::string> passed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!known[i]) passed.push_back(shown(names[i]));
  }
  if (!passed.empty()) {
    notices_.push_back(fmt::format("{}: the net knows no column {}: passed over", path_, listed(passed, 5)));
  }
}

void CsvSamples::match_places(std::size_t fields) {
  std::vector<std::size_t> inputs;  // without answers
  for (std::size_t i = 0; i < recipe_.columns.size(); ++i) {
    if (!is_answer(recipe_.columns[i].use)) inputs.push_back(i);
  }
  const bool all = fields == recipe_.columns.size();
  if (!all && (reading_.answers || fields != inputs.size())) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has {} columns; the net's table, without a header, has {}{}", path_, fields,
                            recipe_.columns.size(),
                            reading_.answers ? "" : fmt::format(", or {} without targets", inputs.size())));
  }
  for (std::size_t field = 0; field < fields; ++field) {
    const std::size_t column = all ? field : inputs[field];
    const ColumnUse use = recipe_.columns[column].use;
    if (use != ColumnUse::dropped && (reading_.answers || !is_answer(use))) row_->columns[field] = column;
  }
  for (std::size_t i = 0; i < reading_.keep.size(); ++i) {
    const std::string& word = reading_.keep[i];
    std::size_t place = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), place);
    if (code != std::errc() || end != word.data() + word.size() || place == 0 || place > fields) {
      throw Error(ErrorKind::data, fmt::format("--keep: {} is no column of {}; without a header they are 1 to {}",
                                               shown(word), path_, fields));
    }
    row_->kept[place - 1] = i;
  }
}

void CsvSamples::take(RowIndex index) {
  index_ = std::move(index);
  rows_ = index_.rows() - std::min<std::size_t>(index_.rows(), recipe_.header ? 1 : 0);
  if (rows_ == 0) throw Error(ErrorKind::data, path_ + ": holds no rows of data behind its header");
}

OpenDataset CsvSamples::open() {
  OpenDataset data{.source = path_};
  Hash identity;
  identity.text(file_identity(path_));
  data.identity = identity.hex();
  data.columns = {.features = recipe_.features(), .targets = recipe_.targets(), .categorical = recipe_.categorical()};
  data.x = std::make_unique<Reader>(*this, Part::x, ElementType::f32, data.columns.features.size());
  if (!reading_.answers) return data;
  const RecipeColumn* const label = recipe_.label();
  data.y = label != nullptr ? std::make_unique<Reader>(*this, Part::y, ElementType::i32, 1)
                            : std::make_unique<Reader>(*this, Part::y, ElementType::f64, data.columns.targets.size());
  if (label != nullptr) data.class_names = label->texts;
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

std::string encode(const CsvMet& met) {
  nlohmann::json json;
  json["bad"] = met.bad;
  if (met.first_bad) {
    json["first"] = {{"row", met.first_bad->row}, {"line", met.first_bad->line}, {"what", met.first_bad->what}};
  }
  for (const auto& [column, unknown] : met.unknown) {
    json["unknown"][column] = {{"fields", unknown.fields}, {"texts", unknown.texts}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void join(CsvMet& all, const std::string& more) {
  const nlohmann::json json = nlohmann::json::parse(more);
  all.bad += json.at("bad").get<std::size_t>();
  if (json.contains("first")) {
    const auto& first = json.at("first");
    const auto row = first.at("row").get<std::size_t>();
    if (!all.first_bad || row < all.first_bad->row) {
      all.first_bad = CsvMet::BadRow{
          .row = row, .line = first.at("line").get<std::size_t>(), .what = first.at("what").get<std::string>()};
    }
  }
  if (!json.contains("unknown")) return;
  for (const auto& [column, unknown] : json.at("unknown").items()) {
    CsvMet::Unknown& to = all.unknown[column];
    to.fields += unknown.at("fields").get<std::size_t>();
    for (const auto& [text, row] : unknown.at("texts").items()) {
      const auto [place, fresh] = to.texts.emplace(text, row.get<std::size_t>());
      if (!fresh) place->second = std::min(place->second, row.get<std::size_t>());
    }
  }
}

}  // namespace lockstep
