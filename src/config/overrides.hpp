// --set KEY=VALUE: one value of a run file, changed before anything of it is read.
#pragma once

#include <toml++/toml.h>

#include <string>

namespace lockstep {

/// What a value is, for messages: "a table", "\"text\"", "3".
[[nodiscard]] std::string describe(const toml::node& node);

/// Sets what `text`, "key=value", says. A value that is not TOML is a text. A key that the run file leaves out begins
/// as its default, so that a part of it can be set: an entry of a list, an option of a loss or schedule.
/// Errors: config (no "=", a part of the key that is not there).
void apply_override(toml::table& root, const std::string& text);

}  // namespace lockstep
