/* What a Unix socket carries between two processes when nothing is in the way.
 *   limit spin|block ROUNDS CPU CPU        p50 and p99 of a round trip of 64 bytes, in ns
 *   limit stream BYTES BLOCK CPU CPU       bytes a second in one direction
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 64 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

/* Reads all of it; where `flags` say not to wait, asks again and again. */
static void take(int socket, char *to, size_t size, int flags) {
  while (size > 0) {
    ssize_t got = recv(socket, to, size, flags);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) fail("recv");
    to += got;
    size -= (size_t)got;
  }
}

static void give(int socket, const char *from, size_t size) {
  while (size > 0) {
    ssize_t gone = send(socket, from, size, 0);
    if (gone < 0) fail("send");
    from += gone;
    size -= (size_t)gone;
  }
}

static int ascending(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

static void round_trips(int socket, int rounds, int flags) {
  char message[SMALL] = {0};
  uint64_t *taken = calloc((size_t)rounds, sizeof *taken);
  if (!taken) fail("calloc");
  for (int i = 0; i < rounds; i++) {
    uint64_t before = now();
    give(socket, message, sizeof message);
    take(socket, message, sizeof message, flags);
    taken[i] = now() - before;
  }
  qsort(taken, (size_t)rounds, sizeof *taken, ascending);
  printf("{\"p50\":%llu,\"p99\":%llu}\n", (unsigned long long)taken[rounds / 2],
         (unsigned long long)taken[rounds / 100 * 99]);
  free(taken);
}

static void echo(int socket, int rounds, int flags) {
  char message[SMALL];
  for (int i = 0; i < rounds; i++) {
    take(socket, message, sizeof message, flags);
    give(socket, message, sizeof message);
  }
}

static void stream(int socket, uint64_t bytes, size_t block) {
  char *content = malloc(block);
  char last;
  if (!content) fail("malloc");
  // Memory that was never written to is one page of zeros, which is read faster than any message.
  memset(content, 7, block);
  uint64_t start = now();
  for (uint64_t sent = 0; sent < bytes; sent += block) give(socket, content, block);
  take(socket, &last, 1, 0);
  printf("{\"bytes\":%.0f}\n", (double)bytes * 1e9 / (double)(now() - start));
  free(content);
}

static void drain(int socket, uint64_t bytes, size_t block) {
  char *content = malloc(block);
  if (!content) fail("malloc");
  for (uint64_t got = 0; got < bytes; got += block) take(socket, content, block, 0);
  give(socket, content, 1);
  free(content);
}

int main(int count, char **words) {
  int sockets[2];
  if (count != 5 && count != 6) return fputs("see the comment in limit.c\n", stderr), 2;
  int streaming = strcmp(words[1], "stream") == 0;
  int flags = strcmp(words[1], "spin") == 0 ? MSG_DONTWAIT : 0;
  long long amount = atoll(words[2]);
  size_t block = streaming ? (size_t)atoll(words[3]) : 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) fail("socketpair");
  // As large as ipcio's: the limit is one of sockets, not of their default settings.
  int size = 1024 * 1024;
  for (int i = 0; i < 2; i++) setsockopt(sockets[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  pid_t other = fork();
  if (other < 0) fail("fork");
  pin(atoi(words[count - (other == 0 ? 1 : 2)]));
  close(sockets[other == 0]);
  int socket = sockets[other != 0];
  if (other == 0) {
    if (streaming) drain(socket, (uint64_t)amount, block);
    else echo(socket, (int)amount, flags);
    return 0;
  }
  if (streaming) stream(socket, (uint64_t)amount, block);
  else round_trips(socket, (int)amount, flags);
  fflush(stdout);
  waitpid(other, NULL, 0);
  return 0;
}
