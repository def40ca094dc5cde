/* What stands between prochist and the C library in tests of reliability (LD_PRELOAD): it counts the
 * calls that change files, and lets one of them go wrong. Linux with glibc.
 *
 * All is chosen by the environment:
 *   SHIM_PATH   only files whose path has this in it; never one whose name ends in .lock
 *   SHIM_KINDS  which calls count: w write, t truncate, s sync, n names (made, linked, renamed, removed)
 *   SHIM_AT     the number of the call that it is about, from 1
 *   SHIM_DO     what happens at it: "before" or "after" (it kills itself there), "tear N" (writes only N
 *               bytes and kills itself; another call than a write is killed before it), "fail E" (that
 *               call fails with errno E), "failfrom E" (so do all later ones)
 *   SHIM_COUNT  a file that is told how many calls there were, at the end
 *   SHIM_TRACE  a file that each call is appended to, with the bytes it wrote; see trace() for its form
 *   SHIM_NOW    what time it is, in milliseconds since 1970
 *
 * Limits: what is written through a memory map is not seen, which in prochist is only the -shm file, of
 * which nothing need survive. A file descriptor that was duplicated is not known. A killed call is killed
 * whole: the kernel does not stop in the middle of one, and what it might have left is torn on purpose.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096
static char *paths[FDS];
static long calls;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int watched(const char *path) {
    const char *part = getenv("SHIM_PATH");
    size_t length = path ? strlen(path) : 0;
    if (!part || !path || !strstr(path, part)) return 0;
    return length < 5 || strcmp(path + length - 5, ".lock") != 0;
}

static void put(int fd, const void *bytes, size_t length) {
    while (length > 0) {
        long n = syscall(SYS_write, fd, bytes, length);
        if (n <= 0) _exit(99);
        bytes = (const char *)bytes + n;
        length -= (size_t)n;
    }
}

/* kind, path, another path or the bytes, each with its length; offset in front of the bytes. */
static void trace(char kind, const char *path, const void *more, size_t length, int64_t offset) {
    static int fd = -1;
    const char *name = getenv("SHIM_TRACE");
    if (!name) return;
    if (fd < 0) fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uint64_t path_length = strlen(path), more_length = length;
    put(fd, &kind, 1);
    put(fd, &path_length, 8);
    put(fd, path, path_length);
    put(fd, &offset, 8);
    put(fd, &more_length, 8);
    put(fd, more, length);
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* Counts a call and says what is to become of it: 0 as it is, an errno, or -1 for after, -2 for torn. */
static int due(char kind, long *tear) {
    const char *kinds = getenv("SHIM_KINDS"), *at = getenv("SHIM_AT"), *what = getenv("SHIM_DO");
    if (!kinds || !strchr(kinds, kind)) return 0;
    long n = ++calls;
    if (!at || !what) return 0;
    if (strncmp(what, "failfrom ", 9) == 0) return n >= atol(at) ? atoi(what + 9) : 0;
    if (n != atol(at)) return 0;
    if (strncmp(what, "fail ", 5) == 0) return atoi(what + 5);
    if (strcmp(what, "after") == 0) return -1;
    if (strncmp(what, "tear ", 5) == 0 && tear) {
        *tear = atol(what + 5);
        return -2;
    }
    die();
    return 0;
}

/* Around a call: counted, let go wrong, made, traced. */
#define AROUND(kind, is_watched, tear, call, traced) \
    int failed = 0; \
    if (is_watched) { \
        pthread_mutex_lock(&one_at_a_time); \
        failed = due(kind, tear); \
        if (failed > 0) { \
            pthread_mutex_unlock(&one_at_a_time); \
            errno = failed; \
            return -1; \
        } \
    } \
    long result = call; \
    int said = errno; \
    if (is_watched) { \
        if (failed < 0) die(); \
        if (result >= 0) { traced; } \
        pthread_mutex_unlock(&one_at_a_time); \
    } \
    errno = said; \
    return result

static const char *path_of(int fd) {
    return fd >= 0 && fd < FDS ? paths[fd] : NULL;
}

static void opened(int fd, const char *path) {
    if (fd < 0 || fd >= FDS) return;
    free(paths[fd]);
    paths[fd] = watched(path) ? strdup(path) : NULL;
}

static long made(int folder, const char *path, int flags, mode_t mode) {
    long fd = syscall(SYS_openat, folder, path, flags | O_LARGEFILE, mode);
    if (fd >= 0) opened((int)fd, path);
    return fd;
}

static int open_watched(int folder, const char *path, int flags, mode_t mode) {
    int is_new = (flags & O_CREAT) && watched(path) && syscall(SYS_access, path, F_OK) != 0;
    AROUND('n', is_new, NULL, made(folder, path, flags, mode), trace('c', path, "", 0, 0));
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return open_watched(AT_FDCWD, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return open_watched(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    opened(fd, NULL);
    return (int)syscall(SYS_close, fd);
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset) { \
        const char *path = path_of(fd); \
        long tear = -1; \
        AROUND('w', path, &tear, \
               syscall(SYS_pwrite64, fd, bytes, tear >= 0 && (size_t)tear < length ? (size_t)tear : length, offset), \
               trace('w', path, bytes, (size_t)result, offset)); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *bytes, size_t length) {
    const char *path = path_of(fd);
    long tear = -1;
    int64_t offset = path ? lseek(fd, 0, SEEK_CUR) : 0;
    AROUND('w', path, &tear,
           syscall(SYS_write, fd, bytes, tear >= 0 && (size_t)tear < length ? (size_t)tear : length),
           trace('w', path, bytes, (size_t)result, offset));
}

#define TRUNCATE(name) \
    int name(int fd, off_t length) { \
        const char *path = path_of(fd); \
        AROUND('t', path, NULL, syscall(SYS_ftruncate, fd, length), trace('t', path, "", 0, length)); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name, number) \
    int name(int fd) { \
        const char *path = path_of(fd); \
        AROUND('s', path, NULL, syscall(number, fd), trace('s', path, "", 0, 0)); \
    }
SYNC(fsync, SYS_fsync)
SYNC(fdatasync, SYS_fdatasync)

int unlink(const char *path) {
    AROUND('n', watched(path), NULL, syscall(SYS_unlinkat, AT_FDCWD, path, 0), trace('u', path, "", 0, 0));
}

int rename(const char *from, const char *to) {
    AROUND('n', watched(to), NULL, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0),
           trace('r', from, to, strlen(to), 0));
}

int link(const char *from, const char *to) {
    AROUND('n', watched(to), NULL, syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0),
           trace('l', from, to, strlen(to), 0));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    AROUND('n', watched(to), NULL, syscall(SYS_linkat, from_folder, from, to_folder, to, flags),
           trace('l', from, to, strlen(to), 0));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    const char *now = getenv("SHIM_NOW");
    if (now && clock == CLOCK_REALTIME) {
        long long millis = atoll(now);
        time->tv_sec = millis / 1000;
        time->tv_nsec = millis % 1000 * 1000000;
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

__attribute__((destructor)) static void tell(void) {
    const char *name = getenv("SHIM_COUNT");
    char text[32];
    if (!name) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    put(fd, text, (size_t)snprintf(text, sizeof text, "%ld", calls));
}
