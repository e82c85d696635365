#include "score/prediction.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <array>
#include <exception>
#include <numeric>
#include <vector>

#include "core/sums.hpp"
#include "data/dataset.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMessageBytes = std::size_t{1} << 30U;
constexpr int kTag = 1;

// Rows of a piece: whole blocks, and few enough that small data gives every rank something to do.
std::size_t rows_of_piece(const TableHeader& x, std::size_t outputs, std::size_t ranks, std::size_t piece_bytes) {
  const std::size_t row_bytes = x.row_bytes() + 16 * outputs;
  const std::size_t blocks = (x.rows + kEvaluationBlock - 1) / kEvaluationBlock;
  const std::size_t share = (blocks + ranks - 1) / ranks;
  return kEvaluationBlock * std::clamp<std::size_t>(piece_bytes / (row_bytes * kEvaluationBlock), 1, share);
}

// Encoded predictions on their way to rank 0.
class Parcel {
 public:
  std::vector<std::byte> bytes;

  void send(MPI_Comm comm) {
    size_ = static_cast<std::int64_t>(bytes.size());
    MPI_Request& head = requests_.emplace_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Isend(&size_, 1, MPI_INT64_T, 0, kTag, comm, &head), "MPI_Isend");
    for (std::size_t at = 0; at < bytes.size(); at += kMessageBytes) {
      const auto part = static_cast<int>(std::min(kMessageBytes, bytes.size() - at));
      MPI_Request& request = requests_.emplace_back(MPI_REQUEST_NULL);
      check_mpi(MPI_Isend(bytes.data() + at, part, MPI_BYTE, 0, kTag, comm, &request), "MPI_Isend");
    }
  }

  void receive(MPI_Comm comm, int source) {
    check_mpi(MPI_Recv(&size_, 1, MPI_INT64_T, source, kTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
    bytes.resize(static_cast<std::size_t>(size_));
    for (std::size_t at = 0; at < bytes.size(); at += kMessageBytes) {
      const auto part = static_cast<int>(std::min(kMessageBytes, bytes.size() - at));
      check_mpi(MPI_Recv(bytes.data() + at, part, MPI_BYTE, source, kTag, comm, MPI_STATUS_IGNORE), "MPI_Recv");
    }
  }

  /// Until then the bytes may not be touched.
  void wait() {
    check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
    requests_.clear();
  }

 private:
  std::int64_t size_ = 0;
  std::vector<MPI_Request> requests_;
};

// One rank's part of the work: from rows of a file to encoded predictions.
class Predictor {
 public:
  Predictor(const Communicator& comm, const Net& net, TableReader& x, const Normalization& normalization,
            const PredictionFile& file, const RowNotes* notes)
      : comm_(comm),
        net_(net),
        x_(x),
        normalization_(normalization),
        file_(file),
        notes_(notes),
        units_{normalization.y.shift, normalization.y.scale},
        workspace_(net.model.make_workspace(kEvaluationBlock, false)) {}

  void predict(Range rows, std::vector<std::byte>& bytes) {
    const TableHeader& header = x_.header();
    comm_.pulse().enter(Phase::reading);
    memory_.resize(rows.size() * header.row_bytes());
    x_.read(rows, memory_);
    const Table table{header.type, rows.size(), header.columns, memory_};
    check_finite(table, header.name, {0, rows.size()}, rows.begin);
    comm_.pulse().enter(Phase::predicting);
    predictions_.clear();
    if (notes_ != nullptr) {
      if (notes_->bad().size() != rows.size()) {
        throw Error(ErrorKind::internal, header.name + ": what is told of its rows is not of those that were read");
      }
      predictions_.bad = notes_->bad();
      predictions_.kept = &notes_->kept();
    }
    for (std::size_t first = 0; first < rows.size(); first += kEvaluationBlock) {
      const std::size_t count = std::min(kEvaluationBlock, rows.size() - first);
      const auto outputs = forward(table, first, count);
      check_outputs(outputs, rows.begin, first);
      add_predictions(net_.loss, net_.model.outputs(), outputs, units_, predictions_, net_.threshold);
      comm_.pulse().beat();
    }
    bytes.clear();
    file_.encode(predictions_, bytes);
  }

 private:
  std::span<const float> forward(const Table& table, std::size_t first, std::size_t count) {
    std::array<std::uint32_t, kEvaluationBlock> chosen;
    std::iota(chosen.begin(), chosen.end(), static_cast<std::uint32_t>(first));
    gather_rows(table, normalization_.x, std::span(chosen).first(count), workspace_.input(count));
    return net_.model.forward(Pass{}, net_.weights, count, workspace_);
  }

  // Of rows from `first` on of those that begin with row `begin`.
  void check_outputs(std::span<const float> outputs, std::size_t begin, std::size_t first) const {
    if (all_finite(outputs)) return;
    const std::size_t width = net_.model.outputs();
    for (std::size_t row = 0; row < outputs.size() / width; ++row) {
      if (predictions_.is_bad(first + row) || all_finite(outputs.subspan(row * width, width))) continue;
      throw Error(ErrorKind::data, fmt::format("{}: the net's answer to row {} (rows count from 0) is not finite; its "
                                               "numbers lie too far from those that the net was trained on",
                                               x_.header().name, begin + first + row));
    }
  }

  const Communicator& comm_;
  const Net& net_;
  TableReader& x_;
  const Normalization& normalization_;
  const PredictionFile& file_;
  const RowNotes* notes_;
  TargetUnits units_;
  Workspace workspace_;
  std::vector<std::byte> memory_;
  Predictions predictions_;
};

}  // namespace

void predict_to_file(const Communicator& comm, const Net& net, TableReader& x, const Normalization& normalization,
                     PredictionFile& file, const PredictOptions& options) {
  const std::size_t rows = x.header().rows;
  const auto ranks = static_cast<std::size_t>(comm.size());
  const std::size_t step = rows_of_piece(x.header(), net.model.outputs(), ranks, options.piece_bytes);
  const auto part = [&](std::size_t piece) {
    return Range{std::min(piece * step, rows), std::min((piece + 1) * step, rows)};
  };
  Predictor predictor(comm, net, x, normalization, file, options.notes);
  std::array<Parcel, 2> parcels;  // one on its way while the next is filled
  Parcel incoming;
  std::exception_ptr failed;  // of rank 0, until the ranks next agree: the others go on sending meanwhile
  const auto store = [&](Range range, std::span<const std::byte> bytes) {
    if (failed) return;
    try {
      comm.pulse().enter(Phase::storing);
      file.add(range, bytes);
      if (options.done) options.done(range.end);
    } catch (const std::exception&) {
      failed = std::current_exception();
    }
  };
  const auto fail_if = [&] {
    if (failed) std::rethrow_exception(failed);
  };

  std::size_t round = 0;
  comm.together(
      [&] {
        if (comm.is_root()) file.open([&] { comm.pulse().beat(); });
      },
      Blame::host);
  for (; round * ranks * step < rows; ++round) {
    Parcel& parcel = parcels[round % 2];
    Parcel& before = parcels[(round + 1) % 2];
    const Range mine = part(round * ranks + static_cast<std::size_t>(comm.rank()));
    try {
      // The fault of a row is the file's, whichever rank has met it.
      comm.together(
          [&] {
            fail_if();
            if (!mine.empty()) predictor.predict(mine, parcel.bytes);
          },
          Blame::host);
    } catch (const Error& error) {
      if (error.agreed()) before.wait();  // rank 0 has got it
      throw;
    }
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const Range range = part(round * ranks + rank);
      if (range.empty()) break;
      if (rank != 0) {
        const Waiting waiting(comm.pulse());
        if (comm.is_root()) incoming.receive(comm.get(), static_cast<int>(rank));
        if (comm.rank() == static_cast<int>(rank)) {
          before.wait();
          parcel.send(comm.get());
        }
      }
      if (comm.is_root()) store(range, rank == 0 ? parcel.bytes : incoming.bytes);
    }
  }
  {
    const Waiting waiting(comm.pulse());
    for (Parcel& parcel : parcels) parcel.wait();
  }
  comm.together(
      [&] {
        fail_if();
        if (comm.is_root()) file.commit();
      },
      Blame::host);
}

}  // namespace lockstep
