#include "import/csv_met.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lockstep {

std::string encode(const CsvMet& met) {
  nlohmann::json json;
  json["bad"] = met.bad;
  if (met.first_bad) {
    json["first"] = {{"row", met.first_bad->row}, {"line", met.first_bad->line}, {"what", met.first_bad->what}};
  }
  for (const auto& [column, unknown] : met.unknown) {
    json["unknown"][column] = {{"fields", unknown.fields}, {"texts", unknown.texts}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void join(CsvMet& all, const std::string& more) {
  const nlohmann::json json = nlohmann::json::parse(more);
  all.bad += json.at("bad").get<std::size_t>();
  if (json.contains("first")) {
    const auto& first = json.at("first");
    const auto row = first.at("row").get<std::size_t>();
    if (!all.first_bad || row < all.first_bad->row) {
      all.first_bad = CsvMet::BadRow{
          .row = row, .line = first.at("line").get<std::size_t>(), .what = first.at("what").get<std::string>()};
    }
  }
  if (!json.contains("unknown")) return;
  for (const auto& [column, unknown] : json.at("unknown").items()) {
    CsvMet::Unknown& to = all.unknown[column];
    to.fields += unknown.at("fields").get<std::size_t>();
    for (const auto& [text, row] : unknown.at("texts").items()) {
      const auto [place, fresh] = to.texts.emplace(text, row.get<std::size_t>());
      if (!fresh) place->second = std::min(place->second, row.get<std::size_t>());
    }
  }
}

}  // namespace lockstep
