// What is fuzzed: run files, checkpoints, IDX, .npy and CSV files, recipes. Each kind has good files to start from and
// hands a changed one to the code that meets it in a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "faults/fuzz_mutations.hpp"

namespace lockstep::fuzz {

/// One case: the bytes of its files.
struct Input {
  std::vector<std::string> files;
  bool must_be_refused = false;  ///< to accept it would be a failure
};

/// An input was taken, but wrongly.
class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Kind {
 public:
  virtual ~Kind() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The good inputs, unchanged: all must be accepted.
  [[nodiscard]] virtual std::vector<Input> seeds() const = 0;
  [[nodiscard]] virtual Input mutated(Random& random) const = 0;
  /// Reads the input; files go to `folder` where they must be files. Returns when it is accepted.
  /// Errors: config, data, usage or io, when it is refused. Everything else is a failure: WrongResult too.
  virtual void read(const Input& input, const std::filesystem::path& folder) const = 0;
};

[[nodiscard]] std::string text_of(std::span<const std::byte> bytes);
/// Writes a file anew, and gives back its name.
std::string put(const std::filesystem::path& file, const std::string& bytes);

/// Text of a run: parsed, made into net, loss, optimizer and schedule, written and parsed again.
[[nodiscard]] std::unique_ptr<Kind> make_run_files();
/// A checkpoint's bytes, with its trailer as it was, or made anew so that what is behind it gets them.
[[nodiscard]] std::unique_ptr<Kind> make_checkpoints();
/// A checkpoint's content: numbers, texts and arrays, under a right digest and trailer.
[[nodiscard]] std::unique_ptr<Kind> make_contents();
/// Reads a checkpoint and does what commands do with it, also with the parts that its digest does not cover.
void use_checkpoint(const std::string& file);
/// A pair of IDX files, plain or gzip.
[[nodiscard]] std::unique_ptr<Kind> make_idx_files();
/// A pair of .npy files.
[[nodiscard]] std::unique_ptr<Kind> make_npy_files();
/// A CSV table, as far as its rows of numbers.
[[nodiscard]] std::unique_ptr<Kind> make_csv_files();
/// The recipe of a table, and a table that is read by it.
[[nodiscard]] std::unique_ptr<Kind> make_recipes();
/// Tables that are read by a recipe: with columns in another order, renamed, missing, doubled, texts that are not
/// known, rows that cannot be read; what must become of them is known.
[[nodiscard]] std::unique_ptr<Kind> make_recipe_tables();

}  // namespace lockstep::fuzz
