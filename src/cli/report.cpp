// lockstep report: a run, or several beside each other, as one page. Runs without MPI.
#include "report/report.hpp"
#include "cli/output.hpp"

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

int run_report(const CommandInput& input) {
  if (input.arguments.empty())
    throw Error(ErrorKind::usage, "report: the folder of a run is needed; see lockstep report --help");
  std::string output = input.arguments.size() == 1 ? input.arguments[0] + "/report.html" : "report.html";
  if (input.options.count("output") != 0) output = input.options["output"].as<std::string>();
  if (output.empty()) throw Error(ErrorKind::usage, "--output: expected a file, found nothing");
  for (const std::string& note : write_report(input.arguments, output)) {
    tell_message("warning: " + note);
  }
  tell("{}\n", output);
  return 0;
}

}  // namespace

Command report_command() {
  return {
      "report",
      "RUN_DIR...",
      "Draws a run, or several side by side, as a page for a browser.",
      "lockstep report runs/digits runs/wide --output compare.html",
      {{"output", OptionKind::text, "FILE", "", "the page (default: RUN_DIR/report.html; of several: report.html)"}},
      run_report};
}

}  // namespace lockstep::cli
