/* SPDX-License-Identifier: MIT */
/* Focus and monitor. */
#include "hv/monitor.h"

#include "hv/exit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"
#include "hv/power.h"
#include "hv/ram.h"

#define PROMPT "> "

static struct console_source self = { .name = "monitor" };
static struct partition *focus;   /* NULL: the monitor */
static char line[80];
static u32 len;

static void say(const char *fmt, ...) PRINTF(1, 2);
static void say(const char *fmt, ...)
{
    char buf[160];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = fmt_vstr(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    console_write(&self, buf, n);
}

static void prompt(void)
{
    len = 0;
    say(PROMPT);
}

void monitor_focus(struct partition *p)
{
    focus = p;
    console_focus(p ? &p->console : &self);
    log_info("keyboard: %s (Ctrl-T: next)", p ? p->name : "monitor, type help");
    if (!p && !self.len)
        prompt();
}

static void focus_next(void)
{
    if (!focus)
        monitor_focus(partition_get(0));
    else
        monitor_focus(partition_get(focus->index + 1)); /* NULL after the last: the monitor */
}

/* A sum, and the stretch that goes on since then (0: none). Other cores write both: off by one stretch at worst. */
static u64 stretch(u64 sum, u64 since)
{
    return sum + (since ? arch_tsc() - since : 0);
}

static void list_one(const struct partition *p)
{
    u64 exits = 0;
    u64 ticks = 0;

    for (u32 i = 0; i < p->nr_vcpus; i++) {
        for (u32 k = 0; k < VM_EXIT_KINDS; k++)
            exits += p->vcpus[i]->exits[k];
        ticks += stretch(p->vcpus[i]->run_tsc, p->vcpus[i]->run_since);
    }
    say("%-15s %-9s core %-3u vcpus %-2u %5lu MiB  %8lu ms  %lu exits\n", p->name, partition_state_name(p),
        p->vcpus[0]->home->index, p->nr_vcpus, p->conf->memory >> 20, ticks / arch_tsc_khz(), exits);
}

static void list_core(const struct cpu *cpu)
{
    say("core %u: APIC ID %u, %lu ms idle%s\n", cpu->index, cpu->apic_id,
        stretch(cpu->idle_tsc, cpu->idle_since) / arch_tsc_khz(), cpu->dedicated ? ", dedicated" : "");
}

static void cmd_list(struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < nr_partitions; i++)
        list_one(partition_get(i));
    for (u32 i = 0; i < nr_cpus; i++)
        list_core(cpu_get(i));
    say("%lu MiB free\n", ram_free_bytes() >> 20);
}

static void cmd_stop(struct partition *p)
{
    if (partition_stop(p, END_STOPPED) != PITH_OK)
        say("%s does not run\n", p->name);
}

static void cmd_start(struct partition *p)
{
    if (partition_start(p) != PITH_OK)
        say("%s is not stopped - stop it first\n", p->name);
}

static void cmd_log(struct partition *p)
{
    static char tail[4096];
    size_t n = log_tail(tail, sizeof(tail));

    (void)p;
    console_write(&self, tail, n);
}

static void cmd_poweroff(struct partition *p)
{
    (void)p;
    power_off_request();
}

static void cmd_crash(struct partition *p)
{
    (void)p;
    __asm__ volatile("ud2");
}

static void cmd_exits(struct partition *p)
{
    for (u32 k = 0; k < VM_EXIT_KINDS; k++) {
        u64 n = 0;

        for (u32 i = 0; i < p->nr_vcpus; i++)
            n += p->vcpus[i]->exits[k];
        if (n)
            say("%-12s %lu\n", exit_names[k], n);
    }
    say("%lu accesses to nothing\n", p->empty_bus);
}

static void cmd_mem(struct partition *p)
{
    for (u32 i = 0; i < p->nr_ram; i++)
        say("guest-physical %lx: %lu KiB at %lx\n", p->ram[i].gpa, p->ram[i].size >> 10, p->ram[i].hpa);
    say("tables and state: %lu of %lu KiB used\n", (p->frames.nr_total - p->frames.nr_free) << 2, p->frames.nr_total << 2);
}

static void cmd_help(struct partition *p);

static const struct { const char *name; void (*run)(struct partition *p); bool needs_partition; const char *help; } commands[] = {
    { "help", cmd_help, false, "this list" },
    { "list", cmd_list, false, "partitions and cores, their state and time" },
    { "stop", cmd_stop, true, "end a partition" },
    { "start", cmd_start, true, "load and start it afresh" },
    { "exits", cmd_exits, true, "why its guest left for the hypervisor, and how often" },
    { "mem", cmd_mem, true, "its memory" },
    { "log", cmd_log, false, "the hypervisor's last lines" },
    { "poweroff", cmd_poweroff, false, "stop everything and power the machine off" },
    { "crash", cmd_crash, false, "make the hypervisor fail, to see its report" },
};

static void cmd_help(struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < ARRAY_SIZE(commands); i++)
        say("%-8s %-4s  %s\n", commands[i].name, commands[i].needs_partition ? "NAME" : "", commands[i].help);
    say("Ctrl-T moves the keyboard to the next partition and back here.\n");
}

static void execute(void)
{
    char *arg = strchr(line, ' ');
    struct partition *p = NULL;

    if (arg)
        *arg++ = 0;
    for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(line, commands[i].name) != 0)
            continue;
        if (commands[i].needs_partition) {
            p = arg ? partition_find(arg) : NULL;
            if (!p) {
                say("%s: which partition? - list shows the names\n", line);
                return;
            }
        }
        commands[i].run(p);
        return;
    }
    say("%s: no such command - help lists them\n", line);
}

static void edit(u8 c)
{
    if (c == '\r' || c == '\n') {
        say("\n");
        line[len] = 0;
        if (len)
            execute();
        prompt();
    } else if ((c == '\b' || c == 0x7f) && len) {
        len--;
        say("\b \b");
    } else if (c >= ' ' && c < 0x7f && len < sizeof(line) - 1) {
        line[len++] = (char)c;
        say("%c", c);
    }
}

void monitor_key(u8 c)
{
    if (c == CONSOLE_ESCAPE)
        focus_next();
    else if (focus)
        partition_input(focus, c);
    else
        edit(c);
}
