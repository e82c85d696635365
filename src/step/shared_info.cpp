#include "step/shared_info.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep {

std::optional<CheckpointInfo> share_info(const Communicator& comm, const Checkpoint* read, const std::string& name) {
  std::string encoded;
  comm.together([&] {
    if (read == nullptr) return;
    const std::vector<std::byte> bytes = encode_info(read->info);
    encoded.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  encoded = comm.broadcast_text(encoded);
  if (encoded.empty()) return {};
  return decode_info(std::as_bytes(std::span(encoded)), name);
}

}  // namespace lockstep
