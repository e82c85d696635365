// lockstep export: a trained net for other programs. Runs without MPI.
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "export/arrays.hpp"
#include "export/onnx.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"
#include "net/stored_net.hpp"

namespace lockstep::cli {
namespace {

namespace fs = std::filesystem;

using Pieces = std::vector<std::span<const std::byte>>;

// What is to be written, held until it is.
struct Built {
  std::string onnx;
  std::vector<std::byte> npz;
  std::optional<h5::FileImage> hdf5;
};

struct Format {
  const char* option;
  const char* what;
  Pieces (*build)(const TrainedNet& net, const std::string& file, Built& built);
};

constexpr Format kFormats[] = {
    {"onnx", "ONNX model",
     [](const TrainedNet& net, const std::string& /*file*/, Built& built) {
       built.onnx = build_onnx(net);
       return Pieces{std::as_bytes(std::span(built.onnx))};
     }},
    {"npz", "NumPy arrays",
     [](const TrainedNet& net, const std::string& /*file*/, Built& built) {
       built.npz = build_npz(net);
       return Pieces{built.npz};
     }},
    {"hdf5", "HDF5 arrays",
     [](const TrainedNet& net, const std::string& file, Built& built) {
       built.hdf5 = build_hdf5(net, file);
       return Pieces{built.hdf5->bytes()};
     }},
};

struct Output {
  const Format& format;
  std::string file;
  Pieces pieces = {};
};

std::vector<Output> outputs_of(const CommandInput& input) {
  std::vector<Output> outputs;
  for (const Format& format : kFormats) {
    if (input.options.count(format.option) == 0) continue;
    const auto file = input.options[format.option].as<std::string>();
    for (const Output& other : outputs) {
      if (fs::path(other.file).lexically_normal() == fs::path(file).lexically_normal()) {
        throw Error(ErrorKind::usage,
                    fmt::format("--{} and --{} both name {}", other.format.option, format.option, file));
      }
    }
    outputs.push_back({format, file});
  }
  if (outputs.empty()) {
    throw Error(ErrorKind::usage,
                "export: expected a format and its file, --onnx FILE, --npz FILE or --hdf5 FILE; found none");
  }
  return outputs;
}

// Before anything is written.
void check_place(const Output& output, const std::string& checkpoint, bool overwrite) {
  const char* option = output.format.option;
  if (output.file.empty()) throw Error(ErrorKind::usage, fmt::format("--{}: expected a file, found nothing", option));
  std::error_code ignored;
  const fs::path path(output.file);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorKind::usage, fmt::format("--{} {}: there is no folder {}", option, output.file, folder.string()));
  }
  if (!fs::exists(path, ignored)) return;
  if (fs::equivalent(output.file, checkpoint, ignored)) {
    throw Error(ErrorKind::usage,
                fmt::format("--{}: {} is the checkpoint itself; name another file", option, output.file));
  }
  if (!fs::is_regular_file(output.file, ignored)) {
    throw Error(ErrorKind::usage, fmt::format("--{}: {} is there and is no regular file", option, output.file));
  }
  if (!overwrite) {
    throw Error(ErrorKind::usage,
                fmt::format("--{}: {} exists; replace it with --overwrite, or name another file", option, output.file));
  }
}

int run_export(const CommandInput& input) {
  std::vector<Output> outputs = outputs_of(input);
  const StoredNet stored = read_stored_net(chosen_checkpoint(input));
  for (const Output& output : outputs) check_place(output, stored.path, input.options.count("overwrite") != 0);
  const TrainedNet net{stored.run,          stored.info,           *stored.model,
                       stored.loss->task(), stored.weights.view(), stored.normalization};
  Built built;
  for (Output& output : outputs) output.pieces = output.format.build(net, output.file, built);
  for (const Output& output : outputs) write_file_atomically(output.file, output.pieces);
  tell("{} (step {}): {} inputs, {} outputs ({})\n", stored.path, stored.info.position.step, stored.model->inputs(),
       stored.model->outputs(), output_kind(net));
  for (const Output& output : outputs) tell("  {:<14}{}\n", output.format.what, output.file);
  if (input.options.count("onnx") == 0) return 0;
  for (const std::string& text : onnx_notices(net)) tell_message(text);
  return 0;
}

}  // namespace

Command export_command() {
  return {"export",
          "CHECKPOINT",
          "Writes the net of a checkpoint for other programs.",
          "lockstep export runs/digits --onnx runs/digits/net.onnx",
          {{"onnx", OptionKind::text, "FILE", "", "the whole net as an ONNX model, normalisation included"},
           {"npz", OptionKind::text, "FILE", "", "its arrays for NumPy, by PyTorch's names"},
           {"hdf5", OptionKind::text, "FILE", "", "the same arrays in an HDF5 file"},
           {"overwrite", OptionKind::flag, "", "", "replaces files that are there"}},
          run_export};
}

}  // namespace lockstep::cli
