// lockstep completion: the program's words for a shell, from the one table of commands and the list of run-file keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/run_keys.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

// What the shell runs. Bash takes = and : for ends of words, and keys and data sets hold them: so the line is taken
// apart here, and what bash will keep of the last word is cut off the answers.
constexpr std::string_view kFrame = R"SH(# Completes the words of lockstep in bash. Made by: lockstep completion bash
_lockstep() {{
  local line=${{COMP_LINE:0:COMP_POINT}} bash_word=${{2-}}
  local word=${{line##*[[:space:]]}}
  local words previous kept option
  read -ra words <<<"${{line%"$word"}}"
  previous=${{words[${{#words[@]}} - 1]}}
  kept=${{word%"$bash_word"}}
  if [[ $word == --*=* ]]; then
    option=${{word%%=*}}= previous=${{word%%=*}} word=${{word#*=}}
  fi
  local keys="{keys}"
  COMPREPLY=()
  if ((${{#words[@]}} == 1)); then
    _lockstep_among "{commands} --help --version"
  else
    case "${{words[1]}} $previous" in
{values}      *)
        case "${{words[1]}}" in
{options}        esac
        ;;
    esac
  fi
  COMPREPLY=("${{COMPREPLY[@]/#/$option}}")
  COMPREPLY=("${{COMPREPLY[@]#"$kept"}}")
}}
_lockstep_among() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }}
_lockstep_files() {{
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$word")
}}
_lockstep_keys() {{
  case "$word" in
{choices}    *)
      compopt -o nospace 2>/dev/null
      _lockstep_among "$keys"
      ;;
  esac
}}
complete -F _lockstep lockstep
)SH";

// Of a positional argument or of an option's value: the shell's words that complete it; empty: nothing does.
std::string completed_by(std::string_view argument, std::span<const std::string_view> choices) {
  if (!choices.empty()) return fmt::format("_lockstep_among \"{}\"", fmt::join(choices, " "));
  if (argument == "KEY=VALUE") return "_lockstep_keys";
  if (argument == "DIR") return "_lockstep_files -d";
  const auto names = [&](std::string_view part) { return argument.find(part) != std::string_view::npos; };
  if (names("FILE") || names("OUT") || names(".toml") || names("CHECKPOINT") || names("DIR"))
    return "_lockstep_files -f";
  const auto small = [](unsigned char c) { return std::islower(c) != 0; };
  if (!argument.empty() && std::ranges::all_of(argument, small)) return fmt::format("_lockstep_among \"{}\"", argument);
  return "";
}

std::string branch(const std::string& indent, const std::string& pattern, const std::string& body) {
  return fmt::format("{}{}) {} ;;\n", indent, pattern, body);
}

std::string bash_completion() {
  std::string names;
  std::string values;
  std::string options;
  for (const Command& command : commands()) {
    names += fmt::format("{}{}", names.empty() ? "" : " ", command.name);
    std::string flags;
    for (const OptionSpec& option : command.options) {
      flags += fmt::format("--{} ", option.name);
      if (option.kind == OptionKind::flag) continue;
      const std::string by = completed_by(option.argument, option.choices);
      values += branch("      ", fmt::format("\"{} --{}\"", command.name, option.name), by.empty() ? ":" : by);
    }
    const std::string by = completed_by(command.arguments, {});
    const std::string among = fmt::format("_lockstep_among \"{}--help\"", flags);
    const std::string body = by.empty() ? among : fmt::format("if [[ $word == -* ]]; then {}; else {}; fi", among, by);
    options += branch("          ", std::string(command.name), body);
  }
  std::string keys;
  std::string choices;
  for (const RunKey& key : run_keys()) {
    keys += fmt::format("{}{}=", keys.empty() ? "" : " ", key.name);
    if (key.choices.empty()) continue;
    std::vector<std::string> known;
    for (const std::string& choice : key.choices) known.push_back(key.name + "=" + choice);
    choices += branch("    ", key.name + "=*", fmt::format("_lockstep_among \"{}\"", fmt::join(known, " ")));
  }
  return fmt::format(kFrame, fmt::arg("commands", names), fmt::arg("values", values), fmt::arg("options", options),
                     fmt::arg("keys", keys), fmt::arg("choices", choices));
}

int run_completion(const CommandInput& input) {
  const std::string shell = input.arguments.empty() ? "" : input.arguments[0];
  if (shell != "bash") {
    throw Error(ErrorKind::usage,
                shell.empty() ? "completion: a shell is needed: lockstep completion bash"
                              : fmt::format("completion: expected bash, the shell that is known, found \"{}\"", shell));
  }
  tell_lines(bash_completion());
  return 0;
}

}  // namespace

Command completion_command() {
  return {"completion",
          "bash",
          "Prints what bash needs to complete commands, options and keys.",
          "source <(lockstep completion bash)",
          {},
          run_completion};
}

}  // namespace lockstep::cli
