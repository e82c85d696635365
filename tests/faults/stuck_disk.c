// Loaded before the C library, it makes the syncs of a process hang for as long as the file named by STUCK_DISK is there,
// as a network file system without its server does.
#include <stdlib.h>
#include <unistd.h>

static int hang(void) {
  const char* file = getenv("STUCK_DISK");
  while (file != NULL && access(file, F_OK) == 0) usleep(50000);
  return 0;
}

int fsync(int descriptor) {
  (void)descriptor;
  return hang();
}

int fdatasync(int descriptor) {
  (void)descriptor;
  return hang();
}
