// All commands, for the program's help, completion and manual, and to find one by its name. What needs no MPI is
// described beside its code; what ranks run is described here, for its code is in another library, see ranks.hpp.
#include "cli/commands.hpp"

#include "config/keys.hpp"
#include "layers/layer_table.hpp"
#include "optim/optimizer.hpp"

namespace lockstep::cli {
namespace {

Command train_command() {
  return {"train",
          "RUN.toml",
          "Trains the net of a run file.",
          "mpirun -n 4 lockstep train run.toml --set train.epochs=50",
          {{"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run file; may be given again"},
           {"output", OptionKind::text, "DIR", "", "the run folder (default: runs/NAME)"},
           {"resume", OptionKind::flag, "", "", "goes on from the run folder's newest good checkpoint"},
           {"overwrite", OptionKind::flag, "", "", "starts afresh in a folder that holds checkpoints"},
           {"dry-run", OptionKind::flag, "", "", "checks everything, tells sizes and steps, writes nothing"},
           {"quiet", OptionKind::flag, "", "", "no progress; warnings and notices stay"},
           {"keys", OptionKind::flag, "", "", "lists the keys of a run file and stops"},
           {"types", OptionKind::flag, "", "", "lists layers, losses, optimizers, schedules and stops"}},
          nullptr,
          true};
}

Command evaluate_command() {
  return {"evaluate",
          "CHECKPOINT",
          "Scores a checkpoint, or a run folder's newest, on data.",
          "mpirun -n 2 lockstep evaluate runs/digits --json",
          {{"data", OptionKind::text, "FILE", "", "other data than the run's, FILE.h5:/group, IDX or .npy"},
           {"labels", OptionKind::text, "FILE", "", "the labels or targets of --data that is one file of a pair"},
           {"split",
            OptionKind::text,
            "NAME",
            "test",
            "group of FILE, or of the run's data",
            {"train", "validation", "test"}},
           {"importance", OptionKind::flag, "", "", "also by how much each input, shuffled, spoils the score"},
           {"by", OptionKind::text, "SCORE", "", "that score (default: accuracy, r2 or loss)"},
           {"repeats", OptionKind::integer, "N", "5", "how often each input is shuffled"},
           {"seed", OptionKind::integer, "N", "1", "of the shuffles"},
           {"importance-csv", OptionKind::text, "FILE", "", "a file for them; replaces one that is there"},
           {"report", OptionKind::flag, "", "", "adds them to the report.html of the run folder"},
           {"json", OptionKind::flag, "", "", "all of it as JSON"}}};
}

Command predict_command() {
  return {"predict",
          "CHECKPOINT",
          "Writes a checkpoint's answers to samples, as HDF5 or CSV.",
          "mpirun -n 2 lockstep predict runs/digits --input x.h5 --output y.csv",
          {{"input", OptionKind::text, "FILE", "", "FILE.h5:/group, IDX, .npy or a table (default: the run's)"},
           {"split", OptionKind::text, "NAME", "test", "group of FILE, or train or test data", {"train", "test"}},
           {"output", OptionKind::text, "OUT", "", "file to write, OUT.h5 or OUT.csv"},
           {"overwrite", OptionKind::flag, "", "", "replaces a file that is there"},
           {"keep", OptionKind::list, "COLUMNS", "", "of a table: columns to stand before the answers"},
           {"bad-rows", OptionKind::text, "WHAT", "refuse", "of a table: refuse, or mark by an empty answer"}}};
}

Command bench_command() {
  std::vector<std::string_view> optimizers;
  for (const OptimizerType& type : optimizer_table()) optimizers.push_back(type.info.name);
  std::vector<std::string_view> activations;
  for (const LayerType& type : layer_table()) {
    if (type.activation) activations.push_back(type.info.name);
  }
  const std::vector<std::string_view> exchanges(std::begin(kExchangeNames), std::end(kExchangeNames));
  const std::vector<std::string_view> wires(std::begin(kWireNames), std::end(kWireNames));
  return {"bench",
          "",
          "Times the training step beside its matrix products alone.",
          "mpirun -n 2 lockstep bench --layers 784,512,256,10 --batch 64 --json",
          {{"layers", OptionKind::text, "WIDTHS", "784,512,256,10", "without any shape a table of five"},
           {"activation", OptionKind::text, "NAME", "relu", "behind each hidden layer", activations},
           {"dropout", OptionKind::number, "RATE", "0", "behind each activation"},
           {"batch", OptionKind::integer, "N", "64", "samples a rank"},
           {"shards", OptionKind::integer, "S", "", "shards in all (default: the ranks)"},
           {"optimizer", OptionKind::text, "NAME", "sgd", "sgd runs with momentum 0.9", optimizers},
           {"exchange", OptionKind::text, "NAME", "node", "node, tree or allreduce", exchanges},
           {"wire", OptionKind::text, "NAME", "float32", "between hosts: float32 or bfloat16", wires},
           {"no-overlap", OptionKind::flag, "", "", "hosts exchange when they have computed, not meanwhile"},
           {"steps", OptionKind::integer, "N", "", "steps a round (default: a tenth of a second of them)"},
           {"rounds", OptionKind::integer, "N", "15", "how often; medians of the rounds are told"},
           {"json", OptionKind::flag, "", "", "the result as JSON"}}};
}

Command doctor_command() {
  return {"doctor",
          "[RUN.toml]",
          "Measures a job's machines, finds faults, predicts more ranks.",
          "mpirun -n 4 lockstep doctor run.toml --network 20,25",
          {{"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run file; may be given again"},
           {"output", OptionKind::text, "DIR", "", "the folder to try (default: runs/NAME of the run file)"},
           {"network", OptionKind::text, "US,GBIT", "", "latency and rate to predict with (default: as measured)"},
           {"json", OptionKind::flag, "", "", "everything as JSON"}}};
}

Command explain_command() {
  return {"explain",
          "RUN.toml|CHECKPOINT",
          "Shows backpropagation on a net: one sample forward, the chain rule back, a step.",
          "lockstep explain launch/runs/two-weights.toml --weight 'dense1[0,0]'",
          {{"sample", OptionKind::integer, "I", "0", "which of the training samples"},
           {"weight", OptionKind::text, "NAME[I,J]", "", "a weight to be followed: dense2[3,0]; dense2[3] is a bias"},
           {"html", OptionKind::text, "FILE", "", "a page with the net drawn, to click through"},
           {"svg", OptionKind::text, "FILE", "", "the drawing of the net alone"},
           {"json", OptionKind::flag, "", "", "all numbers as JSON"},
           {"check", OptionKind::flag, "", "", "all gradients against central differences; exit code 1 if one is off"},
           {"tolerance", OptionKind::number, "X", "1e-3", "of --check, relative"},
           {"most", OptionKind::integer, "N", "200", "of --check: weights of a parameter, drawn by the seed"},
           {"ranks", OptionKind::flag, "", "", "the shards' gradients of the weight in a step, and how they are added"},
           {"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run; may be given again"}}};
}

Command landscape_command() {
  return {"landscape",
          "RUN.toml|CHECKPOINT",
          "Draws the cost over one or two weights, and descent on it.",
          "lockstep landscape launch/runs/perceptron.toml --weight 'dense1[0,0]'",
          {{"weight", OptionKind::text, "NAME[I,J]", "", "the weight: dense2[3,0]; dense2[3] is a bias"},
           {"and", OptionKind::text, "NAME[K,L]", "", "a second weight: contours in place of a curve"},
           {"span", OptionKind::number, "X", "", "to either side of it (default: 1, or twice its size)"},
           {"range", OptionKind::text, "LOW:HIGH", "", "of the weight, in place of --span"},
           {"and-range", OptionKind::text, "LOW:HIGH", "", "of the second weight"},
           {"points", OptionKind::integer, "N", "", "in the range (default: 101; of two weights 61 each)"},
           {"steps", OptionKind::integer, "N", "20", "of gradient descent on these weights alone"},
           {"lr", OptionKind::number, "RATE", "", "its learning rate (default: the run's)"},
           {"from", OptionKind::text, "X[,Y]", "", "where it starts (default: where the weights are)"},
           {"output", OptionKind::text, "PREFIX", "landscape", "of the files: .csv, -steps.csv, .svg"},
           {"overwrite", OptionKind::flag, "", "", "replaces files that are there"},
           {"json", OptionKind::flag, "", "", "what was found as JSON"},
           {"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run; may be given again"}}};
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> all{
      train_command(),   evaluate_command(),  predict_command(),    inspect_command(), import_command(),
      new_command(),     export_command(),    report_command(),     bench_command(),   doctor_command(),
      explain_command(), landscape_command(), completion_command(), manual_command()};
  return all;
}

}  // namespace lockstep::cli
