# What the library links. Also installed with the package: a static library's user links it too.
find_package(MPI REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(highway REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(zip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(protobuf REQUIRED IMPORTED_TARGET protobuf-lite)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)  # headers alone, in the default path
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)  # libcsv, in the default path
find_library(CSV_LIBRARY csv REQUIRED)
if(NOT TARGET lockstep::csv)
  add_library(lockstep::csv UNKNOWN IMPORTED)
  set_target_properties(lockstep::csv PROPERTIES IMPORTED_LOCATION ${CSV_LIBRARY})
endif()

set(LOCKSTEP_PRIVATE_LIBRARIES ${CMAKE_DL_LIBS} PkgConfig::hdf5 PkgConfig::xxhash PkgConfig::highway
    PkgConfig::protobuf PkgConfig::zip tomlplusplus::tomlplusplus nlohmann_json::nlohmann_json ZLIB::ZLIB lockstep::csv
    fmt::fmt Threads::Threads)
