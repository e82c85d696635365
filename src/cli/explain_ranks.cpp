#include "cli/explain_ranks.hpp"

namespace lockstep::cli {

int explain_ranks(const CommandInput& /*input*/, Subject& /*subject*/) {
  return 0;
}

}  // namespace lockstep::cli
