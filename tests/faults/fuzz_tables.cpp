// Tables of other formats: pairs of .npy files, and CSV on its way to rows of numbers.
#include <fmt/format.h>

#include <numeric>

#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "faults/fuzz_kinds.hpp"
#include "import/csv_table.hpp"

namespace lockstep::fuzz {
namespace {

std::string npy(const std::string& type, std::size_t element_bytes, const std::string& shape, std::size_t elements) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  text.resize(117, ' ');
  return "\x93NUMPY\x01" + std::string(1, '\0') + "v" + std::string(1, '\0') + text + "\n" +
         std::string(element_bytes * elements, '\x01');
}

class NpyFiles final : public Kind {
 public:
  [[nodiscard]] std::string_view name() const override { return "npy"; }

  [[nodiscard]] std::vector<Input> seeds() const override {
    std::vector<Input> inputs;
    for (const std::string& x : samples_) {
      for (const std::string& y : targets_) inputs.push_back({{x, y}});
    }
    return inputs;
  }

  [[nodiscard]] Input mutated(Random& random) const override {
    Input input{{random.pick(samples_), random.pick(targets_)}};
    std::string& file = input.files[random.below(2)];
    if (random.one_in(2)) {
      mutate_bytes(file, samples_, random);
    } else {  // within the header's text, where most may go wrong
      std::string text = file.substr(10, 118);
      mutate_text(text, {"'descr'", "'<f8'", "[", "(", "True", "99999999999999999999", "4294967296"}, samples_, random);
      text.resize(118, ' ');
      file.replace(10, 118, text);
    }
    return input;
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    const Dataset data =
        read_dataset({put(folder / "x.npy", input.files[0]), put(folder / "y.npy", input.files[1])}, {});
    std::vector<std::uint32_t> rows(data.samples());
    std::iota(rows.begin(), rows.end(), 0U);
    std::vector<float> x(rows.size() * data.inputs());
    gather_rows(data.x, fit_scaling(NormalizeMethod::standard, data.x), rows, x);
  }

 private:
  std::vector<std::string> samples_{npy("<f4", 4, "6, 4", 24), npy("<i2", 2, "6, 2, 3", 36), npy("|u1", 1, "6,", 6)};
  std::vector<std::string> targets_{npy("<i8", 8, "6,", 6), npy("<f8", 8, "6, 2", 12)};
};

class CsvFiles final : public Kind {
 public:
  [[nodiscard]] std::string_view name() const override { return "csv"; }

  [[nodiscard]] std::vector<Input> seeds() const override {
    std::vector<Input> inputs;
    for (const std::string& text : tables_) inputs.push_back({{text}});
    return inputs;
  }

  [[nodiscard]] Input mutated(Random& random) const override {
    Input input{{random.pick(tables_)}};
    if (random.one_in(2)) {
      mutate_bytes(input.files[0], tables_, random);
    } else {
      mutate_text(input.files[0], {"\"", "\"\"", ",", "\r", "\n", "nan", "1e999", "\xC3\xA9", "-"}, tables_, random);
    }
    return input;
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    CsvOptions options;
    options.target = {"y"};
    options.categorical = {"auto"};
    options.missing = {"drop", "a=median+indicator"};
    ImportedTable table(options, (folder / "data.h5").string());
    const std::string file = put(folder / "table.csv", input.files[0]);
    table.begin_file(file);
    read_csv(file, ',', table, {});
    table.end_file();
    table.fit([] { return [] { return true; }; });
    const RowFormat format = table.format();
    if (!(recipe_of_json(format.recipe, "this table") == table.recipe()))
      throw WrongResult("another recipe comes back");
    const std::unique_ptr<RowSource> source = table.source();
    std::size_t rows = 0;
    RowBlock block;
    for (source->next(block); block.rows != 0; source->next(block)) {
      if (block.x.size() != block.rows * format.x_bytes() || block.y.size() != block.rows * format.y_bytes()) {
        throw WrongResult("half a row");
      }
      rows += block.rows;
    }
    if (rows != table.rows()) throw WrongResult("not all rows come again");
  }

 private:
  std::vector<std::string> tables_{
      "a,b,y\n1,2,3\n4,5,6\n-1e-3,.5,+7\n",
      "\xEF\xBB\xBF\"a\",color,y\r\n1,red,cat\r\n2,\"dark \"\"blue\"\"\nor so\",dog\r\n3,,cat\r\n\r\n4,red,cat",
      "y,a\n1,NA\n\n2 , 3\n"};
};

}  // namespace

std::unique_ptr<Kind> make_npy_files() {
  return std::make_unique<NpyFiles>();
}
std::unique_ptr<Kind> make_csv_files() {
  return std::make_unique<CsvFiles>();
}

}  // namespace lockstep::fuzz
