// lockstep manual: the page for man, from the one table of commands and the list of run-file keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/help.hpp"
#include "cli/output.hpp"
#include "cli/run_keys.hpp"
#include "lockstep/version.hpp"

namespace lockstep::cli {
namespace {

// Text as roff takes it: a hyphen is not a minus sign there, a backslash begins an escape, and a point or an apostrophe
// at the beginning of a line a request.
std::string roff(std::string_view text) {
  std::string escaped;
  if (!text.empty() && (text.front() == '.' || text.front() == '\'')) escaped = "\\&";
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '~') {
      escaped += "\\(ti";
    } else if (c == '`' || c == '^') {
      escaped += c == '`' ? "\\(ga" : "\\(ha";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// A paragraph with a term in bold before it.
std::string entry(std::string_view term, std::string_view argument, std::string_view what) {
  std::string text = fmt::format(".TP\n\\fB{}\\fR", roff(term));
  if (!argument.empty()) text += fmt::format(" \\fI{}\\fR", roff(argument));
  return text + fmt::format("\n{}\n", roff(what));
}

std::string about(const Command& command) {
  std::string text = fmt::format(".SS \\fBlockstep {}\\fR", roff(command.name));
  if (!command.arguments.empty()) text += fmt::format(" \\fI{}\\fR", roff(command.arguments));
  text += fmt::format("\n{}\n", roff(command.what));
  for (const OptionSpec& option : command.options) {
    std::string what(option.what);
    if (!option.choices.empty()) what += fmt::format("; one of: {}", fmt::join(option.choices, ", "));
    if (!option.fallback.empty()) what += fmt::format(" (default: {})", option.fallback);
    text += entry(fmt::format("--{}", option.name), option.argument, what);
  }
  return text + fmt::format(".PP\nExample:\n.PP\n.RS 4\n.EX\n{}\n.EE\n.RE\n", roff(command.example));
}

std::string manual() {
  std::string text =
      fmt::format(".\\\" Made by: lockstep manual\n.TH LOCKSTEP 1 \"\" \"lockstep {}\" \"User Commands\"\n", kVersion);
  text +=
      ".SH NAME\nlockstep \\- trains neural networks data\\-parallel over MPI ranks\n"
      ".SH SYNOPSIS\n[\\fBmpirun \\-n\\fR \\fIRANKS\\fR] \\fBlockstep\\fR \\fICOMMAND\\fR ...\n"
      ".SH DESCRIPTION\nA run is described by one TOML file, reads HDF5, and leaves HDF5 checkpoints and CSV files.\n"
      "Results do not depend on the number of ranks.\n"
      "Results go to standard output, progress and messages to standard error.\n.PP\n"
      "\\fBlockstep \\-\\-help\\fR lists the commands, \\fBlockstep\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR the options "
      "of "
      "one,\n\\fBlockstep \\-\\-version\\fR tells the version.\n"
      ".SH COMMANDS\n";
  for (const Command& command : commands()) text += about(command);
  text += ".SH KEYS OF RUN FILES\nA key with a point stands in the section of that name.\n";
  for (const RunKey& key : run_keys()) {
    text += fmt::format(".TP\n\\fB{}\\fR ({}; default: {})\n{}\n", roff(key.name), roff(key.type), roff(key.fallback),
                        roff(key.what));
  }
  text += ".SH EXIT STATUS\n";
  for (const ExitCode& code : exit_codes()) text += entry(std::to_string(code.code), "", code.meaning);
  text += ".SH ENVIRONMENT\n";
  text += entry("LOCKSTEP_PROGRESS", "",
                "how train tells its progress: live (one line that renews itself), lines or none. Without it "
                "live on a terminal, lines elsewhere; mpirun hides a terminal.");
  text += entry("COLUMNS", "", "width of the terminal, where it cannot be asked.");
  text += ".SH FILES\n";
  text += entry("runs/NAME", "",
                "the folder of a run: run.toml, metrics.csv, steps.csv, times.csv, summary.json and checkpoints.");
  return text;
}

int run_manual(const CommandInput& /*input*/) {
  tell_lines(manual());
  return 0;
}

}  // namespace

Command manual_command() {
  return {"manual", "",        "Prints the manual page, for man.", "lockstep manual > lockstep.1 && man ./lockstep.1",
          {},       run_manual};
}

}  // namespace lockstep::cli
