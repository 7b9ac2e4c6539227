/* SPDX-License-Identifier: MIT */
/*
 * The first process of a Linux that is measured: what ordinary work costs, in ticks of the TSC, as lines "work NAME TICKS".
 * Booted once as a guest and once on the bare machine, by the same kernel; run.py divides one by the other.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define BIG   (128u << 20)
#define SMALL (8u << 20)

static uint64_t tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}

static void need(int ok, const char *what)
{
    if (ok)
        return;
    printf("work failed: %s\n", what);
    exit(1);
}

static char *memory(size_t size)
{
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    need(m != MAP_FAILED, "mmap");
    (void)madvise(m, size, MADV_NOHUGEPAGE); /* no failure: the kernel may have none */
    return m;
}

static void touch(volatile char *m, size_t size)
{
    for (size_t i = 0; i < size; i += PAGE)
        m[i] = 1;
}

static void integer_loop(void)
{
    uint64_t x = 1;

    for (int i = 0; i < 1000000; i++)
        __asm__ volatile("imul $1103515245, %0; add $1, %0" : "+r"(x));
}

static void touch_new(size_t size)
{
    char *m = memory(size);

    touch(m, size);
    munmap(m, size);
}

static void page_faults(void)
{
    touch_new(SMALL);
}

static void first_touch(void)
{
    touch_new(BIG);
}

static void fork_exit(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    need(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void vfork_exec(void)
{
    pid_t child = vfork();

    if (child == 0) {
        execl("/init", "nothing", (char *)NULL);
        _exit(1);
    }
    need(child > 0 && waitpid(child, NULL, 0) == child, "vfork");
}

static int to[2], from[2]; /* pipes, to the process that answers and back */

static void start_answering(void)
{
    char c;

    need(pipe(to) == 0 && pipe(from) == 0, "pipe");
    if (fork() != 0)
        return;
    close(to[1]);
    while (read(to[0], &c, 1) == 1)
        need(write(from[1], &c, 1) == 1, "pipe");
    _exit(0);
}

static void pipe_ping_pong(void)
{
    char c = 0;

    if (!to[1])
        start_answering();
    need(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1, "pipe");
}

static void mmap_munmap(void)
{
    munmap(memory(16 * PAGE), 16 * PAGE);
}

/*
 * Ten batches, of which the middle one counts, each of rounds enough that timer ticks come out even. What the kernel puts off for long
 * falls into one or two: it frees the stacks of 1,600 forks at once, which in one run comes once more than in another.
 */
#define BATCHES 10
static struct { const char *name; void (*run)(void); int warm_up, rounds; uint64_t ticks; } works[] = {
    { "first_touch", first_touch, 0, 1, 0 }, /* first: memory that nobody has used yet */
    { "integer_loop", integer_loop, 1, 100, 0 },
    { "page_faults", page_faults, 1, 20, 0 },
    { "fork", fork_exit, 200, 1000, 0 },
    { "vfork_exec", vfork_exec, 50, 500, 0 },
    { "pipe", pipe_ping_pong, 200, 20000, 0 },
    { "mmap", mmap_munmap, 200, 10000, 0 },
};
#define WORKS (sizeof(works) / sizeof(works[0]))

static uint64_t ticks_of(void (*run)(void), int rounds)
{
    uint64_t start = tsc();

    for (int i = 0; i < rounds; i++)
        run();
    return tsc() - start;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void measure(void)
{
    for (size_t i = 0; i < WORKS; i++) {
        int batches = works[i].rounds < BATCHES ? works[i].rounds : BATCHES;
        uint64_t ticks[BATCHES];

        ticks_of(works[i].run, works[i].warm_up);
        for (int n = 0; n < batches; n++)
            ticks[n] = ticks_of(works[i].run, works[i].rounds / batches);
        qsort(ticks, (size_t)batches, sizeof(ticks[0]), compare);
        works[i].ticks = ticks[batches / 2];
    }
}

/* What the kernel counted, for whoever looks for the reason of a ratio. */
static void show(const char *path)
{
    char text[4096];
    int f = open(path, O_RDONLY);
    ssize_t n;

    while ((n = read(f, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stdout);
    close(f);
}

int main(int argc, char **argv)
{
    uint64_t booted = tsc();

    (void)argc;
    if (strcmp(argv[0], "nothing") == 0)
        return 0;
    mkdir("/proc", 0755);
    need(mount("proc", "/proc", "proc", 0, NULL) == 0, "mount");
    measure(); /* nothing is printed until all is measured: the serial line works on after write() has returned */
    printf("work linux_boot %lu\n", (unsigned long)booted);
    for (size_t i = 0; i < WORKS; i++)
        printf("work %s %lu\n", works[i].name, (unsigned long)works[i].ticks);
    show("/proc/interrupts");
    show("/proc/stat");
    show("/proc/cpuinfo");
    printf("work done\n");
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    return 0;
}
