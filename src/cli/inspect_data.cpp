#include "cli/inspect_data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "data/describe_data.hpp"

namespace lockstep::cli {
namespace {

using Json = nlohmann::ordered_json;

// What is listed of a table: more is a flood for people, and for a JSON reader too.
constexpr std::size_t kColumnsOfText = 16;
constexpr std::size_t kColumnsOfJson = 4096;
constexpr std::size_t kClassesOfText = 32;
constexpr std::size_t kFilesOfText = 8;

std::string stored_type(const h5::DatasetInfo& info) {
  return std::string(info.type ? type_name(*info.type) : "not a number");
}

Json number(double value) {
  return std::isnan(value) ? Json() : Json(value);
}

Json range_json(const RangeOfNumbers& range) {
  return {{"min", number(range.least)},
          {"max", number(range.largest)},
          {"mean", number(range.mean)},
          {"not_finite", range.not_finite}};
}

std::string class_name(const TableDescription& table, std::size_t label) {
  return label < table.classes.size() ? table.classes[label] : std::to_string(label);
}

Json to_json(const TableDescription& table) {
  Json json{{"type", stored_type(table.info)},
            {"shape", table.info.shape},
            {"chunk", table.storage.chunk.empty() ? Json() : Json(table.storage.chunk)},
            {"filters", table.storage.filters},
            {"stored_bytes", table.storage.bytes}};
  if (!table.columns.empty()) {
    json.update(range_json(table.all));
    if (table.columns.size() <= kColumnsOfJson) {
      json["columns"] = Json::array();
      for (std::size_t c = 0; c < table.columns.size(); ++c) {
        Json column;
        if (!table.names.empty()) column["name"] = table.names[c];
        column.update(range_json(table.columns[c]));
        json["columns"].push_back(column);
      }
    }
  }
  if (!table.labels.empty()) {
    json["classes"] = Json::array();
    for (std::size_t label = 0; label < std::max(table.labels.size(), table.classes.size()); ++label) {
      Json entry{{"label", label}};
      if (label < table.classes.size()) entry["name"] = table.classes[label];
      entry["count"] = label < table.labels.size() ? table.labels[label] : 0;
      json["classes"].push_back(entry);
    }
  }
  json["advice"] = table.advice;
  return json;
}

void print_range(const std::string& name, const RangeOfNumbers& range) {
  tell("    {:<24}{:>13.6g} {:>13.6g} {:>13.6g}{}\n", name, range.least, range.largest, range.mean,
       range.not_finite == 0 ? "" : fmt::format("  {} not finite", range.not_finite));
}

std::string storage_text(const h5::DatasetStorage& storage) {
  if (storage.chunk.empty()) return "contiguous";
  return fmt::format("chunks of [{}]{}{}", fmt::join(storage.chunk, ", "), storage.filters.empty() ? "" : ", ",
                     fmt::join(storage.filters, " + "));
}

void print_text(const TableDescription& table) {
  tell("  {:<16}{} [{}], {}\n", table.path, stored_type(table.info), fmt::join(table.info.shape, ", "),
       storage_text(table.storage));
  if (!table.labels.empty()) {
    const std::size_t classes = std::max(table.labels.size(), table.classes.size());
    tell("    {} {}:", classes, classes == 1 ? "class" : "classes");
    for (std::size_t label = 0; label < std::min(classes, kClassesOfText); ++label) {
      tell("{} {} {}", label == 0 ? "" : ",", class_name(table, label),
           label < table.labels.size() ? table.labels[label] : 0);
    }
    tell("{}\n", classes > kClassesOfText ? ", ..." : "");
    return;
  }
  if (table.columns.empty()) return;
  tell("    {:<24}{:>13} {:>13} {:>13}\n", "", "min", "max", "mean");
  const std::size_t listed = table.columns.size() <= kColumnsOfText ? table.columns.size() : kColumnsOfText - 4;
  for (std::size_t c = 0; c < listed && table.columns.size() > 1; ++c) {
    print_range(table.names.empty() ? fmt::format("column {}", c) : table.names[c], table.columns[c]);
  }
  if (listed < table.columns.size()) tell("    ... {} more, see --json\n", table.columns.size() - listed);
  const bool single = table.columns.size() == 1 && !table.names.empty();
  print_range(single ? table.names[0] : "all", table.all);
}

}  // namespace

namespace {

int show(const std::string& path, const std::vector<TableDescription>& tables,
         const std::vector<std::pair<std::string, std::size_t>>& files, bool json_wanted) {
  if (json_wanted) {
    Json json{{"file", path}, {"kind", "data"}};
    for (const auto& [file, rows] : files) json["files"].push_back({{"file", file}, {"rows", rows}});
    for (const TableDescription& table : tables) json["data"][table.path] = to_json(table);
    tell_lines(json_text(json) + "\n");
    return 0;
  }
  tell("{}\n", path);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (i + 1 != files.size() && i + 1 >= kFilesOfText) {
      if (i + 1 == kFilesOfText) tell("  ... {} more files, see --json\n", files.size() - kFilesOfText);
      continue;
    }
    tell("  {:<48}{}\n", files[i].first, count_text(files[i].second, "row"));
  }
  for (const TableDescription& table : tables) print_text(table);
  for (const TableDescription& table : tables) {
    for (const std::string& sentence : table.advice) tell("  advice: {}\n", sentence);
  }
  return 0;
}

}  // namespace

int inspect_data(const std::string& path, bool json_wanted) {
  return show(path, describe_data(path), {}, json_wanted);
}

int inspect_files(const std::string& place, bool json_wanted) {
  const FilesDescription found = describe_files(place);
  return show(place, found.tables, found.files, json_wanted);
}

}  // namespace lockstep::cli
