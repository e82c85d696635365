// Loaded before the C library, it makes the syncs of a process hang for as long as the file named by STUCK_DISK is
// there, and reads at a place of a file likewise by STUCK_READS, as a network file system without its server does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int hang_by(const char* variable) {
  const char* file = getenv(variable);
  while (file != NULL && access(file, F_OK) == 0) usleep(50000);
  return 0;
}

static int hang(void) {
  return hang_by("STUCK_DISK");
}

int fsync(int descriptor) {
  (void)descriptor;
  return hang();
}

int fdatasync(int descriptor) {
  (void)descriptor;
  return hang();
}

ssize_t pread(int descriptor, void* bytes, size_t count, off_t offset) {
  ssize_t (*real)(int, void*, size_t, off_t) = (ssize_t(*)(int, void*, size_t, off_t))dlsym(RTLD_NEXT, "pread");
  hang_by("STUCK_READS");
  return real(descriptor, bytes, count, offset);
}
