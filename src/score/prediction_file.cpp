#include "score/prediction_file.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/csv_text.hpp"
#include "io/hdf5_layout.hpp"
#include "io/new_file.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

template <class T>
void append_bytes(std::span<const T> values, std::vector<std::byte>& bytes) {
  const auto more = std::as_bytes(values);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

std::size_t row_bytes(const h5::PlannedTable& array) {
  std::size_t bytes = bytes_of(array.type);
  for (std::size_t i = 1; i < array.shape.size(); ++i) bytes *= array.shape[i];
  return bytes;
}

// Encoded: the rows of the first array, then those of the second.
class Hdf5Predictions final : public PredictionFile {
 public:
  Hdf5Predictions(std::string path, PredictionPlan plan) : path_(std::move(path)), plan_(std::move(plan)) {
    const std::size_t n = plan_.samples;
    const std::size_t k = plan_.outputs;
    switch (plan_.task) {
      case Task::regression:
        for (const std::string& answer : plan_.answers) {
          arrays_.push_back({"/y" + answer, plan_.own_units ? ElementType::f64 : ElementType::f32, {n, k}});
        }
        break;
      case Task::binary: {
        const auto shape = k == 1 ? std::vector{n} : std::vector{n, k};
        arrays_ = {{plan_.probabilities ? "/probability" : "/score", ElementType::f32, shape},
                   {"/label", ElementType::i64, shape}};
        break;
      }
      case Task::classification:
        arrays_ = {{plan_.probabilities ? "/probabilities" : "/scores", ElementType::f32, {n, k}},
                   {"/label", ElementType::i64, {n}}};
        break;
    }
  }

  void encode(const Predictions& predictions, std::vector<std::byte>& bytes) const override {
    constexpr auto none = std::numeric_limits<float>::quiet_NaN();
    if (plan_.task != Task::regression) {
      append(predictions, std::span(predictions.probabilities), none, bytes);
      append(predictions, std::span(predictions.labels), std::int64_t{-1}, bytes);
    } else {
      for (std::size_t answer = 0; answer < arrays_.size(); ++answer) {
        std::vector<double> values;  // of all targets, row by row
        for (std::size_t i = answer; i < predictions.values.size(); i += arrays_.size()) {
          values.push_back(predictions.values[i]);
        }
        if (plan_.own_units) {
          append(predictions, std::span<const double>(values), double{none}, bytes);
        } else {
          const std::vector<float> narrow(values.begin(), values.end());  // as they were
          append(predictions, std::span<const float>(narrow), none, bytes);
        }
      }
    }
  }

  void open(std::function<void()> alive) override {
    std::vector<h5::PlannedAttribute> attributes{{"format", "lockstep-predictions"}, {"version", std::int64_t{1}}};
    for (const auto& [name, text] : plan_.notes) attributes.push_back({name, text});
    attributes.push_back({"step", plan_.step});
    const auto list = [&](const char* name, const std::vector<std::string>& names) {
      if (!names.empty()) attributes.push_back({name, nlohmann::json(names).dump()});
    };
    list("classes", plan_.class_names);
    list("targets", plan_.target_names);
    const h5::Layout layout = h5::plan_file(path_, arrays_, attributes);
    places_ = layout.offsets;
    file_.emplace(path_, std::move(alive));
    for (const h5::Layout::Piece& piece : layout.rest) file_->write(piece.offset, piece.bytes);
  }

  void add(Range rows, std::span<const std::byte> bytes) override {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const std::size_t size = rows.size() * row_bytes(arrays_[i]);
      file_->write(places_[i] + rows.begin * row_bytes(arrays_[i]), bytes.first(size));
      bytes = bytes.subspan(size);
    }
  }

  void commit() override { file_->commit(); }

 private:
  // `none`: in the place of the answers to bad rows.
  template <class T>
  static void append(const Predictions& predictions, std::span<const T> values, T none, std::vector<std::byte>& bytes) {
    const std::size_t before = bytes.size();
    append_bytes(values, bytes);
    const std::size_t width = predictions.rows == 0 ? 0 : values.size() / predictions.rows;
    for (std::size_t i = 0; !predictions.bad.empty() && i < values.size(); ++i) {
      if (predictions.is_bad(i / width)) std::memcpy(bytes.data() + before + i * sizeof none, &none, sizeof none);
    }
  }

  std::string path_;
  PredictionPlan plan_;
  std::vector<h5::PlannedTable> arrays_;
  std::vector<std::size_t> places_;
  std::optional<NewFile> file_;
};

class CsvPredictions final : public PredictionFile {
 public:
  CsvPredictions(std::string path, PredictionPlan plan) : path_(std::move(path)), plan_(std::move(plan)) {
    for (const std::string& name : plan_.class_names) names_.push_back(csv_text(name));
  }

  void encode(const Predictions& predictions, std::vector<std::byte>& bytes) const override {
    fmt::memory_buffer text;
    const fmt::appender out(text);
    const std::size_t k = plan_.task == Task::regression ? plan_.outputs * plan_.answers.size() : plan_.outputs;
    const std::size_t labels = predictions.labels.size() / std::max<std::size_t>(predictions.rows, 1);
    const std::size_t fields = (labels == 0 ? k : labels + k) + (names_.empty() ? 0 : 1);
    for (std::size_t row = 0; row < predictions.rows; ++row) {
      bool follows = false;
      if (predictions.kept != nullptr) text.append(predictions.kept->at(row));
      if (predictions.is_bad(row)) {
        text.append(std::string(fields - 1, ',') + "\n");
        continue;
      }
      const auto add = [&](const auto& value) {
        if (follows) text.push_back(',');
        fmt::format_to(out, FMT_COMPILE("{}"), value);
        follows = true;
      };
      for (std::size_t j = 0; j < labels; ++j) add(predictions.labels[row * labels + j]);
      if (!names_.empty()) add(name_of(predictions.labels[row]));
      for (std::size_t j = 0; j < k; ++j) {
        if (plan_.task != Task::regression) {
          add(predictions.probabilities[row * k + j]);
        } else if (plan_.own_units) {
          add(predictions.values[row * k + j]);
        } else {
          add(static_cast<float>(predictions.values[row * k + j]));  // as it was
        }
      }
      text.push_back('\n');
    }
    append_bytes(std::span<const char>(text.data(), text.size()), bytes);
  }

  void open(std::function<void()> alive) override {
    file_.emplace(path_, std::move(alive));
    const std::string line = header() + "\n";
    file_->append(std::as_bytes(std::span(line)));
  }

  void add(Range /*rows*/, std::span<const std::byte> bytes) override { file_->append(bytes); }
  void commit() override { file_->commit(); }

 private:
  // A label beyond the names that there are is its number.
  [[nodiscard]] std::string name_of(std::int64_t label) const {
    const auto place = static_cast<std::size_t>(label);
    return place < names_.size() ? names_[place] : std::to_string(label);
  }

  [[nodiscard]] std::string header() const {
    const std::size_t k = plan_.outputs;
    const bool named = !plan_.target_names.empty();
    const auto target = [&](std::size_t i) { return named ? plan_.target_names[i] : std::to_string(i); };
    const auto numbered = [&](const std::string& name, std::size_t i) {
      return csv_text(k == 1 ? name : name + "_" + target(i));
    };
    const std::string kind = plan_.probabilities ? "probability" : "score";
    std::vector<std::string> columns;
    for (const std::string& name : plan_.kept_names) columns.push_back(csv_text(name));
    const std::string class_name = plan_.class_target.empty() ? "class" : csv_text(plan_.class_target);
    if (plan_.task == Task::regression) {
      for (std::size_t i = 0; i < k; ++i) {
        for (const std::string& answer : plan_.answers) {
          columns.push_back(csv_text((named ? target(i) : k == 1 ? "y" : "y_" + target(i)) + answer));
        }
      }
    } else if (plan_.task == Task::binary) {
      for (std::size_t i = 0; i < k; ++i) columns.push_back(numbered("label", i));
      if (!names_.empty()) columns.push_back(class_name);
      const std::string of_one = names_.empty() ? "" : "_" + plan_.class_names[1];
      for (std::size_t i = 0; i < k; ++i) columns.push_back(numbered(kind + of_one, i));
    } else {
      columns.emplace_back("label");
      if (!names_.empty()) columns.push_back(class_name);
      for (std::size_t i = 0; i < k; ++i) {
        columns.push_back(
            csv_text(kind + "_" + (i < plan_.class_names.size() ? plan_.class_names[i] : std::to_string(i))));
      }
    }
    return fmt::format("{}", fmt::join(columns, ","));
  }

  std::string path_;
  PredictionPlan plan_;
  std::vector<std::string> names_;  // of classes, as they stand in a row
  std::optional<NewFile> file_;
};

}  // namespace

std::unique_ptr<PredictionFile> make_prediction_file(const std::string& path, PredictionPlan plan) {
  // Of a binary net with one output the names are those of 0 and 1.
  const bool of_labels = plan.task == Task::binary && plan.outputs == 1 && plan.class_names.size() == 2;
  if (plan.task != Task::classification && !of_labels) plan.class_names.clear();
  plan.class_target = plan.target_names.size() == 1 && !plan.class_names.empty() ? plan.target_names.front() : "";
  if (plan.task == Task::classification || plan.target_names.size() != plan.outputs) plan.target_names.clear();
  const std::string end = std::filesystem::path(path).extension().string();
  if (end == ".h5" || end == ".hdf5") return std::make_unique<Hdf5Predictions>(path, std::move(plan));
  if (end == ".csv") return std::make_unique<CsvPredictions>(path, std::move(plan));
  throw Error(ErrorKind::usage,
              fmt::format("--output: expected a name that ends in .h5 (HDF5) or .csv, found \"{}\"", path));
}

}  // namespace lockstep
