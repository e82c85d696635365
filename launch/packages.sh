# shellcheck shell=bash
# shellcheck disable=SC2034  # the lists are for those who source this
# What a machine needs to build and run lockstep: the one list of Debian packages, and Open MPI's settings.
# To be sourced: source launch/packages.sh

packages_run=(g++ cmake make pkg-config openmpi-bin libopenmpi-dev libopenblas-dev libhdf5-dev libcxxopts-dev
  libtomlplusplus-dev librandom123-dev libxxhash-dev libfmt-dev libspdlog-dev nlohmann-json3-dev zlib1g-dev libhwy-dev
  libprotobuf-dev libzip-dev libcsv-dev libjs-chart.js)
packages_test=(libgtest-dev libbenchmark-dev python3 python3-numpy python3-h5py groff-base
  python3-onnx python3-opencv python3-torch) # they read what export writes
packages_browser=(chromium) # to look at report.html
packages_cluster=(iproute2 munge slurmctld slurmd slurm-client) # for tests that only root can run
packages_lint=(clang-format-14 clang-tidy-14)

# install_packages PACKAGE...: installs those that are missing. Exits 2 where it may not, naming them and the command.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "No dpkg here, so packages are not checked. Needed, by their Debian names: $*" >&2
    return 0
  fi
  local package missing=()
  for package in "$@"; do
    # shellcheck disable=SC2016  # the text is dpkg-query's, not the shell's
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) == ?i* ]] || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return 0; fi

  # A sudo that may ask for a password needs a terminal.
  local become=()
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      become=(sudo -n)
    elif command -v sudo >/dev/null && [[ -t 0 && -t 2 && -z ${CI:-} ]]; then
      become=(sudo)
    else
      echo "Missing packages: ${missing[*]}" >&2
      echo "Install them as root, then start this again:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      exit 2
    fi
  fi
  echo "Installing: ${missing[*]}" >&2
  local apt=("${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
  if ! "${apt[@]}" update >&2 || ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
    echo "apt-get failed (its reason stands above). Missing packages: ${missing[*]}" >&2
    exit 2
  fi
}

# physical_cores: what Open MPI takes for the number of ranks that fit on this machine.
physical_cores() {
  local cores usable
  usable=$(nproc)
  cores=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l) || cores=0
  echo $((cores > 0 && cores < usable ? cores : usable))
}

# mpi_environment RANKS: exports what mpirun needs here to start that many ranks.
mpi_environment() {
  local ranks=$1 cores
  cores=$(physical_cores)
  if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
  # Ranks that wait must give up their core where another rank or another program may need it.
  if ((ranks >= cores)); then export OMPI_MCA_mpi_yield_when_idle=1; fi
  if ((ranks > cores)); then export OMPI_MCA_rmaps_base_oversubscribe=1; fi
}

# build_jobs: a compiler at once for each core, and for each GiB of memory that is left.
build_jobs() {
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null) || memory=
  if [[ -n $memory ]] && ((memory < jobs)); then jobs=$memory; fi
  echo $((jobs > 0 ? jobs : 1))
}

# build_program: the program alone, as build/bin/lockstep under the working directory. A build folder that exists keeps
# its settings, so that this goes together with tests/run.sh.
build_program() {
  local settings=()
  if [[ ! -f build/CMakeCache.txt ]]; then settings=(-DCMAKE_BUILD_TYPE=Release -DLOCKSTEP_BUILD_TESTS=OFF); fi
  cmake -S . -B build "${settings[@]}"
  cmake --build build --target lockstep-cli -j "$(build_jobs)"
}
