/* Moves the wall clock of a process and of all that it starts: LD_PRELOAD this, CLOCK_SHIFT names a file of eight
 * bytes, the nanoseconds to add, which may change at any time and is seen by all at once.
 *
 * Debian's libfaketime 0.9.10 does not serve here: with its monotonic clock a thread's wait with a timeout never ends
 * (sem_clockwait, Python's locks), and without it time.sleep() fails (clock_nanosleep, EINVAL). Only what tells the time
 * of day is moved here, and the times of files with it, so that a file that was written just now is not a month old.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const int64_t none = 0;
static const volatile int64_t *shift = &none;

void overread_shift(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *seen = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (seen != MAP_FAILED) shift = seen;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_SHIFT");
  if (path) overread_shift(path);
}

static void move(struct timespec *at, int64_t by) {
  int64_t all = at->tv_sec * SECOND + at->tv_nsec + by;
  at->tv_sec = all / SECOND;
  at->tv_nsec = all % SECOND;
  if (at->tv_nsec < 0) { at->tv_sec -= 1; at->tv_nsec += SECOND; } /* before 1970 */
}

int clock_gettime(clockid_t which, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(which, at);
  if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) move(at, *shift);
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

#define MOVED(failed, to) \
  if (!failed) { move(&to->st_atim, *shift); move(&to->st_mtim, *shift); move(&to->st_ctim, *shift); } \
  return failed

#define REAL(symbol, ...) \
  static int (*real)(__VA_ARGS__); \
  if (!real) real = (int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #symbol)

#define STAT(symbol, kind) \
  int symbol(const char *path, struct kind *to) { \
    REAL(symbol, const char *, struct kind *); int failed = real(path, to); MOVED(failed, to); }
#define FSTAT(symbol, kind) \
  int symbol(int file, struct kind *to) { \
    REAL(symbol, int, struct kind *); int failed = real(file, to); MOVED(failed, to); }
#define FSTATAT(symbol, kind) \
  int symbol(int folder, const char *path, struct kind *to, int flags) { \
    REAL(symbol, int, const char *, struct kind *, int); \
    int failed = real(folder, path, to, flags); MOVED(failed, to); }

STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

static void moved_x(struct statx_timestamp *at) {
  struct timespec full = {at->tv_sec, at->tv_nsec};
  move(&full, *shift);
  at->tv_sec = full.tv_sec;
  at->tv_nsec = full.tv_nsec;
}

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict to) {
  int failed = syscall(SYS_statx, folder, path, flags, mask, to);
  if (!failed) { moved_x(&to->stx_atime); moved_x(&to->stx_mtime); moved_x(&to->stx_ctime); moved_x(&to->stx_btime); }
  return failed;
}

static const struct timespec *moved_back(const struct timespec given[2], struct timespec kept[2]) {
  if (!given) return NULL;
  for (int one = 0; one < 2; one++) {
    kept[one] = given[one];
    if (given[one].tv_nsec != UTIME_NOW && given[one].tv_nsec != UTIME_OMIT) move(&kept[one], -*shift);
  }
  return kept;
}

int utimensat(int folder, const char *path, const struct timespec given[2], int flags) {
  struct timespec kept[2];
  return syscall(SYS_utimensat, folder, path, moved_back(given, kept), flags);
}

int futimens(int file, const struct timespec given[2]) {
  struct timespec kept[2];
  return syscall(SYS_utimensat, file, NULL, moved_back(given, kept), 0);
}
