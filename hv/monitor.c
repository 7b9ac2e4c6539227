/* SPDX-License-Identifier: MIT */
/* Focus and monitor. */
#include "hv/monitor.h"

#include "hv/account.h"
#include "hv/audit.h"
#include "hv/channel.h"
#include "hv/devices.h"
#include "hv/exit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"
#include "hv/power.h"
#include "hv/ram.h"
#include "hv/time.h"
#include "hv/trace.h"

#define PROMPT "> "

static struct console_source self = { .name = "monitor", .ink = 1 };
static struct partition *focus;   /* NULL: the monitor */
static char line[80];
static u32 len;
static char *arg, *rest;          /* the word behind the command, and what follows it */
static u32 number;                /* what stands behind the name, 0 when nothing does */

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

static void list_one(const struct partition *p)
{
    u64 exits = 0;
    u64 ticks = 0;

    for (u32 i = 0; i < p->nr_vcpus; i++) {
        for (u32 k = 0; k < VM_EXIT_KINDS; k++)
            exits += p->vcpus[i]->exits[k];
        ticks += account_read(&p->vcpus[i]->run);
    }
    say("%-15s %-9s core %-3u vcpus %-2u %5lu MiB  %8lu ms  %lu exits%s\n", p->name, partition_state_name(p),
        p->vcpus[0]->home->index, p->nr_vcpus, partition_memory(p) >> 20, ticks / arch_tsc_khz(), exits,
        devices_isolated(p) ? "" : "  NOT ISOLATED");
}

static void cmd_list(struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < nr_partitions; i++)
        list_one(partition_get(i));
    say("%lu MiB free\n", ram_free_bytes() >> 20);
}

/* 50 days' ticks, times a thousand, are too many. */
static u64 per_mille(u64 part, u64 all)
{
    return part / (all / 1000 + 1);
}

static void list_core(struct cpu *cpu)
{
    const struct vcpu *now = __atomic_load_n(&cpu->current, __ATOMIC_RELAXED); /* vCPUs are never freed */
    struct core_time t;
    s64 off = account_core(cpu, &t);
    u64 all = t.guest + t.exits + t.scheduler + t.idle + t.others;

    say("core %u: APIC ID %u, %lu %% idle%s, ", cpu->index, cpu->apic_id, per_mille(t.idle, all) / 10,
        cpu->dedicated ? ", dedicated" : "");
    if (now)
        say("runs %s/%u, ", now->part->name, now->index);
    say("home of %u:", cpu->nr_vcpus);
    for (u32 i = 0; i < nr_partitions; i++)
        for (u32 k = 0; k < partition_get(i)->nr_vcpus; k++)
            if (partition_get(i)->vcpus[k]->home == cpu)
                say(" %s/%u", partition_get(i)->name, k);
    say("\n  of 1000: guests %lu, exits %lu, scheduler %lu, idle %lu, others %lu; in ticks ", per_mille(t.guest, all),
        per_mille(t.exits, all), per_mille(t.scheduler, all), per_mille(t.idle, all), per_mille(t.others, all));
    if (off)
        say("%ld more than have passed\n", off);
    else
        say("all that have passed\n");
}

/* Of what its home's frame gives it, in ticks. */
static u64 in_slots(const struct vcpu *v)
{
    const struct runq *q = &v->home->rq;
    u64 ticks = 0;

    for (u32 i = 0; i < q->nr_slots; i++)
        if (q->slot[i].owner == &v->share)
            ticks += q->slot[i].end - (i ? q->slot[i - 1].end : 0);
    return ticks;
}

static u64 in_us(u64 ticks)
{
    return (ticks * 1000 + arch_tsc_khz() / 2) / arch_tsc_khz();
}

/* As its home last left it: what has run since is not counted yet. */
static void list_share(const struct vcpu *v)
{
    const struct share *s = &v->share;
    u64 slots = in_slots(v);

    say("%s/%u: core %u, ", v->part->name, v->index, v->home->index);
    if (s->period)
        say("%lu us of every %lu us promised, %lu left, %lu deadlines missed, ", in_us(s->budget), in_us(s->period),
            in_us((u64)MAX(s->left, 0)), s->missed);
    else if (slots)
        say("slots of %lu us in every %lu us, %lu slots missed, ", in_us(slots), in_us(v->home->rq.frame), s->missed);
    if (s->capped)
        say("nothing of the slack\n");
    else
        say("weight %u in the slack\n", s->weight);
}

static void cmd_cores(struct partition *p)
{
    for (u32 i = 0; !p && i < nr_cpus; i++)
        list_core(cpu_get(i));
    for (u32 i = 0; p && i < p->nr_vcpus; i++)
        list_share(p->vcpus[i]);
}

static void cmd_stop(struct partition *p)
{
    if (partition_end(p, false) != PITH_OK)
        say("%s does not run\n", p->name);
}

static void cmd_restart(struct partition *p)
{
    if (partition_end(p, true) != PITH_OK)
        say("%s cannot start - log says why\n", p->name);
}

static void cmd_pause(struct partition *p)
{
    if (partition_pause(p) != PITH_OK)
        say("%s is not running - list shows what it does\n", p->name);
}

static void cmd_resume(struct partition *p)
{
    if (partition_resume(p) != PITH_OK)
        say("%s is not paused\n", p->name);
}

/* Its home core prints them: nobody else may look. */
static void cmd_regs(struct partition *p)
{
    if (number >= p->nr_vcpus)
        say("%s has vCPUs 0 to %u\n", p->name, p->nr_vcpus - 1);
    else if (!__atomic_load_n(&p->live, __ATOMIC_RELAXED))
        say("%s does not run - start it first\n", p->name);
    else
        vcpu_post(p->vcpus[number], VCPU_PEND_REGS);
}

static void cmd_start(struct partition *p)
{
    if (partition_start(p) != PITH_OK)
        say("%s is not stopped - stop it first, or it is absent\n", p->name);
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
    power_request("poweroff", false);
}

static void cmd_reboot(struct partition *p)
{
    (void)p;
    power_request("reboot", true);
}

static void cmd_crash(struct partition *p)
{
    (void)p;
    __asm__ volatile("ud2");
}

/* What a kind of exit took of the time that the partition had. */
static void list_exits(const char *name, u64 n, u64 ticks, u64 run)
{
    say("%-12s %10lu %10lu us %4lu of 1000\n", name, n, time_ticks_ns(ticks) / 1000, per_mille(ticks, run));
}

static void cmd_exits(struct partition *p)
{
    u64 run = 0, all = 0;

    for (u32 i = 0; i < p->nr_vcpus; i++)
        run += account_read(&p->vcpus[i]->run);
    for (u32 k = 0; k <= VM_EXIT_KINDS; k++) {
        u64 n = 0, ticks = 0;

        for (u32 i = 0; i < p->nr_vcpus; i++) {
            n += k < VM_EXIT_KINDS ? p->vcpus[i]->exits[k] : 0;
            ticks += p->vcpus[i]->arch.spent[k];
        }
        all += ticks;
        if (n || ticks)
            list_exits(k < VM_EXIT_KINDS ? exit_names[k] : "(switches)", n, ticks, run);
    }
    list_exits("(guest)", 0, run > all ? run - all : 0, run);
    say("%lu accesses to nothing\n", p->empty_bus);
}

static void list_pool(const char *name, const struct frame_pool *f, u64 ram)
{
    say("%-15s %8lu KiB RAM, tables and state: %lu of %lu KiB used\n", name, ram >> 10, (f->nr_total - f->nr_free) << 2,
        f->nr_total << 2);
}

static void list_memory(void)
{
    const char *wrong = audit_check();
    const struct channel *c;

    list_pool("hypervisor", audit_host_pool(), 0);
    for (u32 i = 0; i < nr_partitions; i++)
        list_pool(partition_get(i)->name, &partition_get(i)->frames, partition_memory(partition_get(i)));
    for (u32 i = 0; (c = channel_get(i)); i++)
        say("%-15s %8lu KiB RAM, channel\n", c->conf->name, c->conf->size >> 10);
    say("RAM: %lu KiB, of them %lu free\n", ram_total_bytes() >> 10, ram_free_bytes() >> 10);
    say("audit: %s\n", wrong ? wrong : "every frame has its owner");
}

static void cmd_mem(struct partition *p)
{
    const struct channel *c;

    if (!p) {
        list_memory();
        return;
    }
    for (u32 i = 0; i < p->nr_ram; i++)
        say("guest-physical %lx: %lu KiB at %lx\n", p->ram[i].gpa, p->ram[i].size >> 10, p->ram[i].hpa);
    for (u32 i = 0; (c = channel_get(i)); i++)
        if (channel_rights(c, p))
            say("guest-physical %lx: %lu KiB at %lx, channel %s%s\n", c->gpa, c->conf->size >> 10, c->hpa, c->conf->name,
                channel_rights(c, p) == S2_R ? ", read-only" : "");
    if (!devices_isolated(p))
        say("NOT ISOLATED: its devices could read and write all memory\n");
    list_pool(p->name, &p->frames, partition_memory(p));
}

static void cmd_trace(struct partition *p)
{
    (void)p;
    trace_command(arg, rest);
}

static void cmd_help(struct partition *p);

enum args { NOTHING, NAME, NAME_OR_NOTHING, NAME_VCPU };
static const char *const args_help[] = { "", "NAME", "[NAME]", "NAME [VCPU]" };

static const struct { const char *name; void (*run)(struct partition *p); u8 args; const char *help; } commands[] = {
    { "help", cmd_help, NOTHING, "this list" },
    { "list", cmd_list, NOTHING, "partitions, their state and time" },
    { "stop", cmd_stop, NAME, "end a partition" },
    { "start", cmd_start, NAME, "load and start it afresh" },
    { "restart", cmd_restart, NAME, "both, whatever it does now" },
    { "pause", cmd_pause, NAME, "make it stand still; its clock goes on" },
    { "resume", cmd_resume, NAME, "let it go on" },
    { "regs", cmd_regs, NAME_VCPU, "registers of a virtual processor" },
    { "exits", cmd_exits, NAME, "why its guest left for the hypervisor, how often and for how long" },
    { "mem", cmd_mem, NAME_OR_NOTHING, "its memory, or everybody's" },
    { "cores", cmd_cores, NAME_OR_NOTHING, "cores, who lives and who runs there, where their time went; or what a partition is promised" },
    { "log", cmd_log, NOTHING, "the hypervisor's last lines" },
    { "trace", cmd_trace, NOTHING, "what guests did: trace dump, on, off [NAME], or clear, show" },
    { "poweroff", cmd_poweroff, NOTHING, "ask guests to shut down, stop the others, power the machine off; once more: at once" },
    { "reboot", cmd_reboot, NOTHING, "the same, then restart the machine" },
    { "crash", cmd_crash, NOTHING, "make the hypervisor fail, to see its report" },
};

static void cmd_help(struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < ARRAY_SIZE(commands); i++)
        say("%-8s %-11s  %s\n", commands[i].name, args_help[commands[i].args], commands[i].help);
    say("Ctrl-T moves the keyboard to the next partition and back here.\n");
}

/* Cuts the next word off the front of *at; "" when there is none. */
static char *word(char **at)
{
    char *from = *at;
    char *end = strchr(from, ' ');

    *at = end ? end + 1 : from + strlen(from);
    if (end)
        *end = 0;
    return from;
}

/* More digits than any vCPU's number has make a number that none has. */
static u32 number_of(const char *text)
{
    u32 n = 0;

    for (; *text; text++)
        n = *text >= '0' && *text <= '9' && n < 1000 ? n * 10 + (u32)(*text - '0') : 1000;
    return n;
}

static void execute(void)
{
    char *at = line;
    char *name = word(&at);
    struct partition *p;

    arg = word(&at);
    rest = at;
    number = number_of(rest);
    p = *arg ? partition_find(arg) : NULL;
    for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        if (!p && commands[i].args != NOTHING && (commands[i].args != NAME_OR_NOTHING || *arg))
            say("%s: which partition? - list shows the names\n", name);
        else
            commands[i].run(p);
        return;
    }
    say("%s: no such command - help lists them\n", name);
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
