// A program whose rank 1 throws before its third step, in which the others wait for it in the shared window.
// Unwinding must not wait for them: the trainer's destructor frees the window, which is collective.
#include <mpi.h>

#include <cstdio>
#include <stdexcept>

#include "lockstep/trainer.hpp"

namespace {

class Samples final : public lockstep::Batch {
 public:
  [[nodiscard]] std::size_t samples() const override { return 30; }
  [[nodiscard]] std::size_t rows(std::size_t /*shard*/) const override { return 10; }
  void gather(std::size_t /*shard*/, const lockstep::BatchRows& rows) override {
    for (float& value : rows.x) value = 0.5F;
    for (float& value : rows.values) value = 1.0F;
    for (auto& sample : rows.samples) sample = 0;
  }
};

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  int rank = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  try {
    lockstep::RunConfig run;
    run.model.layers = {{"dense", {{"units", 5}}}};
    lockstep::Trainer trainer(MPI_COMM_WORLD, run, 4);
    Samples batch;
    for (int step = 0; step < 10; ++step) {
      if (rank == 1 && step == 2) throw std::runtime_error("rank 1 leaves");
      trainer.train_step(batch);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 7);
  }
  MPI_Finalize();
  return 0;
}
