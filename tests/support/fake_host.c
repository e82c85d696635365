// Loaded before the C library, it makes a process believe that it is on the host named by FAKE_HOST. With it, one machine
// is several hosts to Open MPI, without a right to anything: see fake_hosts.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static void put_name(char* name, size_t size) {
  const char* host = getenv("FAKE_HOST");
  if (host == NULL || size == 0) return;
  strncpy(name, host, size - 1);
  name[size - 1] = '\0';
}

int gethostname(char* name, size_t size) {
  struct utsname system;
  if (uname(&system) != 0) return -1;
  strncpy(name, system.nodename, size);
  return 0;
}

int uname(struct utsname* system) {
  int (*real)(struct utsname*) = (int (*)(struct utsname*))dlsym(RTLD_NEXT, "uname");
  const int code = real(system);
  if (code == 0) put_name(system->nodename, sizeof system->nodename);
  return code;
}
