// A run, or several beside each other, as one page that needs nothing else: script, charts and numbers are in it.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "report/page_data.hpp"
#include "report/run_files.hpp"

namespace lockstep {

/// The page: the same bytes for the same files. Whatever the files hold stays text in it.
[[nodiscard]] std::string format_report(std::span<const RunFiles> runs, const PageLimits& limits = {});

/// Reads run folders and writes their page to `path`, all or nothing. `alive` is called from time to time.
/// Returns what was left out of the files, a text each. Local. Errors: data (no run folder), io.
std::vector<std::string> write_report(std::span<const std::string> folders, const std::string& path,
                                      const std::function<void()>& alive = {});

}  // namespace lockstep
