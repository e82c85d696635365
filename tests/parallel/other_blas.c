// Loaded before OpenBLAS, it tells another version: what a host with other software does.
const char* openblas_get_config(void) {
  return "OpenBLAS 0.0.1 test";
}
