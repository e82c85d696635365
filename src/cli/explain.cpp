// lockstep explain: backpropagation on a run's own net and data, with the numbers that training uses.
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/explain_ranks.hpp"
#include "cli/subject.hpp"
#include "comm/communicator.hpp"

namespace lockstep::cli {
namespace {

int run_explain(const CommandInput& input) {
  Subject subject = open_subject(input);
  if (input.options.count("ranks") != 0) return explain_ranks(input, subject);
  return 0;
}

}  // namespace

Command explain_command() {
  return {"explain",
          "RUN.toml|CHECKPOINT",
          "Shows backpropagation on a net: one sample forward, the chain rule back, a step.",
          "lockstep explain launch/runs/two-weights.toml --weight dense1[0,0]",
          true,
          false,
          {{"sample", OptionKind::integer, "I", "0", "which of the training samples"},
           {"weight", OptionKind::text, "NAME[I,J]", "", "a weight to be followed: dense2[3,0]; dense2[3] is a bias"},
           {"html", OptionKind::text, "FILE", "", "writes a page that draws the net"},
           {"json", OptionKind::flag, "", "", "all numbers as JSON"},
           {"ranks", OptionKind::flag, "", "", "the shards' gradients of the weight in a step, and how they are added"},
           {"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run; may be given again"}},
          run_explain};
}

}  // namespace lockstep::cli
